// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Puma;

/// <summary>How a guest's balloon behaves.</summary>
public sealed record BalloonOptions
{
    /// <summary>Pages of one request, each of which the host acknowledges.</summary>
    public int PagesPerRequest { get; init; } = 256;

    /// <summary>How long the balloon rests after an allocation has failed.</summary>
    public TimeSpan BackOff { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>True to give pages back when the guest is out of memory.</summary>
    public bool DeflatesOnOutOfMemory { get; init; } = true;

    /// <summary>Pages given back for each report of being out of memory.</summary>
    public int PagesPerOutOfMemory { get; init; } = 256;
}

/// <summary>What a balloon does next.</summary>
public enum BalloonAction
{
    /// <summary>It has its target size.</summary>
    None,

    /// <summary>Allocate pages in the guest and give them to the host.</summary>
    Inflate,

    /// <summary>Take pages back from the host.</summary>
    Deflate,

    /// <summary>Rest after a failed allocation.</summary>
    Rest,
}

/// <summary>A step of a balloon.</summary>
/// <param name="Action">What.</param>
/// <param name="Pages">How many pages, at most one request.</param>
/// <param name="UntilTicks">For <see cref="BalloonAction.Rest"/>: when to ask again.</param>
public readonly record struct BalloonStep(BalloonAction Action, int Pages, long UntilTicks);

/// <summary>
/// A guest's balloon: approaches a size that the host wants, one acknowledged request at a time.
/// </summary>
/// <remarks>
/// The rules of the virtio balloon: 256 pages a request, and the next one waits for the acknowledgement; a failed
/// allocation ends the round, and the balloon rests for 200 ms. The host's wish is a size in pages and says nothing about
/// what the guest has in its memory: it may hit the page cache, or programs, which are swapped out then.
/// </remarks>
public sealed class BalloonDriver(BalloonOptions options, long ticksPerSecond)
{
    private long _restUntilTicks;

    /// <summary>The size that the host wants, in pages.</summary>
    public long TargetPages { get; set; }

    /// <summary>Its size: pages that the guest does without.</summary>
    public long ActualPages { get; private set; }

    /// <summary>Allocations that failed.</summary>
    public long BackOffs { get; private set; }

    /// <summary>Requests that were acknowledged.</summary>
    public long Requests { get; private set; }

    /// <summary>What to do now.</summary>
    public BalloonStep Next(long nowTicks)
    {
        long missing = TargetPages - ActualPages;
        int pages = (int)Math.Min(Math.Abs(missing), options.PagesPerRequest);
        if (missing == 0) return new BalloonStep(BalloonAction.None, 0, 0);
        if (missing < 0) return new BalloonStep(BalloonAction.Deflate, pages, 0);
        return nowTicks < _restUntilTicks
            ? new BalloonStep(BalloonAction.Rest, 0, _restUntilTicks) : new BalloonStep(BalloonAction.Inflate, pages, 0);
    }

    /// <summary>A request has been acknowledged.</summary>
    /// <param name="pages">Pages given to the host; below 0 for pages taken back.</param>
    public void OnAcknowledged(int pages)
    {
        ActualPages += pages;
        Requests++;
    }

    /// <summary>The guest could not allocate.</summary>
    public void OnAllocationFailed(long nowTicks)
    {
        BackOffs++;
        _restUntilTicks = nowTicks + PumaTime.Ticks(options.BackOff, ticksPerSecond);
    }

    /// <summary>The guest is out of memory.</summary>
    /// <returns>Pages that the balloon wants to give back for it; 0 when it does not, or is empty.</returns>
    public int OnOutOfMemory()
    {
        if (!options.DeflatesOnOutOfMemory) return 0;
        int pages = (int)Math.Min(ActualPages, options.PagesPerOutOfMemory);
        TargetPages = Math.Min(TargetPages, ActualPages - pages);
        return pages;
    }
}
