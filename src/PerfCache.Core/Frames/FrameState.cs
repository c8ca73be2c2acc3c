// SPDX-License-Identifier: MIT
namespace PerfCache.Frames;

/// <summary>The packed state of a frame: everything that a hit or an eviction decides by, in one word.</summary>
/// <remarks>
/// <code>
///  63     48 47                  16  15   14   13   12   11   10    9    8   7        0
/// +---------+----------------------+----+----+----+----+----+----+----+----+-----------+
/// | pins 16 |      version 32      |live|lock|lent|wrbk|upto|drty|wset|actv|referenced |
/// +---------+----------------------+----+----+----+----+----+----+----+----+-----------+
/// </code>
/// Zero is a free frame that was never used: not live. The referenced mark has a byte of its own, so that marking is a
/// plain byte store and rules that count may count in it. Pins are on top, so that an overflow leaves the word instead
/// of reaching the flags. The version changes whenever the frame changes its page, and with each writer of its bytes.
/// </remarks>
/// <param name="Packed">The packed word.</param>
public readonly record struct FrameState(ulong Packed)
{
    private const int ReferencedWidth = 8;
    private const int ActiveShift = ReferencedWidth;
    internal const int WorkingsetShift = ActiveShift + 1;
    private const int DirtyShift = WorkingsetShift + 1;
    private const int UptodateShift = DirtyShift + 1;
    private const int WritebackShift = UptodateShift + 1;
    private const int LentShift = WritebackShift + 1;
    private const int LockedShift = LentShift + 1;
    private const int LiveShift = LockedShift + 1;
    private const int VersionShift = LiveShift + 1;
    private const int VersionWidth = 32;
    private const int PinsShift = VersionShift + VersionWidth;

    /// <summary>The bits of the referenced byte.</summary>
    public const ulong ReferencedMask = (1UL << ReferencedWidth) - 1;

    /// <summary>The frame is on the active list, or on its way there.</summary>
    public const ulong Active = 1UL << ActiveShift;

    /// <summary>The page has been active at some time since it came in.</summary>
    public const ulong Workingset = 1UL << WorkingsetShift;

    /// <summary>The page data is newer than its source.</summary>
    public const ulong Dirty = 1UL << DirtyShift;

    /// <summary>The page data has been read.</summary>
    public const ulong Uptodate = 1UL << UptodateShift;

    /// <summary>The page data is being written to its source.</summary>
    public const ulong Writeback = 1UL << WritebackShift;

    /// <summary>The frame holds a page that belongs to another domain.</summary>
    public const ulong Lent = 1UL << LentShift;

    /// <summary>One thread has the frame for itself.</summary>
    public const ulong Locked = 1UL << LockedShift;

    /// <summary>The frame holds a page.</summary>
    public const ulong Live = 1UL << LiveShift;

    /// <summary>All flags and the referenced byte: what an eviction clears.</summary>
    public const ulong FlagsMask = (1UL << VersionShift) - 1;

    /// <summary>The bits of the version.</summary>
    public const ulong VersionMask = ((1UL << VersionWidth) - 1) << VersionShift;

    /// <summary>One pin.</summary>
    internal const ulong OnePin = 1UL << PinsShift;

    /// <summary>The bits of the pins.</summary>
    internal const ulong PinsMask = ~(OnePin - 1);

    /// <summary>Flags that keep a frame where it is, as pins do.</summary>
    internal const ulong HoldMask = Dirty | Writeback | Locked;

    /// <summary>The flags of a word as they lie in its second byte.</summary>
    internal static uint FlagByte(ulong flags) => (byte)(flags >> ActiveShift);

    /// <summary>The referenced byte: 0 for not referenced.</summary>
    public byte Referenced => (byte)Packed;

    /// <summary>True when the frame is active.</summary>
    public bool IsActive => (Packed & Active) != 0;

    /// <summary>True when the frame holds a page.</summary>
    public bool IsLive => (Packed & Live) != 0;

    /// <summary>The version of the frame's contents.</summary>
    public uint Version => (uint)(Packed >> VersionShift);

    /// <summary>The number of leases that hold the frame in place.</summary>
    public ushort Pins => (ushort)(Packed >> PinsShift);

    /// <summary>True when all bits of <paramref name="flags"/> are set.</summary>
    public bool Has(ulong flags) => (Packed & flags) == flags;

    /// <summary>This state with the bits of <paramref name="flags"/> set.</summary>
    public FrameState With(ulong flags) => new(Packed | flags);

    /// <summary>This state with the bits of <paramref name="flags"/> cleared.</summary>
    public FrameState Without(ulong flags) => new(Packed & ~flags);

    /// <summary>True when any bit of <paramref name="flags"/> is set.</summary>
    public bool HasAny(ulong flags) => (Packed & flags) != 0;

    /// <summary>This state with the next version: the bytes have changed.</summary>
    internal FrameState NextVersion() => new(
        (Packed & ~VersionMask) | ((Packed + (1UL << VersionShift)) & VersionMask));

    /// <summary>The state after an eviction: no flags, the next version, the same pins.</summary>
    /// <remarks>The version wraps inside its field: the carry must never reach the pins.</remarks>
    public FrameState Freed() => new(
        (Packed & ~(FlagsMask | VersionMask)) | ((Packed + (1UL << VersionShift)) & VersionMask));

    /// <inheritdoc/>
    public override string ToString() =>
        $"{(IsLive ? "live" : "free")} v{Version} pins={Pins} referenced={Referenced}"
        + (IsActive ? " active" : "") + (Has(Workingset) ? " workingset" : "") + (Has(Dirty) ? " dirty" : "")
        + (Has(Uptodate) ? " uptodate" : "") + (Has(Writeback) ? " writeback" : "") + (Has(Lent) ? " lent" : "")
        + (Has(Locked) ? " locked" : "");
}
