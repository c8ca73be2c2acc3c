// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;

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
        bool lookAhead = true) =>
        AccessMany(owner, pages, default, new Span<PageReader>(ref reader), outcomes, lookAhead);

    /// <summary>Reads pages in order, each through the reader that its file number names.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="pages">The pages' numbers in it.</param>
    /// <param name="files">An index into <paramref name="readers"/> for each page, or empty: all through the first.</param>
    /// <param name="readers">The readers.</param>
    /// <param name="outcomes">Receives what each access found, or is empty.</param>
    /// <param name="lookAhead">False to serve each request as if the next were not known.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page; the requests before are done.</exception>
    /// <exception cref="InvalidOperationException">Every frame is held and none can be reclaimed.</exception>
    public void AccessMany(
        ObjectId owner, ReadOnlySpan<uint> pages, ReadOnlySpan<int> files, Span<PageReader> readers,
        Span<AccessOutcome> outcomes = default, bool lookAhead = true)
    {
        if (!files.IsEmpty) ArgumentOutOfRangeException.ThrowIfNotEqual(files.Length, pages.Length);
        if (!outcomes.IsEmpty) ArgumentOutOfRangeException.ThrowIfNotEqual(outcomes.Length, pages.Length);
        if (pages.IsEmpty) return;
        using Lock.Scope scope = Enter();
        if (!_index.IsPage(owner, 0)) ThrowNoPage(owner, 0);
        if (!lookAhead)
        {
            Serve(owner, pages, files, readers, outcomes);
            return;
        }

        for (int start = 0; start < pages.Length; start += GroupSize)
        {
            PrefetchSlots(owner, Group(pages, start + (2 * GroupSize)));
            PrefetchFrames(owner, Group(pages, start + GroupSize));
            Serve(owner, Group(pages, start), Group(files, start), readers, Group(outcomes, start));
        }
    }

    private void Serve(
        ObjectId owner, ReadOnlySpan<uint> pages, ReadOnlySpan<int> files, Span<PageReader> readers,
        Span<AccessOutcome> outcomes)
    {
        for (int i = 0; i < pages.Length; i++)
        {
            uint page = pages[i];
            ref PageReader reader = ref readers[files.IsEmpty ? 0 : files[i]];
            AccessOutcome outcome = AccessCore(owner, page, reader.Repeats(new PageKey(owner, page)));
            if (!outcomes.IsEmpty) outcomes[i] = outcome;
        }

        if (TMode.Counts) _requests += pages.Length;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void PrefetchSlots(ObjectId owner, ReadOnlySpan<uint> pages)
    {
        foreach (uint page in pages) _index.PrefetchSlot(_index.FindSlot(owner, page));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void PrefetchFrames(ObjectId owner, ReadOnlySpan<uint> pages)
    {
        foreach (uint page in pages)
        {
            SlotEntry entry = _index.Entry(_index.FindSlot(owner, page));
            if (!entry.IsFrame) continue;
            if (TRules.Kind == RuleKind.List) _frames.PrefetchLink(entry.Frame.Value);
            else _frames.PrefetchHead(entry.Frame.Value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ReadOnlySpan<T> Group<T>(ReadOnlySpan<T> all, int start) =>
        start >= all.Length ? default : all.Slice(start, Math.Min(GroupSize, all.Length - start));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Span<T> Group<T>(Span<T> all, int start) =>
        start >= all.Length ? default : all.Slice(start, Math.Min(GroupSize, all.Length - start));
}
