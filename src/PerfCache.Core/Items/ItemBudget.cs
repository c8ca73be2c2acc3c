// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>The bytes that a shard may have out, frames and metadata together. Used under the shard's lock.</summary>
internal sealed class ItemBudget(long limitBytes)
{
    /// <summary>The most bytes. Frames that the owner withdraws take their bytes off it.</summary>
    internal long LimitBytes { get; private set; } = limitBytes;

    /// <summary>Bytes that are out.</summary>
    internal long UsedBytes { get; private set; }

    /// <summary>Bytes that may still be had.</summary>
    internal long FreeBytes => Math.Max(0, LimitBytes - UsedBytes);

    internal bool TrySpend(long bytes)
    {
        if (bytes > FreeBytes) return false;
        UsedBytes += bytes;
        return true;
    }

    internal void Refund(long bytes) => UsedBytes -= bytes;

    internal void Move(long bytes) => LimitBytes += bytes;
}
