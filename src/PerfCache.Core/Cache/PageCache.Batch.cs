// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Many accesses in one call, with the memory of the next ones on its way while the current are served.</summary>
/// <remarks>
/// A hit on a cold page waits for memory three times in a row: directory, slot, head. Requests that are known in
/// advance need not wait one after another: while request i is served, the head of request i + 16 and the slot of
/// request i + 32 are asked for. A hint may be stale when its request is served (the page may have been evicted in
/// between), which costs a wasted hint and nothing else: the access itself looks everything up again.
/// </remarks>
public sealed partial class PageCache<TRules, TMode>
{
    /// <summary>How many requests ahead slots are asked for.</summary>
    private const int SlotDistance = 32;

    /// <summary>How many requests ahead frame heads are asked for: their slots have arrived by then.</summary>
    private const int FrameDistance = 16;

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
        if (!outcomes.IsEmpty) ServeOutcomes(owner, pages, ref reader, outcomes, lookAhead);
        else Serve(owner, pages, ref reader, lookAhead);
        if (TMode.Counts) _requests += pages.Length;
    }

    /// <summary>Reads pages in order, each through the reader that its file number names.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="pages">The pages' numbers in it.</param>
    /// <param name="files">An index into <paramref name="readers"/> for each page.</param>
    /// <param name="readers">The readers.</param>
    /// <param name="outcomes">Receives what each access found, or is empty.</param>
    /// <param name="lookAhead">False to serve each request as if the next were not known.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page; the requests before are done.</exception>
    /// <exception cref="InvalidOperationException">Every frame is held and none can be reclaimed.</exception>
    public void AccessMany(
        ObjectId owner, ReadOnlySpan<uint> pages, ReadOnlySpan<int> files, Span<PageReader> readers,
        Span<AccessOutcome> outcomes = default, bool lookAhead = true)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(files.Length, pages.Length);
        if (!outcomes.IsEmpty) ArgumentOutOfRangeException.ThrowIfNotEqual(outcomes.Length, pages.Length);
        if (pages.IsEmpty) return;
        using Lock.Scope scope = Enter();
        if (!_index.IsPage(owner, 0)) ThrowNoPage(owner, 0);
        for (int i = 0; i < pages.Length; i++)
        {
            if (lookAhead) HintAhead(owner, pages, i);
            bool repeats = readers[files[i]].Repeats(new PageKey(owner, pages[i]));
            AccessOutcome outcome = AccessCore(owner, pages[i], repeats);
            if (!outcomes.IsEmpty) outcomes[i] = outcome;
        }

        if (TMode.Counts) _requests += pages.Length;
    }

    /// <summary>The loop that a replay spends its time in.</summary>
    /// <remarks>
    /// The views are copied into locals: the JIT must assume that a store through a native pointer changes any field,
    /// and would load each view again for each request. Of a view, only the directory's length ever changes.
    /// </remarks>
    private void Serve(ObjectId owner, ReadOnlySpan<uint> pages, ref PageReader reader, bool lookAhead)
    {
        IndexView view = _index.View(owner);
        NativeArray<FrameHead> heads = _frames.Heads;
        ulong last = reader.LastPageOf(owner);
        int i = 0;
        if (lookAhead)
        {
            NativeArray<FrameLink> links = _frames.Links;
            for (; i < pages.Length - SlotDistance; i++)
            {
                view.PrefetchSlot(_index.FindSlot(in view, pages[i + SlotDistance]));
                uint frame = view.Entry(_index.FindSlot(in view, pages[i + FrameDistance])).FrameOrNone;
                if (TRules.Kind == RuleKind.List) links.Prefetch(frame);
                else heads.Prefetch(frame);
                if (!ServeHit(in view, heads, pages[i], last))
                    view = ServeMiss(owner, pages[i], pages[i] == last);
                last = pages[i];
            }
        }

        for (; i < pages.Length; i++)
        {
            if (!ServeHit(in view, heads, pages[i], last)) view = ServeMiss(owner, pages[i], pages[i] == last);
            last = pages[i];
        }

        reader.Remember(new PageKey(owner, last));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool ServeHit(in IndexView view, NativeArray<FrameHead> heads, uint page, ulong last)
    {
        SlotEntry entry = view.Entry(_index.FindSlot(in view, page));
        if (!entry.IsFrame) return false;
        if (page != last) Touch(entry.Frame, heads);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private IndexView ServeMiss(ObjectId owner, uint page, bool repeats)
    {
        Miss(owner, page, _index.FindSlot(owner, page), repeats);
        return _index.View(owner);
    }

    /// <summary>As <see cref="Serve"/>, for callers who want to know what each access found.</summary>
    private void ServeOutcomes(
        ObjectId owner, ReadOnlySpan<uint> pages, ref PageReader reader, Span<AccessOutcome> outcomes, bool lookAhead)
    {
        for (int i = 0; i < pages.Length; i++)
        {
            if (lookAhead) HintAhead(owner, pages, i);
            outcomes[i] = AccessCore(owner, pages[i], reader.Repeats(new PageKey(owner, pages[i])));
        }
    }

    /// <summary>The hints for the requests that follow request <paramref name="i"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void HintAhead(ObjectId owner, ReadOnlySpan<uint> pages, int i)
    {
        if (i >= pages.Length - SlotDistance) return;
        IndexView view = _index.View(owner);
        view.PrefetchSlot(_index.FindSlot(in view, pages[i + SlotDistance]));
        uint frame = view.Entry(_index.FindSlot(in view, pages[i + FrameDistance])).FrameOrNone;
        if (TRules.Kind == RuleKind.List) _frames.Links.Prefetch(frame);
        else _frames.Heads.Prefetch(frame);
    }
}
