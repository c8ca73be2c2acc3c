// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Several look-ups in one call, whose waits for memory overlap.</summary>
/// <remarks>
/// A hit on a cold page waits for memory at the slot, at the head and at the data, each after the one before. A batch
/// waits for the slots of all its pages at once, then for all heads (and data), and then does what single look-ups do:
/// <code>
/// 1 slot address of each page, hint      2 slots: frame of each, hint to its head and data      3 pin or check each
/// </code>
/// A frame found in step 2 is as much a hint as ever: step 3 believes the head only.
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>Look-ups whose waits overlap: more than a core has misses under way, so more would gain nothing.</summary>
    private const int LookupGroup = 32;

    /// <summary>Pages as leases, as far as they are resident; loads nothing.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="pages">The pages' numbers in it, in any order; one that is named twice gets two leases.</param>
    /// <param name="leases">Receives a lease for each page, or the empty lease where it is not resident. Dispose
    /// them.</param>
    /// <param name="firstByte">The place in each page that the caller will read first, so that it is on its way already;
    /// or -1.</param>
    /// <returns>How many pages are resident.</returns>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page; no lease is out.</exception>
    /// <exception cref="TimeoutException">A writer has kept a page for itself for too long; no lease is out.</exception>
    public int TryGetMany(ObjectId owner, ReadOnlySpan<ulong> pages, Span<PageLease> leases, int firstByte = -1)
    {
        CheckLengths(pages.Length, leases.Length);
        if (firstByte >= PageBytes) ThrowNotInPage(firstByte, 1);
        int found = TryPinMany(owner, pages, leases, firstByte);
        return found == pages.Length ? found : found + TryGetManySlow(owner, pages, leases);
    }

    /// <summary>Looks pages up as <see cref="Touch"/> does one.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="pages">The pages' numbers in it.</param>
    /// <param name="found">Receives which of them are resident.</param>
    /// <returns>How many pages are resident.</returns>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page.</exception>
    public int TouchMany(ObjectId owner, ReadOnlySpan<ulong> pages, Span<bool> found)
    {
        CheckLengths(pages.Length, found.Length);
        uint* frames = stackalloc uint[LookupGroup];
        int count = 0;
        for (int start = 0; start < pages.Length; start += LookupGroup)
        {
            ReadOnlySpan<ulong> group = pages.Slice(start, Math.Min(LookupGroup, pages.Length - start));
            FindFrames(owner, group, frames, -1);
            for (int i = 0; i < group.Length; i++)
            {
                uint frame = frames[i];
                ref FrameHead head = ref _heads[frame];
                ulong word = Volatile.Read(ref head.Word); // C2
                bool hit = frame != 0 && (word & LiveAndLocked) == FrameState.Live
                    && head.Key == new PageKey(owner, group[i]); // C3
                if (hit) NoteHit(new FrameId(frame), ref head, word);
                else hit = TouchSlow(owner, group[i]);
                found[start + i] = hit;
                if (hit) count++;
            }
        }

        return count;
    }

    /// <summary>Without the lock: pins those pages that are found.</summary>
    private int TryPinMany(ObjectId owner, ReadOnlySpan<ulong> pages, Span<PageLease> leases, int firstByte)
    {
        uint* frames = stackalloc uint[LookupGroup];
        int count = 0;
        for (int start = 0; start < pages.Length; start += LookupGroup)
        {
            ReadOnlySpan<ulong> group = pages.Slice(start, Math.Min(LookupGroup, pages.Length - start));
            FindFrames(owner, group, frames, firstByte);
            TProbe.At(CacheStep.Found);
            for (int i = 0; i < group.Length; i++)
            {
                FrameId frame = new(frames[i]);
                if (TryPin(frame, new PageKey(owner, group[i])))
                {
                    leases[start + i] = Lease(frame);
                    count++;
                }
                else
                {
                    leases[start + i] = default;
                }
            }
        }

        return count;
    }

    /// <summary>Steps 1 and 2: the frames that the pages' slots name, or 0, with what comes next on its way.</summary>
    private void FindFrames(ObjectId owner, ReadOnlySpan<ulong> pages, uint* frames, int firstByte)
    {
        NativeArray<uint> slots = _index.Slots;
        IndexView view = _index.ViewShared(owner);
        for (int i = 0; i < pages.Length; i++)
        {
            ulong page = pages[i];
            uint address = view.Spans(page) ? view.FindSlotSpanned(page) : _index.FindSlotShared(owner, page);
            frames[i] = address;
            slots.Prefetch(address);
        }

        NativeArray<FrameHead> heads = _heads;
        for (int i = 0; i < pages.Length; i++)
        {
            uint frame = new SlotEntry(slots[frames[i]]).FrameOrNone; // L1, C1
            frames[i] = frame;
            heads.Prefetch(frame);
            if (firstByte >= 0 && Sse.IsSupported) Sse.Prefetch0(_memory.Address(new FrameId(frame)) + firstByte);
        }
    }

    /// <summary>L2 to L4 for a frame that a slot named, or 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryPin(FrameId frame, PageKey key)
    {
        if (frame.IsNone) return false;
        ref FrameHead head = ref _heads[frame.Value];
        ulong word = Interlocked.Add(ref head.Word, FrameState.OnePin); // L2
        TProbe.At(CacheStep.Pinned);
        if (((word & (LiveAndLocked | PinsFull)) == FrameState.Live && head.Key == key) // L3, L4
            || TProbe.Omits(CacheCheck.AfterPin))
        {
            NoteHit(frame, ref head, word);
            return true;
        }

        Interlocked.Add(ref head.Word, FrameState.PinsMask);
        return false;
    }

    /// <summary>Looks again, under the lock, for the pages that have no lease yet.</summary>
    /// <returns>How many more were found.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int TryGetManySlow(ObjectId owner, ReadOnlySpan<ulong> pages, Span<PageLease> leases)
    {
        int found = 0;
        try
        {
            for (int i = 0; i < pages.Length; i++)
            {
                if (!leases[i].IsEmpty) continue;
                leases[i] = TryGetSlow(owner, pages[i]);
                if (!leases[i].IsEmpty) found++;
            }
        }
        catch
        {
            DisposeAll(leases);
            throw;
        }

        return found;
    }

    private static void DisposeAll(Span<PageLease> leases)
    {
        foreach (ref PageLease lease in leases)
        {
            lease.Dispose();
            lease = default;
        }
    }

    private static void CheckLengths(int pages, int results)
    {
        if (pages == results) return;
        throw new ArgumentException($"{pages} pages need {pages} places for what is found, not {results}");
    }
}
