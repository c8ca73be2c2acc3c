// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Lending;

/// <summary>
/// What the owner's memory looked like at one moment: counters that only grow, and sizes. What a system does not tell
/// is null.
/// </summary>
public sealed record PressureSample
{
    /// <summary>When, in ticks of 100 ns of any clock that does not jump.</summary>
    public required long NowTicks { get; init; }

    /// <summary>Bytes that could be had without reclaiming what is in use; lent pages that may be taken count.</summary>
    public long? AvailableBytes { get; init; }

    /// <summary>Bytes that nobody uses.</summary>
    public long? FreeBytes { get; init; }

    /// <summary>Bytes there are: the machine's, or the limit of the control group if that is less.</summary>
    public long? TotalBytes { get; init; }

    /// <summary>File pages that came back soon after their eviction and became active at once: detector 1.</summary>
    public long? ActivatingRefaults { get; init; }

    /// <summary>Pages moved from the active list to the inactive one: detector 2.</summary>
    public long? Deactivations { get; init; }

    /// <summary>Microseconds in which some task waited for memory.</summary>
    public long? StallMicros { get; init; }

    /// <summary>How often the control group reached a limit of memory.</summary>
    public long? LimitEvents { get; init; }
}
