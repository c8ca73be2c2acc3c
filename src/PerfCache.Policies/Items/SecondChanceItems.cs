// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Memory;

namespace PerfCache.Policies.Items;

/// <summary>
/// A second chance within each size class, and a frame from another class when that class keeps its items much
/// longer.
/// </summary>
/// <remarks>
/// Remembers: one list a class, by arrival; whether an item was read since it was last looked at. Hit: the mark.
/// Victim: the tail of the wanted class's list; one that was read goes to the head once more instead.
/// <para>
/// Slots of one class are of no use to another, so classes would keep for ever the frames that they had when the
/// store became full (the "slab calcification" of memcached). Now and then, and whenever the wanted class has no
/// item, the class whose oldest item has been idle longest is looked for; when it beats the wanted class by a
/// fifth it gives up the frame in which that item lies, with all items in it, until the balance is there. So
/// every class ends up evicting items of about the same age, the balance that Facebook's memcached keeps
/// (Nishtala et al., NSDI 2013).
/// </para>
/// </remarks>
public struct SecondChanceItems : IItemRule
{
    // Each rotation uses up the mark of an earlier hit, so they are few on average; the limit bounds one eviction.
    private const int RotationsMax = 256;
    private const int ReclaimsPerBalance = 64;

    private ItemSpace _space;
    private ItemList[] _lists;
    private int _untilBalance;

    /// <summary>The items of a class, last arrived or spared first.</summary>
    public readonly ItemList List(int sizeClass) => _lists[sizeClass];

    /// <inheritdoc/>
    public void Attach(ItemSpace space)
    {
        ArgumentNullException.ThrowIfNull(space);
        _space = space;
        _lists = new ItemList[space.ClassCount];
        for (int sizeClass = 0; sizeClass < _lists.Length; sizeClass++) _lists[sizeClass] = space.NewList();
        _untilBalance = ReclaimsPerBalance;
    }

    /// <inheritdoc/>
    public readonly void OnInsert(ItemId item) => _lists[_space.ClassOf(item)].PushHead(item);

    /// <inheritdoc/>
    public readonly void OnHit(ItemId item) => _space.MarkReferenced(item);

    /// <inheritdoc/>
    public readonly void OnRemove(ItemId item) => _lists[_space.ClassOf(item)].Remove(item);

    /// <inheritdoc/>
    public int Reclaim(int sizeClass)
    {
        ItemList own = _lists[sizeClass];
        if (own.Count > 0 && --_untilBalance > 0) return EvictOldest(own);
        _untilBalance = ReclaimsPerBalance;
        int idlest = IdlestClass();
        if (idlest < 0) return 0;
        bool balanced = idlest == sizeClass || !IsMuchIdler(_lists[idlest].Tail, own.Tail);
        if (own.Count > 0 && balanced) return EvictOldest(own);
        // One frame seldom makes the balance: look again the next time.
        _untilBalance = 1;
        return EvictFrameOf(_lists[idlest].Tail);
    }

    /// <inheritdoc/>
    public readonly void Validate()
    {
        uint count = 0;
        for (int sizeClass = 0; sizeClass < _lists.Length; sizeClass++)
        {
            ItemList list = _lists[sizeClass];
            list.Validate();
            count += list.Count;
            for (ItemId item = list.Head; !item.IsNone; item = list.Older(item))
            {
                if (_space.ClassOf(item) != sizeClass)
                    throw new InvariantException($"second chance: {item} is on list {sizeClass}");
            }
        }

        if (count != _space.ItemCount)
        {
            throw new InvariantException(
                $"second chance: expected {_space.ItemCount} items on the lists, found {count}");
        }
    }

    private readonly int EvictOldest(ItemList list)
    {
        ItemId victim = list.Tail;
        for (int i = 0; i < RotationsMax && _space.TakeReferenced(victim); i++)
        {
            list.MoveToHead(victim);
            victim = list.Tail;
        }

        list.Remove(victim);
        _space.Evict(victim);
        return 1;
    }

    private readonly int EvictFrameOf(ItemId item)
    {
        FrameId frame = _space.FrameOf(item);
        int count = 0;
        do
        {
            OnRemove(item);
            _space.Evict(item);
            count++;
            item = _space.FirstItemIn(frame);
        }
        while (!item.IsNone);

        return count;
    }

    private readonly int IdlestClass()
    {
        int idlest = -1;
        long idlestTicks = -1;
        for (int sizeClass = 1; sizeClass < _lists.Length; sizeClass++)
        {
            if (_lists[sizeClass].Count == 0) continue;
            long ticks = _space.IdleTicks(_lists[sizeClass].Tail);
            if (ticks <= idlestTicks) continue;
            idlest = sizeClass;
            idlestTicks = ticks;
        }

        if (idlest < 0 && _lists[0].Count > 0) return 0;
        return idlest;
    }

    private readonly bool IsMuchIdler(ItemId item, ItemId than) =>
        than.IsNone || _space.IdleTicks(item) > _space.IdleTicks(than) / 5 * 6;
}
