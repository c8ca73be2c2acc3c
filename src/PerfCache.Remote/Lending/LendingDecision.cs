// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;

namespace PerfCache.Remote.Lending;

/// <summary>What is decided about lending at one moment.</summary>
/// <param name="NowTicks">When.</param>
/// <param name="IsSuspended">True while nothing new is taken.</param>
/// <param name="Changed">True when it was otherwise before.</param>
/// <param name="Sign">The first sign at this moment; with a suspension that goes on, possibly none.</param>
/// <param name="ResumeTicks">When lending goes on, if no sign comes before; <see cref="long.MaxValue"/> while it is not
/// suspended.</param>
public readonly record struct LendingDecision(
    long NowTicks, bool IsSuspended, bool Changed, PumaCause Sign, long ResumeTicks);
