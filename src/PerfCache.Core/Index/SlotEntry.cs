// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Index;

/// <summary>What a slot of the index holds: nothing, a frame, or a shadow.</summary>
/// <remarks>
/// <code>
///  31                                     2 1 0
/// +----------------------------------------+---+
/// |  frame id or shadow bits               |tag|   tag: 0 empty, 1 frame, 2 shadow
/// +----------------------------------------+---+
/// </code>
/// An empty slot is all zero, so a zeroed block is an empty block.
/// </remarks>
/// <param name="Packed">The packed word.</param>
internal readonly record struct SlotEntry(uint Packed)
{
    internal const int TagWidth = 2;
    internal const uint TagMask = (1u << TagWidth) - 1;
    internal const uint FrameTag = 1;
    internal const uint ShadowTag = 2;

    private const int HeadBytesPerUnit = FrameHead.Bytes >> TagWidth;

    internal bool IsEmpty => Packed == 0;

    /// <summary>One bit says it: tags are 0, 1 and 2.</summary>
    internal bool IsFrame
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (Packed & FrameTag) != 0;
    }

    /// <summary>True for a frame or a shadow, with all bits of the tag: for checks. The other questions look at as many as
    /// they need.</summary>
    internal bool HasTag => (Packed & TagMask) is FrameTag or ShadowTag;

    internal bool IsShadow => (Packed & TagMask) == ShadowTag;

    /// <summary>The frame, of an entry that holds one.</summary>
    internal FrameId Frame => new(Packed >> TagWidth);

    /// <summary>The head of the frame, of an entry that holds one.</summary>
    /// <remarks>A head is four times as long as an entry counts frames by, so the entry is its place, less the tag: the
    /// processor adds that up in the load, where a frame's id would have to be shifted out of the entry and back.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref FrameHead HeadIn(NativeArray<FrameHead> heads) =>
        ref heads.AtByte((Packed * (ulong)HeadBytesPerUnit) - (FrameTag * HeadBytesPerUnit));

    /// <summary>The frame's row, or 0 for a leaf's entry that holds none; without a branch, for hints.</summary>
    internal uint FrameOrNone
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (Packed >> TagWidth) & (0u - (Packed & FrameTag));
    }

    /// <summary>For rules with ghosts: the row of a leaf's entry, the frame's or the ghost's, or 0.</summary>
    internal uint Row => Packed >> TagWidth;

    /// <summary>The shadow, of an entry that is empty or holds one.</summary>
    internal ShadowEntry Shadow => new(Packed);

    internal static SlotEntry ForFrame(FrameId frame) => new((frame.Value << TagWidth) | FrameTag);
}
