// SPDX-License-Identifier: MIT
namespace PerfCache.Cache;

/// <summary>Makes the bytes of a page that comes in, where they will stay: no copy, and nothing is zeroed in vain.</summary>
/// <remarks>
/// Implement it by a struct, so that it is compiled into the insertion. It runs under the cache's lock: it should be
/// short, and must not call the cache. What it throws, the caller of the insertion gets, and the page does not come in.
/// </remarks>
public interface IPageFiller
{
    /// <summary>Writes the page.</summary>
    /// <param name="page">A whole page with arbitrary content, often that of a page that was evicted: whatever is not
    /// written, readers will see.</param>
    void Fill(Span<byte> page);
}
