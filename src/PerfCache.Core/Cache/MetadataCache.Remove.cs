// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Pages that go because somebody says so, walks over an object, and validation.</summary>
public sealed partial class MetadataCache<TRules, TMode>
{
    /// <summary>Forgets a page: its frame becomes free, and no shadow stays.</summary>
    /// <returns>True when the page was resident.</returns>
    public bool Remove(ObjectId owner, ulong page)
    {
        using Lock.Scope scope = Enter();
        if (!_index.IsPage(owner, page)) return false;
        uint address = _index.FindSlot(owner, page);
        return RemoveEntry(address, _index.Entry(address));
    }

    /// <summary>Forgets a range of an object's pages, as truncating a file does.</summary>
    /// <returns>The number of pages that were resident.</returns>
    public long RemoveRange(ObjectId owner, ulong firstPage, ulong pageCount)
    {
        using Lock.Scope scope = Enter();
        if (pageCount == 0 || !_index.IsPage(owner, firstPage)) return 0;
        return RemoveRangeCore(owner, firstPage, LastPage(firstPage, pageCount));
    }

    /// <summary>Forgets an object and all its pages; its number is not used again.</summary>
    /// <returns>The number of pages that were resident.</returns>
    public long RemoveObject(ObjectId owner)
    {
        using Lock.Scope scope = Enter();
        if (!_index.IsPage(owner, 0)) return 0;
        long removed = RemoveRangeCore(owner, 0, PageKey.PageMax);
        _index.RemoveObject(owner);
        return removed;
    }

    /// <summary>Calls <paramref name="visit"/> with each resident page of an object and its frame, in ascending order.</summary>
    /// <remarks>The visitor must not change the cache.</remarks>
    public void VisitResident(ObjectId owner, Action<ulong, FrameId> visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        using Lock.Scope scope = Enter();
        if (!_index.IsPage(owner, 0)) return;
        _index.Walk(owner, 0, PageKey.PageMax, (page, _, entry) => visit(page, entry.Frame), framesOnly: true);
    }

    /// <summary>Checks the invariants of every structure of the cache. O(frames + index): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    public void Validate()
    {
        using Lock.Scope scope = Enter();
        ObjectDisposedException.ThrowIf(_disposed, this);
        _space.Validate();
        _rules.Validate();
    }

    private static ulong LastPage(ulong firstPage, ulong pageCount) =>
        Math.Min(PageKey.PageMax, pageCount - 1 > PageKey.PageMax - firstPage ? PageKey.PageMax : firstPage + pageCount - 1);

    private long RemoveRangeCore(ObjectId owner, ulong firstPage, ulong lastPage)
    {
        long removed = 0;
        _index.Walk(owner, firstPage, lastPage, (_, address, entry) =>
        {
            if (RemoveEntry(address, entry)) removed++;
        });
        return removed;
    }

    private bool RemoveEntry(uint address, SlotEntry entry)
    {
        if (entry.IsShadow) _space.ClearShadow(address);
        if (!entry.IsFrame) return false;
        _rules.OnRemove(entry.Frame);
        _space.Remove(entry.Frame);
        _removals++;
        return true;
    }
}
