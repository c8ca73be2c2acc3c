// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Many accesses in one call, with the memory of the next ones on its way while the current are served.</summary>
/// <remarks>
/// A hit on a cold page waits for memory three times in a row: directory, slot, head. Requests that are known in
/// advance need not wait one after another: while group g is served, the heads of group g + 1 and the slots of group
/// g + 2 are asked for. A hint may be stale when its request is served (the page may have been evicted in between),
/// which costs a wasted hint and nothing else: the access itself reads the slot again.
/// </remarks>
public sealed partial class MetadataCache<TRules, TMode>
{
    /// <summary>Requests of one group.</summary>
    private const int GroupSize = 32;

    /// <summary>Addresses are kept for three groups; four make the remainder a mask.</summary>
    private const int RingMask = (4 * GroupSize) - 1;

    /// <summary>The size of a second-level cache, roughly; the exact value matters little.</summary>
    private const long CoreCacheBytes = 1 << 20;

    /// <summary>The frames that the last hints named: rows of the table, whatever has become of them.</summary>
    private readonly uint[] _hintedFrames = TRules.Kind == RuleKind.List ? new uint[GroupSize] : [];

    /// <summary>Reads pages in order, all through one reader.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="pages">The pages' numbers in it.</param>
    /// <param name="reader">The reader that reads.</param>
    /// <param name="outcomes">Receives what each access found, or is empty.</param>
    /// <param name="lookAhead">False to serve each request as if the next were not known.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page; the requests before are done.</exception>
    /// <exception cref="InvalidOperationException">Every frame is held and none can be reclaimed.</exception>
    public void AccessMany(
        ObjectId owner, ReadOnlySpan<uint> pages, ref PageReader reader, Span<AccessOutcome> outcomes = default,
        bool lookAhead = true)
    {
        if (!outcomes.IsEmpty) ArgumentOutOfRangeException.ThrowIfNotEqual(outcomes.Length, pages.Length);
        if (pages.IsEmpty) return;
        using Lock.Scope scope = Enter();
        if (!_index.IsPage(owner, 0)) ThrowNoPage(owner, 0);
        ServeAll(owner, pages, ref reader, outcomes, lookAhead);
        if (TMode.Counts) _requests += pages.Length;
    }

    /// <summary>Reads pages in order, each through the reader that its file number names.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="pages">The pages' numbers in it.</param>
    /// <param name="files">An index into <paramref name="readers"/> for each page.</param>
    /// <param name="readers">The readers.</param>
    /// <param name="outcomes">Receives what each access found, or is empty.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page; the requests before are done.</exception>
    /// <exception cref="InvalidOperationException">Every frame is held and none can be reclaimed.</exception>
    public void AccessMany(
        ObjectId owner, ReadOnlySpan<uint> pages, ReadOnlySpan<int> files, Span<PageReader> readers,
        Span<AccessOutcome> outcomes = default)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(files.Length, pages.Length);
        if (!outcomes.IsEmpty) ArgumentOutOfRangeException.ThrowIfNotEqual(outcomes.Length, pages.Length);
        if (pages.IsEmpty) return;
        using Lock.Scope scope = Enter();
        if (!_index.IsPage(owner, 0)) ThrowNoPage(owner, 0);
        for (int i = 0; i < pages.Length; i++)
        {
            bool repeats = Repeats(ref readers[files[i]], new PageKey(owner, pages[i]));
            AccessOutcome outcome = AccessCore(owner, pages[i], repeats);
            if (!outcomes.IsEmpty) outcomes[i] = outcome;
        }

        if (TMode.Counts) _requests += pages.Length;
    }

    private void ServeAll(
        ObjectId owner, ReadOnlySpan<uint> pages, ref PageReader reader, Span<AccessOutcome> outcomes, bool lookAhead)
    {
        // All hits (0); the loops write down misses only.
        outcomes.Clear();
        ulong last = reader.LastPageOf(owner);
        last = lookAhead && HintsPay
            ? ServeAhead(owner, pages, last, outcomes) : Serve(owner, pages, last, outcomes);
        reader.Remember(new PageKey(owner, last));
    }

    /// <summary>Group by group: find the slots of one and ask for the frames of another, serve a third.</summary>
    /// <returns>The last page.</returns>
    /// <remarks>
    /// The ring holds the slot addresses of three groups, so each page is looked up once. An address stays good until a
    /// leaf is freed (<see cref="PageIndex.LeavesRemoved"/>); then those in it are forgotten. One that
    /// says "no such leaf" may be outdated too: its request takes the slow path, which looks properly.
    /// </remarks>
    private ulong ServeAhead(
        ObjectId owner, ReadOnlySpan<uint> pages, ulong last, Span<AccessOutcome> outcomes)
    {
        Span<uint> ring = stackalloc uint[RingMask + 1];
        FindSlots(owner, pages, ring, 0, 2 * GroupSize);
        for (int start = 0; start < pages.Length; start += GroupSize)
        {
            FindAndHint(owner, pages, ring, start + GroupSize);
            last = ServeFound(
                owner, pages, ring, start, Math.Min(start + GroupSize, pages.Length), last, outcomes);
        }

        return last;
    }

    /// <summary>Looks up the slots of requests and asks for them.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void FindSlots(ObjectId owner, ReadOnlySpan<uint> pages, Span<uint> ring, int start, int end)
    {
        IndexView view = _index.View(owner);
        end = Math.Min(end, pages.Length);
        for (int i = start; i < end; i++)
        {
            uint address = view.FindSlot(pages[i]);
            ring[i & RingMask] = address;
            view.PrefetchSlot(address);
        }
    }

    /// <summary>
    /// Looks up the slots of one group and asks for them, and asks for what the slots of the group before name, now that
    /// these have arrived.
    /// </summary>
    /// <param name="owner">The object.</param>
    /// <param name="pages">All requests.</param>
    /// <param name="ring">The addresses.</param>
    /// <param name="start">The first request of the group before, which may be beyond the last one.</param>
    /// <remarks>One loop for both: while one waits for memory, the other has instructions to run.</remarks>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void FindAndHint(ObjectId owner, ReadOnlySpan<uint> pages, Span<uint> ring, int start)
    {
        int hintCount = Math.Min(GroupSize, pages.Length - start);
        ReadOnlySpan<uint> before = pages[Math.Min(start, pages.Length)..];
        pages = pages[Math.Min(start + GroupSize, pages.Length)..Math.Min(start + (2 * GroupSize), pages.Length)];
        IndexView view = _index.View(owner);
        NativeArray<FrameLink> links = _frames.Links;
        NativeArray<FrameHead> heads = _heads;
        bool hintsNeighbours = LinksAreFar;
        // A group begins at a multiple of its size, so it lies in the ring in one piece, and no index is beyond it.
        ref uint hinted = ref ring[start & RingMask];
        ref uint found = ref ring[(start + GroupSize) & RingMask];
        int i = 0;
        for (; i < pages.Length; i++)
        {
            uint address = view.FindSlot(pages[i]);
            Unsafe.Add(ref found, i) = address;
            view.PrefetchSlot(address);
            HintFrame(i, owner, before, view.Entry(Unsafe.Add(ref hinted, i)), links, heads, hintsNeighbours);
        }

        for (; i < hintCount; i++)
            HintFrame(i, owner, before, view.Entry(Unsafe.Add(ref hinted, i)), links, heads, hintsNeighbours);
    }

    /// <summary>Asks for what a slot names.</summary>
    /// <param name="i">The request's number in its group.</param>
    /// <param name="owner">The object.</param>
    /// <param name="pages">The requests from this group's first on.</param>
    /// <param name="entry">The slot.</param>
    /// <param name="links">The frames' links.</param>
    /// <param name="heads">The frames' heads.</param>
    /// <param name="hintsNeighbours">True to ask for the neighbours on the list, too, of the frame that the request with the
    /// same number in the group before named: its link has arrived.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void HintFrame(
        int i, ObjectId owner, ReadOnlySpan<uint> pages, SlotEntry entry, NativeArray<FrameLink> links,
        NativeArray<FrameHead> heads, bool hintsNeighbours)
    {
        if (TRules.Kind == RuleKind.Flag)
        {
            heads.Prefetch(entry.FrameOrNone);
            if (TRules.UsesGhosts && entry.IsShadow) _frames.PrefetchGhost(entry.Shadow.Ghost);
            return;
        }

        ref uint row = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_hintedFrames), i);
        if (hintsNeighbours)
        {
            // A hit unlinks its frame from both neighbours, which are as far away as the frame itself was.
            FrameLink link = links[row];
            links.Prefetch(link.Previous);
            links.Prefetch(link.Next);
        }

        // A miss whose page has a ghost takes that row off its list, much as a hit does with its frame.
        row = TRules.UsesGhosts ? entry.Row : entry.FrameOrNone;
        links.Prefetch(row);
        if (TRules.HitsReadState) heads.Prefetch(row);
        if (TRules.HintsAccesses) _rules.HintAccess(new PageKey(owner, pages[i]), new FrameId(row));
    }

    /// <summary>As <see cref="Serve"/>, for requests whose slots were looked up before.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong ServeFound(
        ObjectId owner, ReadOnlySpan<uint> pages, Span<uint> ring, int start, int end, ulong last,
        Span<AccessOutcome> outcomes)
    {
        uint removed = _index.LeavesRemoved;
        ReadOnlySpan<uint> group = pages[start..end];
        // In one piece, as above.
        ref uint found = ref ring[start & RingMask];
        int i = 0;
        while (true)
        {
            NativeArray<uint> slots = _index.Slots;
            NativeArray<FrameHead> heads = _heads;
            FrameId deferred = FrameId.None;
            for (; i < group.Length; i++)
            {
                uint page = group[i];
                SlotEntry entry = new(slots[Unsafe.Add(ref found, i)]);
                if (!entry.IsFrame) break;
                if ((TRules.CountsRepeats || page != last) && TouchDefers(entry, heads))
                {
                    deferred = entry.Frame;
                    break;
                }

                last = page;
            }

            if (i == group.Length) return last;
            if (deferred.IsNone) ServeSlow(owner, pages, start + i, Unsafe.Add(ref found, i), last, outcomes);
            else DeferHit(deferred);
            last = group[i++];
            if (_index.LeavesRemoved == removed) continue;
            if (!TryForgetLeaves(ring, removed)) FindSlots(owner, pages, ring, start + i, start + (3 * GroupSize));
            removed = _index.LeavesRemoved;
        }
    }

    /// <summary>Makes the addresses in leaves that were freed into slots of block 0: their requests take the slow path,
    /// which looks properly.</summary>
    /// <param name="ring">The addresses; those that are served already do not matter.</param>
    /// <param name="removed">How many leaves had been freed when they were looked up.</param>
    /// <returns>False when it is not known any more which leaves.</returns>
    /// <remarks>In a cache that is small for its trace a leaf goes with every other miss; looking all slots up again
    /// took longer than the miss.</remarks>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryForgetLeaves(Span<uint> ring, uint removed)
    {
        if (_index.LeavesRemoved - removed > PageIndex.RemovedLeavesKept) return false;
        for (; removed != _index.LeavesRemoved; removed++)
        {
            Vector256<uint> leaf = Vector256.Create(_index.RemovedLeaf(removed));
            Vector256<uint> slotMask = Vector256.Create((uint)IndexBlocks.SlotCount - 1);
            foreach (ref Vector256<uint> addresses in MemoryMarshal.Cast<uint, Vector256<uint>>(ring))
            {
                Vector256<uint> isGone = Vector256.Equals(addresses >> IndexBlocks.SlotBits, leaf);
                addresses = Vector256.ConditionalSelect(isGone, addresses & slotMask, addresses);
            }
        }

        return true;
    }

    /// <summary>True when the metadata is larger than a core's own cache; below, hints only cost time.</summary>
    private bool HintsPay => _frames.NativeBytes + _index.NativeBytes > HintBytesMin;

    /// <summary>True when the links are, too: a hit then waits for those of its neighbours. In 1 MiB they are near, and asking
    /// for them takes longer than they would.</summary>
    private bool LinksAreFar => (long)_frames.RowCount * Unsafe.SizeOf<FrameLink>() > HintBytesMin;

    /// <summary>Metadata bytes from which on hints are given; a test sets 0, so that small caches get them too.</summary>
    internal long HintBytesMin { get; set; } = CoreCacheBytes;

    /// <summary>The loop that a replay spends its time in.</summary>
    /// <returns>The last page.</returns>
    /// <remarks>
    /// Two loops in one: the inner serves plain hits and calls nothing, so all that it needs stays in registers; the
    /// outer does what is not a plain hit, and loads the views anew, since a miss may have changed them.
    /// </remarks>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong Serve(ObjectId owner, ReadOnlySpan<uint> pages, ulong last, Span<AccessOutcome> outcomes)
    {
        int i = 0;
        while (true)
        {
            IndexView view = _index.View(owner);
            NativeArray<FrameHead> heads = _heads;
            uint address = 0;
            FrameId deferred = FrameId.None;
            for (; i < pages.Length; i++)
            {
                uint page = pages[i];
                address = view.FindSlot(page);
                SlotEntry entry = view.Entry(address);
                if (!entry.IsFrame) break;
                if ((TRules.CountsRepeats || page != last) && TouchDefers(entry, heads))
                {
                    deferred = entry.Frame;
                    break;
                }

                last = page;
            }

            if (i == pages.Length) return last;
            if (deferred.IsNone) ServeSlow(owner, pages, i, address, last, outcomes);
            else DeferHit(deferred);
            last = pages[i++];
        }
    }

    /// <summary>A miss, or a hit in a sparse object.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ServeSlow(
        ObjectId owner, ReadOnlySpan<uint> pages, int i, uint address, ulong last, Span<AccessOutcome> outcomes)
    {
        uint page = pages[i];
        bool repeats = !TRules.CountsRepeats && page == last;
        // Where the view knows no leaf, the object may be sparse, or the leaf is to be made: look it up properly.
        AccessOutcome outcome = address < IndexBlocks.SlotCount
            ? AccessCore(owner, page, repeats) : BringIn(owner, page, address, repeats);
        if (!outcomes.IsEmpty) outcomes[i] = outcome;
    }

    /// <summary>What a hit does, but for the part that is deferred.</summary>
    /// <returns>True when <see cref="DeferHit"/> is still to be called.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TouchDefers(SlotEntry entry, NativeArray<FrameHead> heads)
    {
        if (TRules.Kind == RuleKind.List)
        {
            // With the last shadow of a leaf goes the leaf: whoever has looked up slots beforehand must see that before the
            // next one is used, and does after a deferred hit.
            if (TRules.HitsDropGhosts) return true;
            _rules.OnDeferredHit(entry.Frame);
            return false;
        }

        ref FrameHead head = ref entry.HeadIn(heads);
        HitEffect effect = TRules.OnHit(head.State);
        if (effect.IsNone) return false;
        // Stored even where it changes nothing: a test costs more than the store.
        head.Referenced = effect.Referenced;
        return effect.Defers;
    }
}
