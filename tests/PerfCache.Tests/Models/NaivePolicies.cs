// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models;

/// <summary>What a naive policy says about one request.</summary>
internal enum Verdict
{
    Hit,
    ColdMiss,
    Refault,
}

/// <summary>A replacement policy in plain collections, straight from its text: slow, and obviously right.</summary>
internal abstract class NaivePolicy(int frames)
{
    protected int Frames { get; } = frames;

    internal abstract Verdict Access(long page, bool repeats);

    internal abstract void Remove(long page);

    /// <summary>The lists, each from head to tail, joined for comparison.</summary>
    internal abstract string Dump();
}

/// <summary>First in, first out.</summary>
internal sealed class NaiveFifo(int frames) : NaivePolicy(frames)
{
    private readonly List<long> _list = [];

    internal override Verdict Access(long page, bool repeats)
    {
        if (_list.Contains(page)) return Verdict.Hit;
        if (_list.Count == Frames) _list.RemoveAt(_list.Count - 1);
        _list.Insert(0, page);
        return Verdict.ColdMiss;
    }

    internal override void Remove(long page) => _list.Remove(page);

    internal override string Dump() => string.Join(' ', _list);
}

/// <summary>Least recently used.</summary>
internal sealed class NaiveLru(int frames) : NaivePolicy(frames)
{
    private readonly List<long> _list = [];

    internal override Verdict Access(long page, bool repeats)
    {
        bool hit = _list.Remove(page);
        if (!hit && _list.Count == Frames) _list.RemoveAt(_list.Count - 1);
        _list.Insert(0, page);
        return hit ? Verdict.Hit : Verdict.ColdMiss;
    }

    internal override void Remove(long page) => _list.Remove(page);

    internal override string Dump() => string.Join(' ', _list);
}
