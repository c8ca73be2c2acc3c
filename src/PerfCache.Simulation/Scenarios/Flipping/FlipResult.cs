// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>How things stood at one moment of a run, for one guest.</summary>
/// <param name="AtNanos">The moment.</param>
/// <param name="Guest">The guest, from 0.</param>
/// <param name="ShareOfNode">The part of its pages on each node; node 0 is the driver domain's.</param>
/// <param name="PoolFrames">The size of its exchange pool; 0 without one.</param>
/// <param name="PoolUsedFrames">Frames of it that are out.</param>
/// <param name="MigratedPages">Pages brought home so far.</param>
/// <param name="RemedyShare">The part of a processor that the remedy took since the sample before.</param>
public readonly record struct FlipSample(long AtNanos, int Guest, double[] ShareOfNode, int PoolFrames,
    int PoolUsedFrames, long MigratedPages, double RemedyShare)
{
    /// <summary>The part of the pages that is not on the guest's home node, which is node guest + 1.</summary>
    public double RemoteShare => 1 - ShareOfNode[Guest + 1];
}

/// <summary>What became of the loaded guest, and what it cost.</summary>
public sealed record FlipResult
{
    /// <summary>How the driver domain got its frames.</summary>
    public required PlacementModel Placement { get; init; }

    /// <summary>The remedy.</summary>
    public required FlipRemedy Remedy { get; init; }

    /// <summary>The seed.</summary>
    public required ulong Seed { get; init; }

    /// <summary>How long the run was, in virtual nanoseconds.</summary>
    public required long DurationNanos { get; init; }

    /// <summary>Pages of the loaded guest at the start.</summary>
    public required long GuestFrames { get; init; }

    /// <summary>Packets for it.</summary>
    public required long Packets { get; init; }

    /// <summary>Pages that were flipped to it.</summary>
    public required long Flips { get; init; }

    /// <summary>Packets copied to it.</summary>
    public required long Copies { get; init; }

    /// <summary>Packets that found no frame.</summary>
    public required long Dropped { get; init; }

    /// <summary>The remote part of its pages at the end.</summary>
    public required double RemoteShare { get; init; }

    /// <summary>The largest remote part at any moment.</summary>
    public required double RemoteShareMax { get; init; }

    /// <summary>The remote part of the pages that take part in exchanges (page cache and free) at the end: what new
    /// arrays would get.</summary>
    public required double RemoteShareOfExchanged { get; init; }

    /// <summary>The part of the driver domain's free frames that lies on guests' nodes at the end.</summary>
    public required double DriverRemoteShare { get; init; }

    /// <summary>Speed lost by latency-bound work at the end of the run, as a part; the remedy's own cost in it.</summary>
    public required double LossAtEnd { get; init; }

    /// <summary>The same on average over the run.</summary>
    public required double LossMean { get; init; }

    /// <summary>The part of a processor that the remedy took, on average.</summary>
    public required double RemedyShare { get; init; }

    /// <summary>Processor time for delivery, both domains, in nanoseconds.</summary>
    public required double DeliveryNanos { get; init; }

    /// <summary>Pages brought home.</summary>
    public required long Migrated { get; init; }

    /// <summary>Pages that migration wanted to move and could not.</summary>
    public required long MigrationFailed { get; init; }

    /// <summary>The size of the pool at the end.</summary>
    public required int PoolFrames { get; init; }

    /// <summary>Its largest size: memory that was withheld from the guest.</summary>
    public required int PoolFramesMax { get; init; }

    /// <summary>Frames that had to be allocated because the pool was empty.</summary>
    public required long PoolAllocated { get; init; }

    /// <summary>STREAM before the run and after it.</summary>
    public required IReadOnlyList<StreamResult> Stream { get; init; }

    /// <summary>All guests over time.</summary>
    public required IReadOnlyList<FlipSample> Samples { get; init; }

    /// <summary>Events of virtual time.</summary>
    public required long Events { get; init; }

    /// <summary>False if the run was stopped.</summary>
    public required bool Complete { get; init; }
}
