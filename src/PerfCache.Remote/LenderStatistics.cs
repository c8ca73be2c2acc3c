// SPDX-License-Identifier: MIT
using PerfCache.Items;
using PerfCache.Policies.Puma;
using PerfCache.Remote.Lending;

namespace PerfCache.Remote;

/// <summary>Counts and sizes of a lender.</summary>
public sealed record LenderStatistics
{
    /// <summary>Connections now.</summary>
    public int Connections { get; init; }

    /// <summary>Items now.</summary>
    public long Items { get; init; }

    /// <summary>Bytes of their values.</summary>
    public long ValueBytes { get; init; }

    /// <summary>Bytes of frames that hold values.</summary>
    public long LentBytes { get; init; }

    /// <summary>Bytes of frames that were given back and are not in use again.</summary>
    public long WithdrawnBytes { get; init; }

    /// <summary>Frames that were found to be taken by the system.</summary>
    public long TakenFrames { get; init; }

    /// <summary>Items that went with them.</summary>
    public long TakenItems { get; init; }

    /// <summary>Items that went to make room for others.</summary>
    public long Evicted { get; init; }

    /// <summary>Reads.</summary>
    public long Gets { get; init; }

    /// <summary>Reads that found their item.</summary>
    public long GetHits { get; init; }

    /// <summary>Stores that were asked for.</summary>
    public long Sets { get; init; }

    /// <summary>Stores that were refused because lending was suspended.</summary>
    public long Refused { get; init; }

    /// <summary>How often lending was suspended.</summary>
    public long Suspensions { get; init; }

    /// <summary>For how long lending has been suspended; null while it is not.</summary>
    public TimeSpan? SuspendedFor { get; init; }

    /// <summary>Why it is suspended, or was last.</summary>
    public PumaCause Reason { get; init; }

    /// <summary>Bytes received.</summary>
    public long BytesRead { get; init; }

    /// <summary>Bytes sent.</summary>
    public long BytesWritten { get; init; }

    internal LenderStatistics Plus(LendableStore store)
    {
        ItemStatistics items = store.Items.Statistics;
        return this with
        {
            Items = Items + items.Items,
            ValueBytes = ValueBytes + items.ValueBytes,
            LentBytes = LentBytes + (items.UsedFrames * store.Pages.PageBytes),
            WithdrawnBytes = WithdrawnBytes + (items.WithdrawnFrames * store.Pages.PageBytes),
            TakenFrames = TakenFrames + store.TakenFrames,
            TakenItems = TakenItems + items.Lost,
            Evicted = Evicted + items.Evicted,
        };
    }
}
