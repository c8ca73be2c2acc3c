// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Many accesses in one call, with the memory of the next ones on its way while the current are served.</summary>
/// <remarks>
/// A hit on a cold page waits for memory three times in a row: directory, slot, head. Requests that are known in
/// advance need not wait one after another: while group g is served, the heads of group g+1 and the slots of group g+2
/// are asked for. The hints may be stale by the time they are used (group g may evict what g+1 will look for), which
/// costs a wasted hint and nothing else: the access itself looks everything up again.
/// </remarks>
public sealed partial class PageCache<TRules, TMode>
{
    /// <summary>Requests of one group. Two groups of lines must fit the processor's miss buffers, which they do.</summary>
    private const int GroupSize = 16;

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
        if (!lookAhead)
        {
            Serve(owner, pages, ref reader, outcomes);
            return;
        }

        for (int start = 0; start < pages.Length; start += GroupSize)
        {
            PrefetchAhead(owner, pages, start);
            Serve(owner, Group(pages, start), ref reader, Group(outcomes, start));
        }
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
        for (int start = 0; start < pages.Length; start++)
        {
            if (lookAhead && start % GroupSize == 0) PrefetchAhead(owner, pages, start);
            ref PageReader reader = ref readers[files[start]];
            Serve(owner, pages.Slice(start, 1), ref reader, outcomes.IsEmpty ? default : outcomes.Slice(start, 1));
        }
    }

    /// <summary>The loop that a replay spends its time in.</summary>
    /// <remarks>
    /// The views are copied into locals: the JIT must assume that a store through a native pointer changes any field,
    /// and would load each view again for each request.
    /// </remarks>
    private void Serve(ObjectId owner, ReadOnlySpan<uint> pages, ref PageReader reader, Span<AccessOutcome> outcomes)
    {
        IndexView view = _index.View(owner);
        NativeArray<FrameHead> heads = _frames.Heads;
        ulong name = new PageKey(owner, 0).Packed;
        PageReader last = reader;
        for (int i = 0; i < pages.Length; i++)
        {
            uint page = pages[i];
            bool repeats = last.Repeats(new PageKey(name | page));
            SlotEntry entry = view.Entry(_index.FindSlot(in view, page));
            AccessOutcome outcome = AccessOutcome.Hit;
            if (!entry.IsFrame)
            {
                outcome = Miss(owner, page, repeats);
                view = _index.View(owner);
            }
            else if (!repeats)
            {
                Touch(entry.Frame, heads);
            }

            if (!outcomes.IsEmpty) outcomes[i] = outcome;
        }

        reader = last;
        if (TMode.Counts) _requests += pages.Length;
    }

    /// <summary>Asks for the slots of the group after the next, and for what those of the next group name.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void PrefetchAhead(ObjectId owner, ReadOnlySpan<uint> pages, int start)
    {
        IndexView view = _index.View(owner);
        foreach (uint page in Group(pages, start + (2 * GroupSize)))
            view.PrefetchSlot(_index.FindSlot(in view, page));

        NativeArray<FrameHead> heads = _frames.Heads;
        NativeArray<FrameLink> links = _frames.Links;
        foreach (uint page in Group(pages, start + GroupSize))
        {
            uint frame = view.Entry(_index.FindSlot(in view, page)).FrameOrNone;
            if (TRules.Kind == RuleKind.List) links.Prefetch(frame);
            else heads.Prefetch(frame);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ReadOnlySpan<uint> Group(ReadOnlySpan<uint> all, int start) =>
        start >= all.Length ? default : all.Slice(start, Math.Min(GroupSize, all.Length - start));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Span<AccessOutcome> Group(Span<AccessOutcome> all, int start) =>
        start >= all.Length ? default : all.Slice(start, Math.Min(GroupSize, all.Length - start));
}
