// SPDX-License-Identifier: MIT
using System.Numerics;
using Microsoft.Extensions.Caching.Distributed;
using PerfCache.Items;

namespace PerfCache.Extensions;

/// <summary>How long an entry lives, in the words of the store.</summary>
/// <remarks>
/// The store knows one expiry an item. A sliding one also needs its length and the absolute end that it never passes;
/// they lie in two fields of the item that mean whatever the store's caller wants:
/// <code>
/// ExpiryTicks   from here on the entry is gone
/// Cas           the absolute end; long.MaxValue without one
/// Flags         the sliding length as a number of 26 bits and a shift of 6, rounded up; 0 without one
/// </code>
/// 26 bits hold lengths to 6.7 seconds exactly, and longer ones to 15 parts in 10^9.
/// </remarks>
/// <param name="ExpiryTicks">The first expiry, on the cache's clock.</param>
/// <param name="LimitTicks">The end that no renewal passes.</param>
/// <param name="Sliding">The sliding length, encoded.</param>
internal readonly record struct EntryLifetime(long ExpiryTicks, long LimitTicks, uint Sliding)
{
    private const int ShiftBits = 6;
    private const int NumberBits = 32 - ShiftBits;

    /// <summary>From what the caller of a distributed cache says. Of two absolute ends the earlier counts.</summary>
    internal static EntryLifetime Of(DistributedCacheEntryOptions options, CacheClock clock)
    {
        ArgumentNullException.ThrowIfNull(options);
        long now = clock.NowTicks;
        long limit = long.MaxValue;
        if (options.AbsoluteExpirationRelativeToNow is { } relative) limit = Later(now, relative.Ticks);
        if (options.AbsoluteExpiration is { } absolute)
            limit = Math.Min(limit, Later(now, (absolute - clock.UtcNow).Ticks));
        if (options.SlidingExpiration is not { } sliding) return new EntryLifetime(limit, limit, 0);
        return new EntryLifetime(Math.Min(limit, Later(now, sliding.Ticks)), limit, Encode(sliding.Ticks));
    }

    /// <summary>How the store is to keep an entry of this lifetime.</summary>
    internal ItemWrite ToWrite(ItemMode mode = ItemMode.Set) => new()
    {
        Mode = mode,
        Flags = Sliding,
        ExpiryTicks = ExpiryTicks,
        NewCas = (ulong)LimitTicks,
    };

    /// <summary>The length in ticks, at least 1, in 32 bits.</summary>
    internal static uint Encode(long ticks)
    {
        int shift = Math.Max(0, BitOperations.Log2((ulong)ticks) + 1 - NumberBits);
        long number = (ticks + (1L << shift) - 1) >> shift;
        if (number >> NumberBits != 0)
        {
            number >>= 1;
            shift++;
        }

        return ((uint)number << ShiftBits) | (uint)shift;
    }

    /// <summary>The length that <see cref="Encode"/> was given, or a little more.</summary>
    internal static long Decode(uint sliding)
    {
        long number = sliding >> ShiftBits;
        int shift = (int)(sliding & ((1 << ShiftBits) - 1));
        // Rounding up may have reached 2^63.
        return shift > 63 - NumberBits ? long.MaxValue : number << shift;
    }

    /// <summary>A tick on another clock; never stays never.</summary>
    internal static long Shifted(long ticks, long by) =>
        ticks == long.MaxValue ? ticks : by > 0 ? Later(ticks, by) : Math.Max(long.MinValue - by, ticks) + by;

    /// <summary>A tick so much later, or the end of time.</summary>
    internal static long Later(long nowTicks, long ticks) =>
        ticks > long.MaxValue - nowTicks ? long.MaxValue : nowTicks + ticks;
}

/// <summary>A read or a refresh begins the sliding length anew; it never passes the absolute end.</summary>
internal readonly struct SlidingRenewal : IItemRenewal
{
    public long ExpiryTicks(in ItemInfo info, long nowTicks) => info.Flags == 0
        ? info.ExpiryTicks
        : Math.Min((long)info.Cas, EntryLifetime.Later(nowTicks, EntryLifetime.Decode(info.Flags)));
}
