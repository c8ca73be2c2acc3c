// SPDX-License-Identifier: MIT
namespace PerfCache.Extensions.Snapshots;

/// <summary>What went into a snapshot, or came out of one.</summary>
public readonly record struct SnapshotReport
{
    /// <summary>Entries written, or stored in the cache.</summary>
    public long Entries { get; init; }

    /// <summary>Bytes of the file.</summary>
    public long FileBytes { get; init; }

    /// <summary>Entries of the file that were left out because their time was over. 0 for a snapshot written.</summary>
    public long Expired { get; init; }

    /// <summary>
    /// Entries of the file that were left out because the cache has a newer value or takes no value of that length. 0
    /// for a snapshot written.
    /// </summary>
    public long Skipped { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Duration { get; init; }
}
