// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>One page that is asked of an <see cref="IOverflowTier"/>: written by the cache, answered in place.</summary>
public struct OverflowRead
{
    /// <summary>Which.</summary>
    public PageKey Page { readonly get; set; }

    /// <summary>Where its bytes go: a whole page. The tier's until the call has ended; holds anything unless the page was
    /// found.</summary>
    public Memory<byte> Destination { readonly get; set; }

    /// <summary>True when the destination holds the page.</summary>
    public bool IsFilled { readonly get; set; }
}

/// <summary>
/// Memory beyond a cache's own into which clean pages overflow: asked before a page is read from its source again.
/// </summary>
/// <remarks>
/// <code>
/// evict        the page is dead, its frame not yet free     OnEvicted: copy the bytes, or let it be
/// miss         the load is noted, the lock left             Knows, IsWorthAsking? Read or ReadAsync; what is not filled: the source
/// write        the page is locked, not yet changed          Forget
/// invalidate   before the lock is left                      Forget
/// </code>
/// <para>O1: a tier fills a page only with the bytes that it was given last, and only if it was not told to forget the page
/// since. So what it fills is what the source has: a page is clean when it is evicted, and who changes a page has it
/// resident, or says so by Invalidate.</para>
/// <para>O2: what a load got from the tier before the page was forgotten is not published: an invalidation makes the load
/// stale, and nobody writes a page that is being loaded.</para>
/// <para>O3: <see cref="OnEvicted"/> and the two Forget are called under the cache's lock: they wait for nothing and call
/// nobody back. All others are called without it, from many threads.</para>
/// <para>O4: only pages of objects with a source are offered, and only loads from that source ask. Bytes that come from
/// elsewhere (<see cref="PageCache{TRules, TProbe}.TryAdd(ObjectId, ulong, ReadOnlySpan{byte})"/>, a source given with the
/// call) make the tier forget the page.</para>
/// A tier that fails has not got the page; no method throws.
/// </remarks>
public interface IOverflowTier
{
    /// <summary>The most pages of one <see cref="Read"/>.</summary>
    const int ReadMax = 64;

    /// <summary>Called once, by the cache that is made with this tier.</summary>
    /// <param name="pageBytes">Bytes of a page.</param>
    /// <exception cref="InvalidOperationException">It belongs to another cache already.</exception>
    void Attach(int pageBytes);

    /// <summary>How many cached pages must lie before a readahead window for it to be part of a long sequential read; 0 when
    /// the tier does not want to know.</summary>
    int SequentialHistoryPages { get; }

    /// <summary>True when the pages of a readahead window are part of a long sequential read.</summary>
    /// <param name="windowPages">Pages of the window.</param>
    /// <param name="windowPagesMax">The largest window there is.</param>
    /// <param name="cachedBefore">Contiguous cached pages right before it, counted up to
    /// <see cref="SequentialHistoryPages"/>.</param>
    bool IsSequential(int windowPages, int windowPagesMax, int cachedBefore);

    /// <summary>A clean page leaves the cache.</summary>
    /// <param name="page">Which.</param>
    /// <param name="bytes">The whole page; only during the call.</param>
    /// <param name="isSequential">True when it came in by a window that <see cref="IsSequential"/> said is one.</param>
    void OnEvicted(PageKey page, ReadOnlySpan<byte> bytes, bool isSequential);

    /// <summary>The page is about to change, or may have changed: what the tier has of it must never be read again.</summary>
    void Forget(PageKey page);

    /// <summary>As <see cref="Forget(PageKey)"/>, for the pages of a range.</summary>
    void Forget(ObjectId owner, ulong firstPage, ulong lastPage);

    /// <summary>True when the tier has a page, as far as it knows without asking anybody.</summary>
    bool Knows(PageKey page);

    /// <summary>The pages that the tier has, as far as it knows: the cache's metric cache.lent_pages.</summary>
    long PageCount { get; }

    /// <summary>True when it is worth asking, once for each request some of whose pages the tier knows.</summary>
    /// <param name="requestPages">The pages that the source would be asked for in one request.</param>
    bool IsWorthAsking(int requestPages);

    /// <summary>Reads pages; what is not there in time is left.</summary>
    /// <param name="reads">At most <see cref="ReadMax"/>.</param>
    /// <param name="requestPages">As for <see cref="IsWorthAsking"/>; of several requests, the largest.</param>
    void Read(Memory<OverflowRead> reads, int requestPages);

    /// <summary>The same without a thread that waits.</summary>
    /// <param name="reads">At most <see cref="ReadMax"/>.</param>
    /// <param name="requestPages">As for <see cref="IsWorthAsking"/>; of several requests, the largest.</param>
    ValueTask ReadAsync(Memory<OverflowRead> reads, int requestPages);

    /// <summary>A source has answered: how long it takes decides whether the tier is worth its trouble.</summary>
    /// <param name="requestPages">Neighbouring pages of the request.</param>
    /// <param name="elapsedTicks">How long, in ticks of <see cref="System.Diagnostics.Stopwatch"/>.</param>
    void OnSourceRead(int requestPages, long elapsedTicks);
}

/// <summary>Who is offered the frames of pages that reclaim evicts.</summary>
internal interface IEvictionTaker
{
    /// <summary>Under the lock: a page is dead, and its frame still has its bytes.</summary>
    void TakeEvicted(FrameId victim);
}
