// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Lending;

/// <summary>Why lending stopped.</summary>
public enum LendingSignal
{
    /// <summary>Nothing speaks against it.</summary>
    None,

    /// <summary>The owner's file pages come back soon after they were evicted (detector 1).</summary>
    Refault,

    /// <summary>The owner's active pages are being deactivated (detector 2).</summary>
    Deactivation,

    /// <summary>Tasks of the owner wait for memory.</summary>
    Stall,

    /// <summary>The control group has reached a limit.</summary>
    Limit,

    /// <summary>Less is available than is never lent.</summary>
    Floor,
}

/// <summary>What is decided about lending at one moment.</summary>
/// <param name="NowTicks">When.</param>
/// <param name="IsSuspended">True while nothing new is taken.</param>
/// <param name="Changed">True when it was otherwise before.</param>
/// <param name="Signal">The signal at this moment; with a suspension that goes on, possibly none.</param>
/// <param name="ResumeTicks">When lending goes on, if no signal comes before.</param>
public readonly record struct LendingDecision(
    long NowTicks, bool IsSuspended, bool Changed, LendingSignal Signal, long ResumeTicks);
