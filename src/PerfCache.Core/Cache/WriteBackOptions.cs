// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Says whether a page may be written to its source yet: a write-ahead log must be on disk first.</summary>
/// <param name="owner">The object.</param>
/// <param name="page">The page's number in it.</param>
/// <param name="bytes">The very bytes that will be written: a page that carries the number of its last log record can
/// be judged by them, whatever a writer has made of it meanwhile.</param>
/// <returns>False to leave the page dirty and to ask again later.</returns>
/// <remarks>
/// Called without a lock, from any thread that writes, sometimes several at once. It may bring the log to disk and then
/// say yes; it must not wait for pages of the same cache to be written, and it must not throw: a page about which it
/// throws counts as one whose write failed.
/// </remarks>
public delegate bool MayWritePage(ObjectId owner, ulong page, ReadOnlySpan<byte> bytes);

/// <summary>When and how changed pages go to their source.</summary>
public sealed record WriteBackOptions
{
    /// <summary>How often a thread of the cache looks for pages to write; it starts with the first write lease of an
    /// object whose source can write. Zero for no such thread: then pages are written when somebody flushes, when a miss
    /// finds no other frame, or by writers at <see cref="DirtyLimit"/>.</summary>
    public TimeSpan FlushInterval { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long a page stays dirty before that thread writes it; sooner when half of
    /// <see cref="DirtyLimit"/> is reached, or when reclaim met it.</summary>
    public TimeSpan DirtyAge { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The part of all frames that may be dirty: writers wait while more are. Each thread may go over it by
    /// one page.</summary>
    public double DirtyLimit { get; init; } = 0.4;

    /// <summary>The most neighbouring pages in one write; at most a thirty-second of the frames, because the copies of
    /// pages being written (up to four such requests) count towards the bound.</summary>
    public int BatchPages { get; init; } = 32;

    /// <summary>How long an object's pages rest after a write failed; twice as long after each further failure, up to
    /// 64 times. <see cref="PageCache{TRules, TProbe}.FlushAsync(CancellationToken)"/> does not wait for it.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Asked before each page is written; null when all may be. A page that may not be is asked for again
    /// after <see cref="DirtyAge"/>, or as soon as its frame is needed.</summary>
    public MayWritePage? MayWrite { get; init; }

    /// <summary>Called after pages could not be written, without a lock; it must not throw. The pages stay dirty.</summary>
    public Action<PageWriteFailure>? Failed { get; init; }

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentException">One line that names the option, its value and what is possible.</exception>
    internal void Check()
    {
        if (!IsTime(FlushInterval)) throw Wrong(nameof(FlushInterval), FlushInterval, "from 0 to one day");
        if (!IsTime(DirtyAge)) throw Wrong(nameof(DirtyAge), DirtyAge, "from 0 to one day");
        if (!(DirtyLimit is > 0 and <= 1)) throw Wrong(nameof(DirtyLimit), DirtyLimit, "above 0 and at most 1");
        if (BatchPages is < 1 or > BatchPagesMax) throw Wrong(nameof(BatchPages), BatchPages, $"1 to {BatchPagesMax}");
        if (!IsTime(RetryDelay) || RetryDelay < TimeSpan.FromMilliseconds(1))
            throw Wrong(nameof(RetryDelay), RetryDelay, "from one millisecond to one day");
    }

    private const int BatchPagesMax = 256;

    private static bool IsTime(TimeSpan time) => time >= TimeSpan.Zero && time <= TimeSpan.FromDays(1);

    private static ArgumentException Wrong(string option, object value, string possible) =>
        new(
            string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"page cache: {option} is {value}; possible is {possible}"), option);
}

/// <summary>Neighbouring pages that could not be written.</summary>
/// <param name="Owner">The object.</param>
/// <param name="FirstPage">The first page of the request.</param>
/// <param name="PageCount">How many pages of it failed.</param>
/// <param name="Cause">What the source threw.</param>
/// <param name="RetryIn">How long the object's pages rest now.</param>
public readonly record struct PageWriteFailure(
    ObjectId Owner, ulong FirstPage, int PageCount, Exception Cause, TimeSpan RetryIn);
