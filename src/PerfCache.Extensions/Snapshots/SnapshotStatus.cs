// SPDX-License-Identifier: MIT
namespace PerfCache.Extensions.Snapshots;

/// <summary>How the snapshots of a cache went so far.</summary>
public sealed record SnapshotStatus
{
    /// <summary>When the last one was written; null for none yet.</summary>
    public DateTimeOffset? LastSaved { get; init; }

    /// <summary>When one was read last; null for never.</summary>
    public DateTimeOffset? LastLoaded { get; init; }

    /// <summary>What went wrong the last time that one was written or read; null when nothing did.</summary>
    public string? Failure { get; init; }
}
