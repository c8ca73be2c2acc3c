// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Flip;

/// <summary>
/// Who owns each frame: one word a frame, so a frame has one owner at any moment, and every change of hands names the
/// owner it takes the frame from.
/// </summary>
/// <remarks>
/// <code>
/// 31          16 15           0
/// +-------------+-------------+
/// |  ring (16)  | domain (16) |    domain 0: nobody's    ring 0: in the domain's own hands, else in that ring
/// +-------------+-------------+
/// </code>
/// A frame in a ring still belongs to the domain that put it there: a full page that nobody took is its producer's, a
/// free frame that nobody collected is its consumer's gift, and goes to the producer when it is collected.
/// <para>L1: each change is one compare-exchange from the word that must be there; where another is found, nothing
/// changes and the caller is told what is.</para>
/// Thread-safe. It knows no memory and no nodes: it is bookkeeping that the flip rings keep when they are given one.
/// </remarks>
public sealed class FrameLedger : IDisposable
{
    /// <summary>Native bytes a frame.</summary>
    public const int BytesPerFrame = sizeof(uint);

    private const int RingShift = 16;

    private readonly NativeColumn<uint> _column;
    private readonly NativeArray<uint> _owner;
    private int _ringCount;
    private bool _disposed;

    /// <summary>Makes a ledger in which nobody owns anything.</summary>
    /// <param name="frameMax">The frames it is for: 1 to this number.</param>
    /// <param name="meter">The meter to charge: 4 bytes a frame.</param>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public FrameLedger(uint frameMax, MemoryMeter meter)
    {
        ArgumentOutOfRangeException.ThrowIfZero(frameMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frameMax, FrameId.CountMax);
        FrameMax = frameMax;
        _column = NativeColumn<uint>.Whole("frame ledger", (long)frameMax + 1, meter);
        _owner = _column.View;
    }

    /// <summary>The frames it is for: 1 to this number.</summary>
    public uint FrameMax { get; }

    /// <summary>Gives a frame that is nobody's to a domain.</summary>
    /// <exception cref="ArgumentException">It is somebody's already, or there is no such frame or domain.</exception>
    public void Give(FrameId frame, ushort domain)
    {
        ArgumentOutOfRangeException.ThrowIfZero(domain);
        CheckFrame(frame);
        if (!TryChange(frame, 0, domain))
            throw new ArgumentException($"{frame} cannot be given to domain {domain}: it {Describe(frame)}", nameof(frame));
    }

    /// <summary>Takes a frame out of a domain's own hands: it is nobody's then.</summary>
    /// <exception cref="ArgumentException">The domain has not got it in its hands.</exception>
    public void TakeAway(FrameId frame, ushort domain)
    {
        CheckFrame(frame);
        if (domain == 0 || !TryChange(frame, domain, 0))
            throw new ArgumentException($"{frame} cannot be taken from domain {domain}: it {Describe(frame)}", nameof(frame));
    }

    /// <summary>The domain that owns a frame, whether in its hands or in a ring; 0 when it is nobody's.</summary>
    public ushort OwnerOf(FrameId frame)
    {
        CheckFrame(frame);
        return (ushort)Volatile.Read(ref _owner[frame.Value]);
    }

    /// <summary>True when a frame is in a ring, on its way in either direction.</summary>
    public bool IsInRing(FrameId frame)
    {
        CheckFrame(frame);
        return Volatile.Read(ref _owner[frame.Value]) >> RingShift != 0;
    }

    /// <summary>Frames in a domain's own hands. O(frames): for tests and reports.</summary>
    public uint CountInHands(ushort domain) => Count(domain);

    /// <summary>Frames that are nobody's. O(frames).</summary>
    public uint CountUnowned() => Count(0);

    /// <summary>Frames that are in some ring. O(frames).</summary>
    public uint CountInRings()
    {
        uint count = 0;
        for (uint frame = 1; frame <= FrameMax; frame++)
            if (IsInRing(new FrameId(frame))) count++;
        return count;
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        _disposed = true;
        _column.Dispose();
    }

    /// <summary>A number for a ring that will move frames.</summary>
    internal ushort AddRing()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int ring = Interlocked.Increment(ref _ringCount);
        if (ring > ushort.MaxValue) throw new InvalidOperationException($"a ledger is for {ushort.MaxValue} rings");
        return (ushort)ring;
    }

    /// <summary>From a domain's hands into a ring.</summary>
    internal bool TryEnter(FrameId frame, ushort domain, ushort ring) =>
        frame.Value <= FrameMax && TryChange(frame, domain, InRing(domain, ring));

    /// <summary>Back from the ring into the same hands: it did not go after all.</summary>
    internal void Undo(FrameId frame, ushort domain, ushort ring) => Leave(frame, domain, ring, domain);

    /// <summary>Out of a ring into a domain's hands.</summary>
    /// <exception cref="InvariantException">The frame was not in that ring: somebody else moved it.</exception>
    internal void Leave(FrameId frame, ushort from, ushort ring, ushort to)
    {
        if (frame.Value <= FrameMax && TryChange(frame, InRing(from, ring), to)) return;
        // The text is built only on failure: every flip comes by here.
        Invariant.Check(
            false, nameof(FrameLedger), $"L1: a frame of domain {from} in ring {ring} to leave it", frame.Value);
    }

    /// <summary>True when a frame is in a ring and from that domain.</summary>
    internal bool IsIn(FrameId frame, ushort from, ushort ring) =>
        frame.Value <= FrameMax && Volatile.Read(ref _owner[frame.Value]) == InRing(from, ring);

    /// <summary>Frames in one ring. O(frames).</summary>
    internal uint CountIn(ushort ring)
    {
        uint count = 0;
        for (uint frame = 1; frame <= FrameMax; frame++)
            if (_owner[frame] >> RingShift == ring) count++;
        return count;
    }

    /// <summary>Where a frame is, to follow "it" in a message.</summary>
    internal string Describe(FrameId frame)
    {
        if (frame.IsNone || frame.Value > FrameMax) return $"is none of the {FrameMax} frames of the ledger";
        uint word = Volatile.Read(ref _owner[frame.Value]);
        if (word == 0) return "is nobody's";
        return word >> RingShift == 0
            ? $"is owned by domain {(ushort)word}"
            : $"is domain {(ushort)word}'s and in ring {word >> RingShift}";
    }

    private static uint InRing(ushort domain, ushort ring) => ((uint)ring << RingShift) | domain;

    private bool TryChange(FrameId frame, uint from, uint to) =>
        Interlocked.CompareExchange(ref _owner[frame.Value], to, from) == from;

    private uint Count(uint word)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        uint count = 0;
        for (uint frame = 1; frame <= FrameMax; frame++)
            if (_owner[frame] == word) count++;
        return count;
    }

    private void CheckFrame(FrameId frame)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (frame.IsNone || frame.Value > FrameMax)
            throw new ArgumentException($"{frame} is none of the {FrameMax} frames of the ledger", nameof(frame));
    }
}
