// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Pages that come in: put in by the caller, or published by whoever has loaded them.</summary>
/// <remarks>Both begin in a private frame, which nobody else can see, and end with B2 to B4 under the lock.</remarks>
public partial class PageCache<TRules, TProbe>
{
    /// <summary>Puts a page in that is not resident.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="bytes">At most a page; the rest of the page becomes zero.</param>
    /// <returns>False when the page is resident or is being loaded: then nothing has changed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page, or the bytes are too many.</exception>
    /// <exception cref="InvalidOperationException">Every frame is held.</exception>
    /// <exception cref="NativeMemoryException">The index cannot grow within the bound.</exception>
    public bool TryAdd(ObjectId owner, ulong page, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > PageBytes) ThrowNotInPage(0, bytes.Length);
        return TryAdd(owner, page, new BytesFiller(bytes));
    }

    /// <summary>Puts a page in that is not resident, its bytes made in place.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="filler">Called once if the page comes in, under the cache's lock.</param>
    /// <returns>False when the page is resident or is being loaded: then nothing has changed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page.</exception>
    /// <exception cref="InvalidOperationException">Every frame is held.</exception>
    /// <exception cref="NativeMemoryException">The index cannot grow within the bound.</exception>
    public bool TryAdd<TFiller>(ObjectId owner, ulong page, TFiller filler)
        where TFiller : struct, IPageFiller, allows ref struct
    {
        PageKey key = new(owner, page);
        FrameId frame = FrameId.None; // The caller's own as long as it is set.
        bool added = false;
        Enter();
        // One handler, and what usually runs outside of it: a finally block would cost a call or two.
        try
        {
            uint address = 0;
            if (_disposed || !_index.TryFindSlot(owner, page, out address)) ThrowNoPage(owner, page);
            DrainActivations();
            if (!IsKnown(key, address))
            {
                _tier?.Forget(key);
                uint leavesRemoved = _index.LeavesRemoved;
                bool leftLock = false;
                frame = TakeFrameAtOnce();
                if (frame.IsNone)
                {
                    // A variable of its own: one whose address is given away cannot stay in a register.
                    frame = AllocateFrame(key, out bool hasLeft);
                    leftLock = hasLeft;
                }

                if (leftLock) CheckPage(owner, page);
                if (!leftLock || !IsKnown(key))
                {
                    filler.Fill(BytesOf(frame)); // B1
                    FrameId filled = frame;
                    frame = FrameId.None;
                    // The slot looked up before is still the page's, unless reclaim removed leaves meanwhile.
                    if (address >= IndexBlocks.SlotCount && leavesRemoved == _index.LeavesRemoved)
                        Publish(filled, key, address, pins: 0, countsAsAccess: true);
                    else
                        PublishOrFree(filled, key, pins: 0, countsAsAccess: true);
                    added = true;
                }
                else
                {
                    FreePrivate(frame);
                }
            }
        }
        catch
        {
            if (!frame.IsNone) FreePrivate(frame);
            Exit();
            throw;
        }

        Exit();
        return added;
    }

    /// <summary>Copies bytes into a page and zeroes the rest.</summary>
    private readonly ref struct BytesFiller(ReadOnlySpan<byte> bytes) : IPageFiller
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;

        public void Fill(Span<byte> page)
        {
            _bytes.CopyTo(page);
            if (_bytes.Length < page.Length) page[_bytes.Length..].Clear();
        }
    }

    /// <summary>Under the lock: B2 to B4, and the rule's part. Frees the frame if the index cannot grow.</summary>
    private void PublishOrFree(
        FrameId frame, PageKey key, int pins, bool countsAsAccess, ReadaheadMark mark = default)
    {
        uint address;
        try
        {
            address = _index.FindSlot(key.ObjectId, key.Page);
            if (address < IndexBlocks.SlotCount) address = AddLeaf(key);
        }
        catch
        {
            FreePrivate(frame);
            throw;
        }

        Publish(frame, key, address, pins, countsAsAccess, mark);
    }

    private void Publish(
        FrameId frame, PageKey key, uint address, int pins, bool countsAsAccess, ReadaheadMark mark = default)
    {
        if (_readsAhead) SetMark(frame, mark);
        ref FrameHead head = ref _heads[frame.Value];
        head.Key = key; // B2
        head.Referenced = 0;
        if (pins > 0) Interlocked.Add(ref head.Word, (ulong)pins * FrameState.OnePin);
        // B3. The frame's own flags were cleared at its eviction; late readers may be changing the pins.
        Volatile.Write(ref head.Flags, (byte)FrameState.FlagByte(FrameState.Live | FrameState.Uptodate));
        TProbe.At(CacheStep.Published);
        ShadowEntry shadow = _index.Install(address, frame); // B4
        Partition partition = _main;
        NodeShare? share = _onlyShare;
        if (share is null)
        {
            partition = PartitionOf(key.ObjectId);
            share = ShareOf(frame);
        }

        share.Space.EndPrivate();
        _insertions++;
        if (!shadow.IsNone)
        {
            partition.Refaults++;
            if (TRules.UsesGhosts) _space.Orphan(shadow);
        }

        HandIn(partition, share, frame, shadow, countsAsAccess);
    }

    private void FreePrivate(FrameId frame) => ShareOf(frame).Space.FreePrivate(frame);
}
