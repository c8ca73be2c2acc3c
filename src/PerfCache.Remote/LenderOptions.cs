// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Server;

namespace PerfCache.Remote;

/// <summary>What a lender is made of.</summary>
public sealed record LenderOptions
{
    /// <summary>The most memory that is lent, headers and index included, in bytes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>How it serves.</summary>
    public ServerOptions Server { get; init; } = new();

    /// <summary>How it lends.</summary>
    public LendingOptions Lending { get; init; } = new();

    /// <summary>Bounds of single borrowers; what they add up to is taken from <see cref="MemoryBytes"/>.</summary>
    public IReadOnlyList<TenantQuota> Quotas { get; init; } = [];

    internal ItemStoreOptions ItemOptions => new()
    {
        CapacityBytes = MemoryBytes,
        PageBytes = PageMemory.PageBytesMin,
        ShardCount = ShardCount,
        ValueBytesMax = Server.ItemBytesMax,
    };

    // Each shard must hold two of the largest items, so a small lender has few.
    private int ShardCount
    {
        get
        {
            long smallest = Quotas.Select(quota => quota.Bytes).Append(RestBytes).Min();
            int wanted = Server.Threads == 1 ? 1 : 8;
            ItemStoreOptions options = new() { CapacityBytes = smallest, ValueBytesMax = Server.ItemBytesMax };
            while (wanted > 1 && (options with { ShardCount = wanted }).CapacityBytesMin > smallest / 2) wanted /= 2;
            return wanted;
        }
    }

    private long RestBytes => MemoryBytes - Quotas.Sum(quota => quota.Bytes);

    internal void Validate()
    {
        Server.Validate();
        if (RestBytes <= 0)
        {
            throw new ArgumentException(
                $"lender: the quotas leave nothing of {MemoryBytes} bytes for borrowers without one");
        }

        long needed = (ItemOptions with { ShardCount = 1 }).CapacityBytesMin;
        if (RestBytes >= needed) return;
        throw new ArgumentException(
            $"lender: {RestBytes} bytes are too few, values of up to {Server.ItemBytesMax} bytes need {needed}; give more memory, "
            + "or a smaller largest value");
    }
}
