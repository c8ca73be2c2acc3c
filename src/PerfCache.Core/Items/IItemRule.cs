// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>
/// Chooses which items go when a shard is full. The store does everything else.
/// </summary>
/// <remarks>
/// A rule is a struct used as a type parameter; each shard has a copy of its own, and every verb runs under the
/// shard's lock. It keeps items on lists made from the <see cref="ItemSpace"/>: every item belongs to the rule
/// from
/// <see cref="OnInsert"/> until it evicts it or is told that it goes. A rule reads no clock and never waits.
/// </remarks>
public interface IItemRule
{
    /// <summary>Called once, before anything else: the rule makes its lists and remembers the space.</summary>
    void Attach(ItemSpace space);

    /// <summary>An item was stored; it is on no list.</summary>
    void OnInsert(ItemId item);

    /// <summary>An item was read, or its value replaced by one of the same shape.</summary>
    void OnHit(ItemId item);

    /// <summary>The item goes for another reason than reclaim: the rule must forget it.</summary>
    void OnRemove(ItemId item);

    /// <summary>
    /// Room is wanted for bytes of this size class (<see cref="ItemSpace.ClassOf"/>): evict, by
    /// <see cref="ItemSpace.Evict"/>. The store calls again until it has what it wants.
    /// </summary>
    /// <returns>The number of items evicted: at least one, unless there is none.</returns>
    int Reclaim(int sizeClass);

    /// <summary>Checks the rule's own invariants. For tests.</summary>
    void Validate();
}
