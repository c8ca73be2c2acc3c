// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models;

/// <summary>
/// The two-list LRU of Linux from its written rules (docs/policies.md), with lists, sets and dictionaries.
/// <paramref name="modern"/> selects the 6.x rules, otherwise those of 3.15.
/// </summary>
internal sealed class NaiveLinux(int frames, bool modern, int reclaimBatch, int cpuBatch) : NaivePolicy(frames)
{
    private readonly List<long> _active = [];
    private readonly List<long> _inactive = [];
    private readonly List<long> _additions = [];
    private readonly List<long> _activations = [];
    private readonly HashSet<long> _referenced = [];
    private readonly HashSet<long> _flaggedActive = [];
    private readonly HashSet<long> _wasActive = [];
    private readonly Dictionary<long, (long Age, bool WasActive)> _shadows = [];
    private readonly List<long> _shadowOnlyLeaves = [];
    private long _age;
    private long _refaultActivations;
    private long _refaultActivationsSeen;
    private long _carried;

    internal long Activations { get; private set; }

    internal long Deactivations { get; private set; }

    private int Resident => _active.Count + _inactive.Count + _additions.Count;

    internal override Verdict Access(long page, bool repeats)
    {
        if (IsResident(page))
        {
            if (!repeats) MarkAccessed(page);
            return Verdict.Hit;
        }

        while (Resident == Frames) Reclaim();
        bool refault = _shadows.Remove(page, out (long Age, bool WasActive) shadow);
        _shadowOnlyLeaves.Remove(page / 64);
        if (refault && _age - shadow.Age <= _active.Count)
        {
            _flaggedActive.Add(page);
            if (shadow.WasActive) _wasActive.Add(page);
            _age++;
            _refaultActivations++;
            Activations++;
        }

        if (!repeats) _referenced.Add(page);
        _additions.Add(page);
        if (_additions.Count == cpuBatch) DrainAdditions();
        return refault ? Verdict.Refault : Verdict.ColdMiss;
    }

    internal override void Remove(long page)
    {
        if (IsResident(page))
        {
            DrainAdditions();
            DrainActivations();
            _active.Remove(page);
            _inactive.Remove(page);
            Forget(page);
            UpdateLeaf(page / 64);
        }
        else if (_shadows.Remove(page) && !LeafPages(page).Any(_shadows.ContainsKey))
        {
            _shadowOnlyLeaves.Remove(page / 64);
        }
    }

    internal override string Dump() =>
        $"active {string.Join(' ', _active)} | inactive {string.Join(' ', _inactive)} | age {_age}";

    private bool IsResident(long page) =>
        _active.Contains(page) || _inactive.Contains(page) || _additions.Contains(page);

    private void MarkAccessed(long page)
    {
        if (_referenced.Add(page) || _flaggedActive.Contains(page)) return;
        _referenced.Remove(page);
        _age++;
        if (_additions.Contains(page))
        {
            _flaggedActive.Add(page);
            Activations++;
            return;
        }

        _activations.Add(page);
        if (_activations.Count == cpuBatch) DrainActivations();
    }

    private void DrainAdditions()
    {
        foreach (long page in _additions) (_flaggedActive.Contains(page) ? _active : _inactive).Insert(0, page);
        _additions.Clear();
    }

    private void DrainActivations()
    {
        foreach (long page in _activations)
        {
            if (!_flaggedActive.Add(page)) continue;
            _inactive.Remove(page);
            _active.Insert(0, page);
            Activations++;
        }

        _activations.Clear();
    }

    private void Reclaim()
    {
        DrainAdditions();
        DrainActivations();
        if (Passes(force: false) == 0) Passes(force: true);
        _refaultActivationsSeen = _refaultActivations;
    }

    private bool MayDeactivate() => modern
        ? _inactive.Count < _active.Count || _refaultActivations != _refaultActivationsSeen
        : _active.Count > _inactive.Count;

    private int Passes(bool force)
    {
        bool decision = force || MayDeactivate();
        int freed = 0;
        for (int priority = 12; priority >= 0 && freed < reclaimBatch; priority--)
        {
            int inactive = _inactive.Count >> priority;
            int active = _active.Count >> priority;
            int freedNow = 0;
            while ((inactive > 0 || active > 0) && freedNow < reclaimBatch)
            {
                for (int i = Math.Min(inactive, reclaimBatch); i > 0 && _inactive.Count > 0; i--, freedNow++) EvictOldest();
                inactive -= Math.Min(inactive, reclaimBatch);
                bool allowed = modern ? decision : force || MayDeactivate();
                for (int i = Math.Min(active, reclaimBatch); i > 0 && allowed && _active.Count > 0; i--) DeactivateOldest();
                active -= Math.Min(active, reclaimBatch);
            }

            freed += freedNow;
            DropShadows(priority);
        }

        return freed;
    }

    private void EvictOldest()
    {
        long page = _inactive[^1];
        _inactive.RemoveAt(_inactive.Count - 1);
        bool wasActive = _wasActive.Contains(page);
        _shadows[page] = (modern ? _age++ : ++_age, wasActive);
        Forget(page);
        UpdateLeaf(page / 64);
    }

    private void DeactivateOldest()
    {
        long page = _active[^1];
        _active.RemoveAt(_active.Count - 1);
        _flaggedActive.Remove(page);
        if (modern) _wasActive.Add(page);
        _inactive.Insert(0, page);
        Deactivations++;
    }

    private void Forget(long page)
    {
        _referenced.Remove(page);
        _flaggedActive.Remove(page);
        _wasActive.Remove(page);
    }

    private static IEnumerable<long> LeafPages(long page) =>
        Enumerable.Range(0, 64).Select(i => (page / 64 * 64) + i);

    private void UpdateLeaf(long leaf)
    {
        bool frames = LeafPages(leaf * 64).Any(IsResident);
        bool shadows = LeafPages(leaf * 64).Any(_shadows.ContainsKey);
        if (!frames && shadows && !_shadowOnlyLeaves.Contains(leaf)) _shadowOnlyLeaves.Add(leaf);
        if (frames || !shadows) _shadowOnlyLeaves.Remove(leaf);
    }

    private void DropShadows(int priority)
    {
        long drop;
        if (modern)
        {
            int leaves = _active.Concat(_inactive).Concat(_shadows.Keys).Select(page => page / 64).Distinct().Count();
            long excess = _shadowOnlyLeaves.Count - ((Resident + (leaves * 576L / 4096)) / 8);
            if (excess <= 0) return;
            long half = excess / 2;
            long work = Math.Min((_carried >> priority) + half, 2 * excess);
            for (drop = 0; (work >= 128 || work >= excess) && drop < _shadowOnlyLeaves.Count;)
            {
                long chunk = Math.Min(Math.Min(128, work), _shadowOnlyLeaves.Count - drop);
                if (chunk == 0) break;
                work -= chunk;
                drop += chunk;
            }

            _carried = Math.Min(Math.Max(_carried + half - drop, 0), 2 * excess);
        }
        else
        {
            drop = Math.Max(0, _shadowOnlyLeaves.Count - (Frames / 16));
        }

        for (; drop > 0; drop--)
        {
            foreach (long page in LeafPages(_shadowOnlyLeaves[0] * 64)) _shadows.Remove(page);
            _shadowOnlyLeaves.RemoveAt(0);
        }
    }
}
