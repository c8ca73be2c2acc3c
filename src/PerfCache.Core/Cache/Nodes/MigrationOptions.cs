// SPDX-License-Identifier: MIT
namespace PerfCache.Cache.Nodes;

/// <summary>How fast the background migrator (<see cref="PageCache{TRules, TProbe}.MigrateAsync"/>) moves pages, and how it
/// treats those in use.</summary>
public sealed record MigrationOptions
{
    /// <summary>The most pages that are copied together, outside the cache's lock.</summary>
    public const int BatchPagesMax = 512;

    /// <summary>The most pages that are moved in a <see cref="Period"/>, by all requests together; null for as many as can
    /// be.</summary>
    public int? PagesPerPeriod { get; init; }

    /// <summary>The time for which <see cref="PagesPerPeriod"/> is the budget.</summary>
    public TimeSpan Period { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Pages that are copied together, 1 to <see cref="BatchPagesMax"/>: they are taken and moved over under the
    /// cache's lock, and that many frames of the target are in use twice meanwhile.</summary>
    public int BatchPages { get; init; } = 32;

    /// <summary>How often a page that was in use is tried again.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>How long to wait before the first such attempt; each further one waits twice as long.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>The clock for budget and waiting.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentException">One line that names the option, its value and what is possible.</exception>
    internal void Check()
    {
        if (PagesPerPeriod is < 1) throw Wrong(nameof(PagesPerPeriod), PagesPerPeriod.Value, "null or at least 1");
        if (Period <= TimeSpan.Zero || Period > TimeSpan.FromDays(1))
            throw Wrong(nameof(Period), Period, "more than 0 and at most one day");
        if (BatchPages is < 1 or > BatchPagesMax) throw Wrong(nameof(BatchPages), BatchPages, $"1 to {BatchPagesMax}");
        if (Retries is < 0 or > 100) throw Wrong(nameof(Retries), Retries, "0 to 100");
        if (RetryDelay < TimeSpan.Zero || RetryDelay > TimeSpan.FromHours(1))
            throw Wrong(nameof(RetryDelay), RetryDelay, "from 0 to one hour");
        if (Time is null) throw Wrong(nameof(Time), "null", "a TimeProvider");
    }

    private static ArgumentException Wrong(string option, object value, string possible) =>
        new($"page cache: migration: {option} is {value}; possible is {possible}", option);
}
