// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Puma;

/// <summary>What a detector listens to. The slides' detectors #1, #2 and #3.</summary>
[Flags]
public enum ActivitySigns
{
    /// <summary>Nothing: lending is never suspended.</summary>
    None = 0,

    /// <summary>#1: an own page comes back soon after its eviction (its shadow is found).</summary>
    Refault = 1,

    /// <summary>#2: own pages must be deactivated, because the inactive list is low.</summary>
    Pressure = 2,

    /// <summary>#3: both.</summary>
    Both = Refault | Pressure,
}

/// <summary>What becomes of a page at the lender when the borrower gets it.</summary>
public enum LendingStrategy
{
    /// <summary>It stays, so the borrower need not put it again while it is clean. The authors' default.</summary>
    Keep,

    /// <summary>It goes: each page is at one place.</summary>
    Exclusive,
}

/// <summary>How a lender finds out that it needs its memory itself.</summary>
public sealed record DetectorOptions
{
    /// <summary>What it listens to.</summary>
    public ActivitySigns Signs { get; init; } = ActivitySigns.Both;

    /// <summary>False (strict): only a refault that activates its page counts. True (broad): any does.</summary>
    public bool CountsAnyRefault { get; init; }

    /// <summary>How long lending stays suspended after the last sign.</summary>
    public TimeSpan SuspendTime { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// Our extension, off by default: #2 counts only if an own page came in lately (<see cref="IdleAfter"/>). Without
    /// it, an idle lender that was left with more active than inactive pages is set off by the borrower's own puts.
    /// </summary>
    public bool IsIdleAware { get; init; }

    /// <summary>With <see cref="IsIdleAware"/>: how long after its last own page a lender counts as idle.</summary>
    public TimeSpan IdleAfter { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>What a lender allows.</summary>
public sealed record PumaLenderOptions
{
    /// <summary>When it stops lending.</summary>
    public DetectorOptions Detector { get; init; } = new();

    /// <summary>What becomes of a page that the borrower gets.</summary>
    public LendingStrategy Strategy { get; init; }

    /// <summary>True to answer no gets while lending is suspended; the authors' default is to answer them.</summary>
    public bool SuspendsGets { get; init; }
}

/// <summary>What a borrower does.</summary>
public sealed record BorrowerOptions
{
    /// <summary>The most lenders of a borrower.</summary>
    public const int LendersMax = 32;

    /// <summary>The most pages of one message.</summary>
    public int PagesPerMessage { get; init; } = 32;

    /// <summary>Pages that may be on their way to lenders; when all are, a page is dropped instead of sent.</summary>
    public int SendPoolPages { get; init; } = 1024;

    /// <summary>How long a get is waited for before the page is read from the disk.</summary>
    public TimeSpan GetTimeout { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>What becomes of a page at the lender; must be the lender's.</summary>
    public LendingStrategy Strategy { get; init; }

    /// <summary>Which pages of sequential reads are not sent; off by default.</summary>
    public SequentialFilterOptions Filter { get; init; } = new();

    /// <summary>Whether slow lenders are left alone; off by default.</summary>
    public LatencyMonitorOptions Latency { get; init; } = new();

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentException">One line: what, its value, what is possible.</exception>
    public void Check()
    {
        if (PagesPerMessage is < 1 or > 4096)
            throw new ArgumentException($"PagesPerMessage is {PagesPerMessage}; possible is 1 to 4096");
        if (SendPoolPages < PagesPerMessage)
        {
            throw new ArgumentException(
                $"SendPoolPages is {SendPoolPages}; possible is {PagesPerMessage} (one message) and more");
        }

        if (GetTimeout <= TimeSpan.Zero) throw new ArgumentException($"GetTimeout is {GetTimeout}; it must be above 0");
    }
}
