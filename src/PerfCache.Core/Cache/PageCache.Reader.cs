// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Reads through a <see cref="PageReader"/>: consecutive reads of one page count once.</summary>
/// <remarks>
/// The data is served every time; the rule hears of the first read only, as in the kernel and in
/// <see cref="MetadataCache{TRules, TMode}.Access"/>. If the page went between two such reads, the second brings it in
/// again, and it comes in as unread. Where several threads wait for one load, it counts if it counts for one of them.
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>The page as a lease: found, or loaded from the object's source.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="reader">The reader that reads.</param>
    /// <returns>The lease; dispose it.</returns>
    /// <inheritdoc cref="Get(ObjectId, ulong)" path="/exception"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public PageLease Get(ObjectId owner, ulong page, ref PageReader reader) => Get(owner, page, ref reader, out _);

    /// <summary>As the other, and tells hits from misses.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="reader">The reader that reads.</param>
    /// <param name="missedAt">Receives 0 for a hit. For a miss the <see cref="Stopwatch"/> timestamp at which it began: a
    /// caller who times misses needs no clock on hits, where it would cost more than the hit.</param>
    /// <returns>The lease; dispose it.</returns>
    /// <inheritdoc cref="Get(ObjectId, ulong)" path="/exception"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public PageLease Get(ObjectId owner, ulong page, ref PageReader reader, out long missedAt)
    {
        bool repeats = !TRules.CountsRepeats && reader.Repeats(new PageKey(owner, page));
        missedAt = 0;
        FrameId frame = TryPin(owner, page, countsAsAccess: !repeats);
        return frame.IsNone ? GetTimed(owner, page, repeats, out missedAt) : Lease(frame);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageLease GetTimed(ObjectId owner, ulong page, bool repeats, out long missedAt)
    {
        missedAt = Stopwatch.GetTimestamp();
        PageLease lease = GetSlow(owner, page, SourceOf(owner), countsAsAccess: !repeats, out bool missed);
        if (!missed) missedAt = 0;
        return lease;
    }
}
