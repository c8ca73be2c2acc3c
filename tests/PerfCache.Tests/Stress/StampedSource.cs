// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;

namespace PerfCache.Tests.Stress;

/// <summary>
/// An object whose pages are whole patterns made from object, page and generation: loaded as generation 0, with failures,
/// and stamped with others by writers. Any generation is right; a mixture of two, or another page's bytes, are not.
/// </summary>
internal sealed class StampedSource : IPageSource
{
    internal const uint Generations = 8;

    private readonly ModelledPageSource _loader;
    private readonly ulong _seed;

    internal StampedSource(ulong number, bool dense)
    {
        _seed = number * Generations;
        IsDense = dense;
        _loader = new ModelledPageSource(new ModelledPageSourceOptions
        {
            Seed = _seed,
            PageCount = PageCount,
            FailureEvery = 20,
            FailureSeed = number,
        });
    }

    internal bool IsDense { get; }

    /// <summary>The object, once it is in the cache.</summary>
    internal ObjectId Id { get; set; }

    /// <summary>Set before the object is removed: from then on, nobody need find it.</summary>
    internal volatile bool IsRemoved;

    public ulong PageCount => IsDense ? 1000 : 1UL << 34;

    public bool IsAsync => false;

    public bool CanWrite => true;

    /// <summary>One of the object's pages; in a sparse object they lie far apart.</summary>
    internal ulong Page(uint number) => IsDense ? number % 1000 : (ulong)number * 7_654_321 % PageCount;

    internal void Stamp(uint generation, ulong page, Span<byte> bytes) =>
        ModelledPageSource.Fill(_seed + (generation % Generations), page, bytes);

    /// <summary>The generation of a page's bytes, or -1 when they are not one and the same.</summary>
    internal int GenerationOf(ulong page, ReadOnlySpan<byte> bytes)
    {
        for (uint generation = 0; generation < Generations; generation++)
        {
            if (!ModelledPageSource.Verify(_seed + generation, page, bytes[..sizeof(ulong)])) continue;
            return ModelledPageSource.Verify(_seed + generation, page, bytes) ? (int)generation : -1;
        }

        return -1;
    }

    public int Read(ulong page, Span<byte> destination) => _loader.Read(page, destination);

    public ValueTask<long> ReadAsync(
        ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation) =>
        _loader.ReadAsync(firstPage, destinations, cancellation);

    public ValueTask WriteAsync(
        ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation)
    {
        for (int i = 0; i < pages.Count; i++)
        {
            if (GenerationOf(firstPage + (ulong)i, pages[i].Span) >= 0) continue;
            throw new InvalidDataException($"page {firstPage + (ulong)i} was written torn, or is another page");
        }

        return default;
    }

    public ValueTask FlushAsync(CancellationToken cancellation) => default;
}
