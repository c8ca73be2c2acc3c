// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models;

/// <summary>Clock as a circle of frames and a hand, as in the paper on Multics; a new page goes in behind the hand.</summary>
internal sealed class NaiveClock(int frames) : NaivePolicy(frames)
{
    // The circle, cut open at the hand: index 0 is under it.
    private readonly List<long> _circle = [];
    private readonly HashSet<long> _used = [];

    internal override Verdict Access(long page, bool repeats)
    {
        if (_circle.Contains(page))
        {
            _used.Add(page);
            return Verdict.Hit;
        }

        if (_circle.Count == Frames)
        {
            while (_used.Remove(_circle[0]))
            {
                _circle.Add(_circle[0]);
                _circle.RemoveAt(0);
            }

            _circle.RemoveAt(0);
        }

        _circle.Add(page);
        return Verdict.ColdMiss;
    }

    internal override void Remove(long page)
    {
        _circle.Remove(page);
        _used.Remove(page);
    }

    internal override string Dump() => string.Join(' ', Mark(_circle, _used).Reverse());

    internal static IEnumerable<string> Mark(IEnumerable<long> pages, HashSet<long> used) =>
        pages.Select(page => used.Contains(page) ? $"{page}+1" : $"{page}+0");
}

/// <summary>Sieve, from the paper's algorithm 1: the queue, visited bits, and the hand as a pointer to an object.</summary>
internal sealed class NaiveSieve(int frames) : NaivePolicy(frames)
{
    // Head first.
    private readonly List<long> _queue = [];
    private readonly HashSet<long> _visited = [];
    private long? _hand;

    internal override Verdict Access(long page, bool repeats)
    {
        if (_queue.Contains(page))
        {
            _visited.Add(page);
            return Verdict.Hit;
        }

        if (_queue.Count == Frames)
        {
            long candidate = _hand ?? _queue[^1];
            while (_visited.Remove(candidate)) candidate = Before(candidate) ?? _queue[^1];
            _hand = Before(candidate);
            _queue.Remove(candidate);
        }

        _queue.Insert(0, page);
        return Verdict.ColdMiss;
    }

    internal override void Remove(long page)
    {
        if (page == _hand) _hand = Before(page);
        _queue.Remove(page);
        _visited.Remove(page);
    }

    internal override string Dump() => $"{string.Join(' ', NaiveClock.Mark(_queue, _visited))} | hand {_hand}";

    private long? Before(long page) => _queue[0] == page ? null : _queue[_queue.IndexOf(page) - 1];
}

/// <summary>S3-FIFO, from the paper's algorithm 1, with all of small moving on where the text allows it.</summary>
internal sealed class NaiveS3Fifo(int frames, double small, double ghost, int move) : NaivePolicy(frames)
{
    private readonly int _mainMax = frames - Math.Max(1, (int)(small * frames));
    private readonly int _ghostMax = (int)(ghost * frames);
    private readonly Dictionary<long, int> _uses = [];

    // Head first, all three. A ghost whose page was invalidated is known no more but still takes its place.
    private readonly List<long> _small = [];
    private readonly List<long> _main = [];
    private readonly List<(long Page, bool Known)> _ghosts = [];

    internal override Verdict Access(long page, bool repeats)
    {
        if (_uses.TryGetValue(page, out int uses))
        {
            _uses[page] = Math.Min(uses + 1, 3);
            return Verdict.Hit;
        }

        while (_uses.Count == Frames)
        {
            if (_main.Count > _mainMax || _small.Count == 0) EvictFromMain();
            else EvictFromSmall();
        }

        // After the evictions that make room, as in the paper: they may have pushed this page's own ghost out.
        bool returns = _ghosts.Remove((page, true));
        (returns ? _main : _small).Insert(0, page);
        _uses[page] = 0;
        return returns ? Verdict.Refault : Verdict.ColdMiss;
    }

    internal override void Remove(long page)
    {
        _small.Remove(page);
        _main.Remove(page);
        _uses.Remove(page);
        int ghost = _ghosts.IndexOf((page, true));
        if (ghost >= 0) _ghosts[ghost] = (page, false);
    }

    internal override string Dump() =>
        $"small {Marked(_small)} | main {Marked(_main)} | ghosts {string.Join(' ', _ghosts.Select(ghost => ghost.Page))}";

    private string Marked(List<long> pages) => string.Join(' ', pages.Select(page => $"{page}+{_uses[page]}"));

    private void EvictFromSmall()
    {
        bool evicted = false;
        while (!evicted && _small.Count > 0)
        {
            long tail = _small[^1];
            _small.RemoveAt(_small.Count - 1);
            if (_uses[tail] >= move)
            {
                _main.Insert(0, tail);
                _uses[tail] = 0;
            }
            else
            {
                _uses.Remove(tail);
                _ghosts.Insert(0, (tail, true));
                if (_ghosts.Count > _ghostMax) _ghosts.RemoveAt(_ghosts.Count - 1);
                evicted = true;
            }
        }
    }

    private void EvictFromMain()
    {
        bool evicted = false;
        while (!evicted && _main.Count > 0)
        {
            long tail = _main[^1];
            _main.RemoveAt(_main.Count - 1);
            if (_uses[tail] > 0)
            {
                _main.Insert(0, tail);
                _uses[tail]--;
            }
            else
            {
                _uses.Remove(tail);
                evicted = true;
            }
        }
    }
}
