// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models;

/// <summary>A page that is gone but remembered. Once a removal has made the cache forget the page, the entry
/// still takes its place, and nobody finds it.</summary>
internal sealed class NaiveGhost(long page)
{
    internal long Page { get; } = page;

    internal bool IsKnown { get; set; } = true;
}

/// <summary>2Q, full version, from the paper's pseudo-code.</summary>
internal sealed class NaiveTwoQ(int frames, int inMax, int outMax) : NaivePolicy(frames)
{
    private readonly List<long> _in = [];
    private readonly List<NaiveGhost> _out = [];
    private readonly List<long> _main = [];

    internal override Verdict Access(long page, bool repeats)
    {
        if (_main.Remove(page))
        {
            _main.Insert(0, page);
            return Verdict.Hit;
        }

        NaiveGhost? ghost = _out.Find(ghost => ghost.IsKnown && ghost.Page == page);
        if (ghost is not null)
        {
            _out.Remove(ghost);
            ReclaimFor();
            _main.Insert(0, page);
            return Verdict.Refault;
        }

        if (_in.Contains(page)) return Verdict.Hit;
        ReclaimFor();
        _in.Insert(0, page);
        return Verdict.ColdMiss;
    }

    internal override void Remove(long page)
    {
        _in.Remove(page);
        _main.Remove(page);
        foreach (NaiveGhost ghost in _out.Where(ghost => ghost.Page == page)) ghost.IsKnown = false;
    }

    internal override string Dump() =>
        $"A1in {string.Join(' ', _in)} | A1out {string.Join(' ', _out.Select(ghost => ghost.Page))} | Am "
        + string.Join(' ', _main);

    private void ReclaimFor()
    {
        if (_in.Count + _main.Count < Frames) return;
        if (_in.Count > inMax || _main.Count == 0)
        {
            _out.Insert(0, new NaiveGhost(_in[^1]));
            _in.RemoveAt(_in.Count - 1);
            if (_out.Count > outMax) _out.RemoveAt(_out.Count - 1);
            return;
        }

        _main.RemoveAt(_main.Count - 1);
    }
}

/// <summary>ARC, from figure 4 of the paper, case by case.</summary>
internal sealed class NaiveArc(int frames) : NaivePolicy(frames)
{
    private readonly List<long> _t1 = [];
    private readonly List<long> _t2 = [];
    private readonly List<NaiveGhost> _b1 = [];
    private readonly List<NaiveGhost> _b2 = [];
    private double _p;

    internal override Verdict Access(long page, bool repeats)
    {
        if (_t1.Remove(page) || _t2.Remove(page))
        {
            _t2.Insert(0, page);
            return Verdict.Hit;
        }

        if (Find(_b1, page) is { } once)
        {
            double delta = _b1.Count >= _b2.Count ? 1 : (double)_b2.Count / _b1.Count;
            _p = Math.Min(_p + delta, Frames);
            Replace(isInB2: false);
            _b1.Remove(once);
            _t2.Insert(0, page);
            return Verdict.Refault;
        }

        if (Find(_b2, page) is { } twice)
        {
            double delta = _b2.Count >= _b1.Count ? 1 : (double)_b1.Count / _b2.Count;
            _p = Math.Max(_p - delta, 0);
            Replace(isInB2: true);
            _b2.Remove(twice);
            _t2.Insert(0, page);
            return Verdict.Refault;
        }

        BringInUnknown();
        _t1.Insert(0, page);
        return Verdict.ColdMiss;
    }

    internal override void Remove(long page)
    {
        _t1.Remove(page);
        _t2.Remove(page);
        foreach (NaiveGhost ghost in _b1.Concat(_b2).Where(ghost => ghost.Page == page)) ghost.IsKnown = false;
    }

    internal override string Dump() =>
        $"T1 {string.Join(' ', _t1)} | T2 {string.Join(' ', _t2)} | B1 {string.Join(' ', _b1.Select(ghost => ghost.Page))}"
        + $" | B2 {string.Join(' ', _b2.Select(ghost => ghost.Page))} | p {_p}";

    private static NaiveGhost? Find(List<NaiveGhost> ghosts, long page) =>
        ghosts.Find(ghost => ghost.IsKnown && ghost.Page == page);

    private void BringInUnknown()
    {
        int l1 = _t1.Count + _b1.Count;
        int all = l1 + _t2.Count + _b2.Count;
        if (l1 == Frames)
        {
            if (_t1.Count < Frames)
            {
                _b1.RemoveAt(_b1.Count - 1);
                Replace(isInB2: false);
            }
            else
            {
                _t1.RemoveAt(_t1.Count - 1);
            }
        }
        else if (all >= Frames)
        {
            if (all == 2 * Frames) _b2.RemoveAt(_b2.Count - 1);
            Replace(isInB2: false);
        }
    }

    /// <summary>The paper's REPLACE; nothing while frames are free, which its cache never has again once it was
    /// full.</summary>
    private void Replace(bool isInB2)
    {
        if (_t1.Count + _t2.Count < Frames) return;
        bool fromT1 = _t1.Count >= 1 && ((isInB2 && _t1.Count == _p) || _t1.Count > _p);
        (List<long> pages, List<NaiveGhost> ghosts) = fromT1 ? (_t1, _b1) : (_t2, _b2);
        ghosts.Insert(0, new NaiveGhost(pages[^1]));
        pages.RemoveAt(pages.Count - 1);
    }
}

/// <summary>LIRS, from section 3 of the paper; S is a list that is searched, and holds the very entries that Q
/// holds.</summary>
internal sealed class NaiveLirs(int frames, int lirMax, int stackMax) : NaivePolicy(frames)
{
    private readonly List<Entry> _stack = [];
    private readonly List<Entry> _queue = [];

    private int LirCount => _stack.Count(entry => entry.IsLir);

    internal override Verdict Access(long page, bool repeats)
    {
        Entry? entry = _stack.Concat(_queue).FirstOrDefault(entry => entry.IsKnown && entry.Page == page);
        Verdict verdict = entry is null ? Verdict.ColdMiss : entry.IsResident ? Verdict.Hit : Verdict.Refault;
        if (verdict != Verdict.Hit && LirCount + _queue.Count == Frames)
        {
            _queue[0].IsResident = false;
            _queue.RemoveAt(0);
        }

        entry ??= new Entry(page);
        bool wasOnStack = _stack.Remove(entry);
        _queue.Remove(entry);
        entry.IsResident = true;
        _stack.Insert(0, entry);
        if (entry.IsLir || wasOnStack || LirCount < lirMax)
        {
            entry.IsLir = true;
            if (LirCount > lirMax)
            {
                Entry bottom = _stack[^1];
                _stack.RemoveAt(_stack.Count - 1);
                bottom.IsLir = false;
                _queue.Add(bottom);
            }
        }
        else
        {
            _queue.Add(entry);
        }

        Prune();
        while (_stack.Count > stackMax) _stack.RemoveAt(_stack.FindLastIndex(entry => !entry.IsResident));
        return verdict;
    }

    internal override void Remove(long page)
    {
        _stack.RemoveAll(entry => entry.IsResident && entry.Page == page);
        _queue.RemoveAll(entry => entry.Page == page);
        foreach (Entry entry in _stack.Where(entry => entry.Page == page)) entry.IsKnown = false;
        Prune();
    }

    internal override string Dump() =>
        $"S {string.Join(' ', _stack.Select(entry => $"{entry.Page}{(entry.IsLir ? 'L' : entry.IsResident ? 'h' : 'n')}"))}"
        + $" | Q {string.Join(' ', _queue.Select(entry => entry.Page))}";

    private void Prune() => _stack.RemoveRange(_stack.FindLastIndex(entry => entry.IsLir) + 1,
        _stack.Count - 1 - _stack.FindLastIndex(entry => entry.IsLir));

    private sealed class Entry(long page)
    {
        internal long Page { get; } = page;

        internal bool IsLir { get; set; }

        internal bool IsResident { get; set; }

        internal bool IsKnown { get; set; } = true;
    }
}
