// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Workloads;

/// <summary>A running workload: hands out its requests once, in order, into whatever span the caller has.
/// The same workload gives the same requests however they are cut into spans. Not thread-safe.</summary>
public abstract class RequestGenerator
{
    private protected RequestGenerator(long length) => Length = length;

    /// <summary>The number of requests in all.</summary>
    public long Length { get; }

    /// <summary>The number of requests handed out.</summary>
    public long Position { get; private set; }

    /// <summary>Fills in the page ids of the next requests.</summary>
    /// <returns>How many; fewer than fit only at the end, and then 0.</returns>
    public int Fill(Span<ulong> ids)
    {
        int count = (int)Math.Min(ids.Length, Length - Position);
        Generate(ids[..count]);
        Position += count;
        return count;
    }

    /// <summary>Fills the whole span; its first request is number <see cref="Position"/>.</summary>
    private protected abstract void Generate(Span<ulong> ids);
}
