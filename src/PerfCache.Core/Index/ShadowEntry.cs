// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;

namespace PerfCache.Index;

/// <summary>
/// What an evicted page leaves behind in its slot: when it went, from which list, and whether it had ever been active.
/// </summary>
/// <remarks>
/// <code>
///  31                          3+L-1      3    2   1 0
/// +-----------------------------+----------+----+----+
/// |   eviction age (29 - L)     | list (L) |wset| 10 |
/// +-----------------------------+----------+----+----+
/// </code>
/// The age is a counter of evictions and activations, cut to the bits there are (<see cref="ShadowFormat"/>).
/// Rules that remember more of a page keep a ghost of it, a row of the frame table; their shadow is the row's number.
/// The default value is "no shadow".
/// </remarks>
/// <param name="Packed">The packed word, tag included, as it stands in the slot; 0 for none.</param>
public readonly record struct ShadowEntry(uint Packed)
{
    internal const int WorkingsetShift = SlotEntry.TagWidth;
    internal const int ListShift = WorkingsetShift + 1;

    /// <summary>No shadow.</summary>
    public static ShadowEntry None => default;

    /// <summary>True for <see cref="None"/>.</summary>
    public bool IsNone => Packed == 0;

    /// <summary>
    /// The row of the ghost that stands for the page, or <see cref="FrameId.None"/> for no shadow. Only rules with ghosts
    /// may ask (<see cref="Cache.IReplacementRules.UsesGhosts"/>): their shadows are rows, not ages.
    /// </summary>
    public FrameId Ghost => new(Packed >> SlotEntry.TagWidth);

    /// <summary>The shadow that names a ghost.</summary>
    internal static ShadowEntry ForGhost(FrameId ghost) =>
        new((ghost.Value << SlotEntry.TagWidth) | SlotEntry.ShadowTag);

    /// <summary>True when the page had been active before it was evicted.</summary>
    public bool WasWorkingset => (Packed >> WorkingsetShift & 1) != 0;
}

/// <summary>How the bits of a <see cref="ShadowEntry"/> are shared between list number and eviction age.</summary>
/// <remarks>
/// The age wraps. A distance is therefore taken modulo the width, which is right as long as it is shorter than one
/// turn of the counter. When list numbers leave too few bits to span the frames of the cache, ages are counted in
/// buckets of 2^shift, as the kernel does (mm/workingset.c, bucket_order): distances are then exact to one bucket.
/// </remarks>
public readonly struct ShadowFormat
{
    /// <summary>The most bits that a list number may take.</summary>
    public const int ListBitsMax = 16;

    private readonly int _ageShift;
    private readonly uint _ageMask;
    private readonly uint _listMask;

    /// <summary>Makes the format for a cache.</summary>
    /// <param name="listBits">Bits for the list number: 0 when there is one list.</param>
    /// <param name="frameCount">Frames of the cache: the age must be able to span them.</param>
    public ShadowFormat(int listBits, ulong frameCount)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(listBits);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(listBits, ListBitsMax);
        ListBits = listBits;
        _ageShift = ShadowEntry.ListShift + listBits;
        AgeBits = 32 - _ageShift;
        _ageMask = (uint)((1UL << AgeBits) - 1);
        _listMask = (1u << listBits) - 1;
        int frameBits = 64 - System.Numerics.BitOperations.LeadingZeroCount(Math.Max(1, frameCount) - 1);
        BucketShift = Math.Max(0, frameBits - AgeBits);
    }

    /// <summary>Bits of the list number.</summary>
    public int ListBits { get; }

    /// <summary>Bits of the age.</summary>
    public int AgeBits { get; }

    /// <summary>Ages are counted in units of 2 to this power.</summary>
    public int BucketShift { get; }

    /// <summary>Packs a shadow.</summary>
    public ShadowEntry Pack(ulong age, uint list, bool workingset) => new(
        ((uint)(age >> BucketShift) << _ageShift)
        | ((list & _listMask) << ShadowEntry.ListShift)
        | ((workingset ? 1u : 0u) << ShadowEntry.WorkingsetShift)
        | SlotEntry.ShadowTag);

    /// <summary>What packs many shadows of one list: the same words as <see cref="Pack"/>, computed once where it can be.</summary>
    internal ShadowPacker PackerFor(uint list) => new(
        BucketShift, _ageShift, ((list & _listMask) << ShadowEntry.ListShift) | SlotEntry.ShadowTag);

    /// <summary>The list number of a shadow.</summary>
    public uint List(ShadowEntry shadow) => (shadow.Packed >> ShadowEntry.ListShift) & _listMask;

    /// <summary>As <see cref="List"/>, of any format with so many bits for list numbers.</summary>
    internal static uint ListOf(ShadowEntry shadow, int listBits) =>
        (shadow.Packed >> ShadowEntry.ListShift) & ((1u << listBits) - 1);

    /// <summary>How far the age counter has come since the shadow was packed, in whole buckets.</summary>
    public ulong Distance(ShadowEntry shadow, ulong ageNow) =>
        (ulong)(((uint)(ageNow >> BucketShift) - (shadow.Packed >> _ageShift)) & _ageMask) << BucketShift;
}

/// <summary>Packs the shadows of a batch of frames.</summary>
internal readonly struct ShadowPacker(int bucketShift, int ageShift, uint constant)
{
    private readonly int _bucketShift = bucketShift;
    private readonly int _ageShift = ageShift;
    private readonly uint _constant = constant;

    /// <summary>The shadow of a page that is evicted at an age from a frame in this state.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ShadowEntry Pack(ulong age, FrameState state) => new(
        ((uint)(age >> _bucketShift) << _ageShift)
        | ((uint)(state.Packed >> FrameState.WorkingsetShift & 1) << ShadowEntry.WorkingsetShift)
        | _constant);
}
