// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>
/// What a usual hit reads of one object, as addresses: for the C interface, whose callers go through L1 to L4 by
/// themselves. Good until the cache is disposed; the object may go before, then its directory is empty.
/// </summary>
/// <param name="Leaves">The object's directory: blocks by leaf.</param>
/// <param name="LeafCount">How many of them may be read; may only grow.</param>
/// <param name="Slots">All slots, by address.</param>
/// <param name="Heads">The frames' keys and state words.</param>
/// <param name="PageBase">Where the page of frame 0 would be.</param>
/// <param name="Mask">The bits of a state word that decide.</param>
/// <param name="Usual">What they are in a usual hit; beyond the mask where there is none, so that no word has it.</param>
internal readonly unsafe record struct HitView(
    nint Leaves, ulong LeafCount, nint Slots, nint Heads, nint PageBase, ulong Mask, ulong Usual);

/// <summary>Hits by addresses.</summary>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>Describes how a usual hit in an object is made; see <see cref="TryPinUsual"/>, its twin.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <remarks>
    /// Where hits are counted, and for rules that want to be asked at each hit, no state is usual, and every hit takes
    /// the other path. So does every hit in a sparse object, whose directory is empty.
    /// </remarks>
    internal HitView DescribeHits(ObjectId owner)
    {
        using (_lock.EnterScope())
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            NativeArray<uint> leaves = _index.LeavesOf(owner, out ulong leafCount);
            return new HitView(
                (nint)leaves.Address, leafCount, (nint)_index.Slots.Address, (nint)_heads.Address, (nint)_pageBase,
                LiveAndLocked | PinsFull | TRules.SettledMask,
                TRules.SettledMask == 0 || _options.CountHits ? ulong.MaxValue : UsualHit);
        }
    }
}
