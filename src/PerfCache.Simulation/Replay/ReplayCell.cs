// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Replay;

/// <summary>How a cell wants its pages numbered.</summary>
public enum PageNumbering
{
    /// <summary>Every distinct page has the next number: 0, 1, 2, ...</summary>
    Dense,

    /// <summary>
    /// Every distinct run of 64 pages (one leaf of the index) has the next number, and a page keeps its place in its
    /// run: <c>leaf * 64 + (id mod 64)</c>. The linux-* rules need it, because the kernel's limit on shadows depends
    /// on how pages share leaves.
    /// </summary>
    PerLeaf,
}

/// <summary>What a cell counted; see <see cref="ReplayResult"/> for the meaning of each.</summary>
public readonly record struct ReplayCounts(
    long Misses, long Refaults, long Activations, long Deactivations, long Evictions)
{
    /// <summary>What was counted since <paramref name="before"/>.</summary>
    internal ReplayCounts Since(ReplayCounts before) => new(
        Misses - before.Misses, Refaults - before.Refaults, Activations - before.Activations,
        Deactivations - before.Deactivations, Evictions - before.Evictions);
}

/// <summary>
/// One policy at one cache size, fed with page numbers. A cell belongs to one thread at a time; cells share nothing.
/// </summary>
public abstract class ReplayCell : IDisposable
{
    /// <summary>The outcome byte of a request that found its page.</summary>
    public const byte Hit = (byte)'h';

    /// <summary>The outcome byte of a request that did not.</summary>
    public const byte Miss = (byte)'m';

    /// <summary>The policy as the user named it, with its parameters.</summary>
    public abstract string Policy { get; }

    /// <summary>Cache size in frames.</summary>
    public abstract long Frames { get; }

    /// <summary>How this cell wants its pages numbered.</summary>
    public abstract PageNumbering Numbering { get; }

    /// <summary>
    /// True, the default, to fetch the memory of the next requests while the current ones are served; false to serve
    /// each as if the next were not known. Changes the speed and nothing else.
    /// </summary>
    public bool LookAhead { get; set; } = true;

    /// <summary>True where the policy itself tells misses that find a shadow from those that do not (linux-*).</summary>
    public abstract bool CountsRefaults { get; }

    /// <summary>The counts so far.</summary>
    public abstract ReplayCounts Counts { get; }

    /// <summary>Native bytes in use now: frames, lists, index, shadows and ghosts.</summary>
    public abstract long NativeBytes { get; }

    /// <summary>The part of <see cref="NativeBytes"/> that shadows alone keep alive.</summary>
    public virtual long ShadowBytes => 0;

    /// <summary>Replays the next requests of the trace.</summary>
    /// <param name="requests">The requests.</param>
    /// <param name="outcomes">Receives <see cref="Hit"/> or <see cref="Miss"/> for each request, or empty.</param>
    public abstract void Replay(ReplayRequests requests, Span<byte> outcomes);

    /// <summary>Calls <paramref name="visit"/> with the number of every page that is resident, in ascending order.</summary>
    public abstract void VisitResident(Action<uint> visit);

    /// <summary>Frees the cell's native memory.</summary>
    public abstract void Dispose();
}
