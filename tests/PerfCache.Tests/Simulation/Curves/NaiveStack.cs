// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Simulation.Curves;

/// <summary>
/// The naive twin of the stack distances: the stack itself, as a list with the latest page first, searched from the
/// front (Mattson and others 1970, without any cleverness).
/// </summary>
internal sealed class NaiveStack
{
    private readonly List<uint> _pages = [];

    internal int Count => _pages.Count;

    /// <summary>The distance of a request, 0 for a page that is not on the stack.</summary>
    internal uint Measure(uint page)
    {
        int place = _pages.IndexOf(page);
        if (place >= 0) _pages.RemoveAt(place);
        _pages.Insert(0, page);
        return (uint)(place + 1);
    }

    internal void Forget(uint page) => _pages.Remove(page);
}
