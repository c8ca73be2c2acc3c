// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>
/// Remembers the last page that was read through it, so that consecutive reads of one page count as one access.
/// </summary>
/// <remarks>
/// As the kernel does for an open file (mm/filemap.c, filemap_read: a page is marked accessed only when the read does
/// not continue in the page where the previous one ended): a program that reads a page in small pieces uses it once.
/// One reader an open file; a reader belongs to one thread. The default value has read nothing.
/// </remarks>
public struct PageReader
{
    // The complement of the key, so that the default value (0) is no page: its key would have all bits set.
    private ulong _lastInverted;

    /// <summary>Remembers the page, and tells whether it was the last one already.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Repeats(PageKey key)
    {
        bool repeats = _lastInverted == ~key.Packed;
        _lastInverted = ~key.Packed;
        return repeats;
    }

    /// <summary>The last page, if it was one of this object; otherwise a number that no page has.</summary>
    internal readonly ulong LastPageOf(ObjectId owner)
    {
        PageKey last = new(~_lastInverted);
        return _lastInverted != 0 && last.ObjectId == owner ? last.Page : ulong.MaxValue;
    }

    /// <summary>Makes a page the last one.</summary>
    internal void Remember(PageKey key) => _lastInverted = ~key.Packed;
}
