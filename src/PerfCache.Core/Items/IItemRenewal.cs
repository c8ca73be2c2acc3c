// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>What expiry an item has after it was read or touched, told from the item itself.</summary>
/// <remarks>
/// A struct used as a type parameter, called under the shard's lock: so nobody can put another value there between
/// the look at the old expiry and the new one. It reads no clock and never waits.
/// </remarks>
public interface IItemRenewal
{
    /// <summary>The tick from which on the item is expired.</summary>
    /// <param name="info">The item as it was found.</param>
    /// <param name="nowTicks">The time of the verb.</param>
    long ExpiryTicks(in ItemInfo info, long nowTicks);
}

/// <summary>The expiry stays.</summary>
internal readonly struct KeepExpiry : IItemRenewal
{
    public long ExpiryTicks(in ItemInfo info, long nowTicks) => info.ExpiryTicks;
}

/// <summary>The same expiry whatever the item.</summary>
internal readonly struct SetExpiry(long expiryTicks) : IItemRenewal
{
    public long ExpiryTicks(in ItemInfo info, long nowTicks) => expiryTicks;
}
