// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Pages that come in before anybody asks for them.</summary>
public sealed partial class MetadataCache<TRules, TMode>
{
    /// <summary>Brings a page in that was not asked for, as readahead does: no request and no miss is counted, and the rule
    /// is told that the insertion is no access.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <returns>False when the page was resident; nothing has changed then.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page.</exception>
    /// <exception cref="InvalidOperationException">Every frame is held and none can be reclaimed.</exception>
    /// <exception cref="NativeMemoryException">The index cannot grow; the cache is as before.</exception>
    public bool Insert(ObjectId owner, ulong page)
    {
        using Lock.Scope scope = Enter();
        if (!_index.IsPage(owner, page)) ThrowNoPage(owner, page);
        uint address = _index.FindSlot(owner, page);
        if (_index.Entry(address).IsFrame) return false;
        // The life of a page begins in one place; what that place counts is taken back here.
        (long misses, long refaults) = (_misses, _refaults);
        Miss(owner, page, address, repeats: true);
        (_misses, _refaults) = (misses, refaults);
        return true;
    }
}
