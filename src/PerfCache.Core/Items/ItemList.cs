// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>An intrusive doubly linked list of items, youngest at the head and oldest at the tail.</summary>
/// <remarks>
/// The links are a column of the shard's rows; a rule makes lists from its <see cref="ItemSpace"/>. An item is on one
/// list at most. Number 0 ends the list on both sides.
/// <para>L1: Next and Previous of neighbours name each other; the ends' outer links are 0.</para>
/// <para>L2: following Next from the head reaches the tail after exactly <see cref="Count"/> items.</para>
/// </remarks>
public sealed class ItemList
{
    private readonly ItemRows _rows;

    internal ItemList(ItemRows rows) => _rows = rows;

    /// <summary>The number of items on the list.</summary>
    public uint Count { get; private set; }

    /// <summary>The youngest item, or <see cref="ItemId.None"/>.</summary>
    public ItemId Head { get; private set; }

    /// <summary>The oldest item, or <see cref="ItemId.None"/>.</summary>
    public ItemId Tail { get; private set; }

    /// <summary>Links an item that is on no list at the head.</summary>
    public void PushHead(ItemId item)
    {
        NativeArray<ItemLink> links = _rows.Links;
        ItemId older = Head;
        links[item.Value] = new ItemLink { Next = older.Value };
        if (older.IsNone) Tail = item;
        else links[older.Value].Previous = item.Value;
        Head = item;
        Count++;
    }

    /// <summary>Unlinks an item of this list.</summary>
    public void Remove(ItemId item)
    {
        NativeArray<ItemLink> links = _rows.Links;
        ItemLink link = links[item.Value];
        Invariant.Assert(Count > 0, nameof(ItemList), "L2: a list that is not empty", Count);
        if (link.Previous == 0) Head = new ItemId(link.Next);
        else links[link.Previous].Next = link.Next;
        if (link.Next == 0) Tail = new ItemId(link.Previous);
        else links[link.Next].Previous = link.Previous;
        links[item.Value] = default;
        Count--;
    }

    /// <summary>Moves an item of this list to the head.</summary>
    public void MoveToHead(ItemId item)
    {
        if (Head == item) return;
        Remove(item);
        PushHead(item);
    }

    /// <summary>The next older item, or <see cref="ItemId.None"/> behind the tail.</summary>
    public ItemId Older(ItemId item) => new(_rows.Links[item.Value].Next);

    /// <summary>Checks L1 and L2. O(count): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    public void Validate()
    {
        uint count = 0;
        uint previous = 0;
        // A circle ends here too: its first item would have two that come before it.
        for (ItemId item = Head; !item.IsNone; item = Older(item))
        {
            Invariant.Check(
                _rows.Links[item.Value].Previous == previous, nameof(ItemList),
                $"L1: {item}'s Previous to be {previous}", _rows.Links[item.Value].Previous);
            count++;
            previous = item.Value;
        }

        Invariant.Check(Tail.Value == previous, nameof(ItemList), $"L2: the tail to be {previous}", Tail.Value);
        Invariant.Check(count == Count, nameof(ItemList), $"L2: a list of {Count} items", count);
    }
}
