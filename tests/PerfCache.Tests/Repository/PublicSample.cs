// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Repository;

/// <summary>What <see cref="PublicApiText"/> is tried on.</summary>
public abstract class PublicSample<TItem> : IDisposable where TItem : struct
{
    public const int Limit = 7;

    protected PublicSample(int? size) => Size = size;

    public required string Name { get; init; }

    internal int? Size { get; }

    public static bool TryGet<TKey>(TKey key, out TItem item) where TKey : class
    {
        item = default;
        return key is null;
    }

    public int Sum(in int first, params int[] rest) => first + rest.Sum();

    public abstract string? Find(ReadOnlySpan<TItem> items, int limit = 5);

    public virtual void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>An enumeration to try it on.</summary>
public enum PublicSampleKind : byte
{
    /// <summary>Its only value.</summary>
    One = 1,
}
