// SPDX-License-Identifier: MIT
namespace PerfCache.Numa;

/// <summary>How fast pages may be moved, and in what portions.</summary>
/// <remarks>
/// The defaults: a call costs 50 to 85 us beside what it moves (measured on one machine), so it takes hundreds of pages
/// to hide that; a page of 4 KiB costs about 1.2 us and a huge one 190 us (published for a machine of two sockets), so
/// 32 MiB keep a batch at about 10 ms, which is the longest that cancelling waits.
/// </remarks>
public sealed record MoveLimits
{
    /// <summary>The fewest addresses that a batch may be limited to.</summary>
    public const int BatchPagesMin = 512;

    /// <summary>The fewest bytes of <see cref="BatchBytes"/> and <see cref="BudgetBytes"/>: a huge page.</summary>
    public const long BytesMin = 2L << 20;

    /// <summary>The most addresses of a batch.</summary>
    public int BatchPages { get; init; } = 2048;

    /// <summary>The most bytes of a batch.</summary>
    public long BatchBytes { get; init; } = 32L << 20;

    /// <summary>Bytes a second on average; null: no limit.</summary>
    public long? BytesPerSecond { get; init; }

    /// <summary>Bytes a period at most; null: no limit.</summary>
    public long? BudgetBytes { get; init; }

    /// <summary>The period of <see cref="BudgetBytes"/>.</summary>
    public TimeSpan Period { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often a page is tried again that is busy, or whose target is full.</summary>
    public int RetriesMax { get; init; } = 3;

    /// <summary>The first pause after a batch of which the greater part failed; it doubles while that goes on.</summary>
    public TimeSpan BackOffLeast { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>The longest pause.</summary>
    public TimeSpan BackOffMost { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Fails unless the limits make sense.</summary>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchPages, BatchPagesMin);
        ArgumentOutOfRangeException.ThrowIfLessThan(BatchBytes, BytesMin);
        if (BytesPerSecond is long rate) ArgumentOutOfRangeException.ThrowIfLessThan(rate, 1, nameof(BytesPerSecond));
        if (BudgetBytes is long budget)
            ArgumentOutOfRangeException.ThrowIfLessThan(budget, BytesMin, nameof(BudgetBytes));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(Period, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfNegative(RetriesMax);
        ArgumentOutOfRangeException.ThrowIfLessThan(BackOffLeast, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(BackOffMost, BackOffLeast);
    }
}
