// SPDX-License-Identifier: MIT
namespace PerfCache.Flip;

/// <summary>What a <see cref="FlipRing{TThreads}"/> is made for.</summary>
public sealed record FlipRingOptions
{
    /// <summary>Slots unless told otherwise: what Xen's network ring holds.</summary>
    public const int DefaultSlotCount = 256;

    /// <summary>The domain that publishes full pages and gets free frames back: not 0.</summary>
    public required ushort Producer { get; init; }

    /// <summary>The domain that takes full pages and leaves free frames: not 0, and another one.</summary>
    public required ushort Consumer { get; init; }

    /// <summary>Slots: a power of two from 2 to 32,768.</summary>
    public int SlotCount { get; init; } = DefaultSlotCount;

    /// <summary>The longest page in bytes.</summary>
    public int PageBytes { get; init; } = 4096;

    /// <summary>What the waiting verbs do while there is nothing to do, and whether a consumer keeps off the producer's
    /// heels.</summary>
    public RingWait Wait { get; init; } = RingWait.Adaptive;

    /// <summary>
    /// Where it is written which domain owns a frame, or null. With a ledger the ring refuses frames that their giver does
    /// not own, at the price of a locked operation for each change of hands.
    /// </summary>
    public FrameLedger? Ledger { get; init; }

    internal ulong StartPosition { get; init; }
}
