// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models;

/// <summary>Least frequently used, by sorting: count first, then the request at which the count was reached.</summary>
internal sealed class NaiveLfu(int frames) : NaivePolicy(frames)
{
    private readonly Dictionary<long, (int Count, int Since)> _pages = [];
    private int _now;

    internal override Verdict Access(long page, bool repeats)
    {
        _now++;
        if (_pages.TryGetValue(page, out (int Count, int Since) known))
        {
            _pages[page] = (known.Count + 1, _now);
            return Verdict.Hit;
        }

        if (_pages.Count == Frames) _pages.Remove(Ordered().Last());
        _pages[page] = (1, _now);
        return Verdict.ColdMiss;
    }

    internal override void Remove(long page) => _pages.Remove(page);

    internal override string Dump() => string.Join(' ', Ordered().Select(page => $"{page}+{_pages[page].Count}"));

    private IEnumerable<long> Ordered() =>
        _pages.Keys.OrderByDescending(page => _pages[page].Count).ThenByDescending(page => _pages[page].Since);
}

/// <summary>Belady's MIN by looking ahead through the requests; of pages that are never used again, the one that has been
/// so for longest goes.</summary>
internal sealed class NaiveBelady(int frames, long[] requests) : NaivePolicy(frames)
{
    private readonly Dictionary<long, int> _lastUse = [];
    private int _now;

    internal override Verdict Access(long page, bool repeats)
    {
        bool hit = _lastUse.ContainsKey(page);
        if (!hit && _lastUse.Count == Frames)
        {
            _lastUse.Remove(_lastUse.Keys.OrderByDescending(NextUse).ThenBy(old => _lastUse[old]).First());
        }

        _lastUse[page] = _now++;
        return hit ? Verdict.Hit : Verdict.ColdMiss;
    }

    internal override void Remove(long page) => _lastUse.Remove(page);

    internal override string Dump() =>
        string.Join(' ', _lastUse.Keys.Select(page => (page, NextUse(page))).OrderBy(pair => pair.page));

    private int NextUse(long page)
    {
        int next = Array.IndexOf(requests, page, _now);
        return next < 0 ? int.MaxValue : next;
    }
}
