// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Replay;

/// <summary>
/// What one cell of a replay (one trace, one policy, one cache size) measured. The names are those of the command
/// line's JSON contract, in its order.
/// </summary>
public sealed record ReplayResult
{
    /// <summary>The trace's name as the user gave it.</summary>
    public required string Trace { get; init; }

    /// <summary>The policy as the user named it, with its parameters.</summary>
    public required string Policy { get; init; }

    /// <summary>Cache size in frames.</summary>
    public required long Frames { get; init; }

    /// <summary>Requests replayed and counted: those after the warm-up.</summary>
    public required long Requests { get; init; }

    /// <summary>Requests that did not find their page.</summary>
    public required long Misses { get; init; }

    /// <summary>Misses divided by requests; 0 for an empty trace.</summary>
    public double MissRatio => Requests == 0 ? 0 : (double)Misses / Requests;

    /// <summary>Requests of the warm-up, which no other number here covers.</summary>
    public long WarmupRequests { get; init; }

    /// <summary>Distinct pages of the trace, the warm-up included.</summary>
    public required long DistinctPages { get; init; }

    /// <summary>First requests of a page: the misses of a cache of unlimited size.</summary>
    public required long CompulsoryMisses { get; init; }

    /// <summary>Misses without a shadow (linux-*), or first requests (other policies).</summary>
    public required long ColdMisses { get; init; }

    /// <summary>Misses that found a shadow (linux-*) or were not the first request (other policies).</summary>
    public required long Refaults { get; init; }

    /// <summary>Pages that moved to the active list.</summary>
    public required long Activations { get; init; }

    /// <summary>Pages that moved back from the active to the inactive list.</summary>
    public required long Deactivations { get; init; }

    /// <summary>Pages evicted.</summary>
    public required long Evictions { get; init; }

    /// <summary>Bytes of the counted requests, each as large as the trace says; null where it does not.</summary>
    public long? RequestedBytes { get; init; }

    /// <summary>Bytes of those that missed; null where the trace has no sizes. The cache gives every object one frame,
    /// whatever its size.</summary>
    public long? MissedBytes { get; init; }

    /// <summary><see cref="MissedBytes"/> divided by <see cref="RequestedBytes"/>; null where the trace has no sizes, 0
    /// where all are 0.</summary>
    public double? ByteMissRatio => RequestedBytes == 0 ? 0 : (double?)MissedBytes / RequestedBytes;

    /// <summary>The misses over time, warm-up included; null unless they were asked for.</summary>
    public MissTimeline? Timeline { get; init; }

    /// <summary>Seconds in the policy loop only.</summary>
    public required double Seconds { get; init; }

    /// <summary>Seconds spent reading the trace and mapping its ids, shared by all cells of the trace.</summary>
    public required double ReadSeconds { get; init; }

    /// <summary>Requests divided by <see cref="Seconds"/>.</summary>
    public double RequestsPerSecond => Seconds <= 0 ? 0 : Requests / Seconds;

    /// <summary>Native bytes of this cell: frames, lists, index, shadows and ghosts.</summary>
    public required long NativeBytes { get; init; }

    /// <summary>Native bytes of the id map that the cell reads through.</summary>
    public required long MapBytes { get; init; }

    /// <summary>The part of <see cref="NativeBytes"/> that shadows alone keep alive: index blocks without a frame.</summary>
    public long ShadowBytes { get; init; }

    /// <summary>What a replay against the cache with page data measured besides; null for every other replay. Then
    /// <see cref="NativeBytes"/> has the page data in it.</summary>
    public LiveMeasures? Live { get; init; }

    /// <summary>Bytes of pages handed out in a second by a live replay, whether or not all of them were read; otherwise
    /// 0.</summary>
    public double BytesPerSecond => RequestsPerSecond * (Live?.PageBytes ?? 0);

    /// <summary>False when Ctrl-C stopped the replay before the end of the trace.</summary>
    public bool Complete { get; init; } = true;
}
