// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>
/// The number of an item's row in its shard. A row is re-used once its item is gone, so an id means something to the
/// rule of that shard only, and only until the item is removed. Id 0 is reserved: zeroed memory is "no item".
/// </summary>
/// <param name="Value">The row number.</param>
public readonly record struct ItemId(uint Value)
{
    /// <summary>No item.</summary>
    public static ItemId None => default;

    /// <summary>True for <see cref="None"/>.</summary>
    public bool IsNone => Value == 0;

    /// <inheritdoc/>
    public override string ToString() => $"item {Value}";
}
