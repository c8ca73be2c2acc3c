// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>
/// Frames come to the shard and go: grown out of the store's supply, retired for metadata, withdrawn by the owner. Each
/// step moves the frame's bytes between use, budget and limit (F4).
/// </summary>
internal sealed partial class ShardFrames
{
    /// <summary>How often growing is not tried again after the system, or the meter, has refused memory.</summary>
    private const int GrowthRestsAfterRefusal = 64;

    private const uint RunFrames = 32;
    private const uint WasRetired = 1;

    /// <summary>
    /// Makes room for <paramref name="bytes"/> of metadata out of free frames, if it is room that is wanting and
    /// there are enough of them.
    /// </summary>
    internal bool TryRetireFor(long bytes)
    {
        if (_budget.FreeBytes >= bytes) return false;
        if (_budget.FreeBytes + (FreeCount * _all.BytesPerFrame) < bytes) return false;
        while (_budget.FreeBytes < bytes)
        {
            _one[0] = new FrameId(_firstOfList[ItemFrames.Free]);
            if (_one[0].IsNone || _all.Pages.Discard(_one) == 0) return false;
            TakeOut(_one[0].Value, ItemFrames.Retired);
            Link(_one[0].Value, ItemFrames.Retired);
            RetiredCount++;
        }

        return true;
    }

    /// <summary>
    /// Takes a frame in which there is nothing out of the store, and its bytes off the limit. The bytes of a retired
    /// frame are metadata already and stay so.
    /// </summary>
    internal void Withdraw(uint frame)
    {
        WithdrawnCount++;
        if (_rows[frame].Class == ItemFrames.Retired)
        {
            Unlink(frame, ItemFrames.Retired);
            RetiredCount--;
            _rows[frame] = new ItemFrame { Class = ItemFrames.Withdrawn, Shard = _shard, Row = WasRetired };
            return;
        }

        TakeOut(frame, ItemFrames.Withdrawn);
        _budget.Move(-_all.BytesPerFrame);
    }

    /// <summary>Puts a withdrawn frame back to use.</summary>
    internal bool TryReturn(uint frame)
    {
        if (_rows[frame].Class != ItemFrames.Withdrawn) return false;
        bool wasRetired = _rows[frame].Row == WasRetired;
        byte use = wasRetired ? ItemFrames.Retired : ItemFrames.Free;
        _rows[frame] = new ItemFrame { Class = use, Shard = _shard };
        Link(frame, use);
        WithdrawnCount--;
        if (wasRetired)
        {
            RetiredCount++;
            return true;
        }

        FreeCount++;
        _budget.Move(_all.BytesPerFrame);
        bool paid = _budget.TrySpend(_all.BytesPerFrame);
        Invariant.Assert(paid, nameof(ShardFrames), "F4: bytes of a returned frame to be free", frame);
        return true;
    }

    private bool TryGrow()
    {
        if (RetiredCount > 0 && TryRevive()) return true;
        if (_supplyIsEmpty || _growthRests-- > 0) return false;
        uint wanted = (uint)Math.Min(RunFrames, _budget.FreeBytes / _all.BytesPerFrame);
        if (wanted == 0) return false;
        uint got = _all.TakeRun(_shard, wanted, out uint first);
        _supplyIsEmpty = _all.IsUsedUp;
        // A refusal is an exception on its way here, and the next one would mostly be another.
        _growthRests = got == 0 ? GrowthRestsAfterRefusal : 0;
        if (got == 0) return false;
        _budget.TrySpend(got * _all.BytesPerFrame);
        // Last first, so that the neighbours are handed out in their order.
        for (uint frame = first + got - 1; frame >= first; frame--)
        {
            _rows[frame].Class = ItemFrames.Free;
            Link(frame, ItemFrames.Free);
        }

        FreeCount += got;
        return true;
    }

    private bool TryRevive()
    {
        uint frame = _firstOfList[ItemFrames.Retired];
        if (_budget.FreeBytes < _all.BytesPerFrame) return false;
        _one[0] = new FrameId(frame);
        try
        {
            _all.Pages.Restore(_one);
        }
        catch (NativeMemoryException)
        {
            return false;
        }

        _budget.TrySpend(_all.BytesPerFrame);
        Unlink(frame, ItemFrames.Retired);
        RetiredCount--;
        _rows[frame].Class = ItemFrames.Free;
        Link(frame, ItemFrames.Free);
        FreeCount++;
        return true;
    }

    private void TakeOut(uint frame, byte use)
    {
        Invariant.Assert(_rows[frame].Class == ItemFrames.Free, nameof(ShardFrames), "F1: a free frame", frame);
        Unlink(frame, ItemFrames.Free);
        FreeCount--;
        _rows[frame].Class = use;
        _budget.Refund(_all.BytesPerFrame);
    }
}
