// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Simulation.Replay;

/// <summary>A cell that replays into the production page cache with one rule: metadata only, one thread.</summary>
internal sealed class CacheReplayCell<TRules> : ReplayCell where TRules : struct, IReplacementRules
{
    private readonly MetadataCache<TRules, ReplayMode> _cache;
    private readonly ObjectId _object;
    private PageReader[] _readers = new PageReader[1];
    private AccessOutcome[] _found = [];

    private readonly NextUses? _nextUses;

    internal CacheReplayCell(
        string policy, uint frames, PageNumbering numbering, TRules rules, NextUses? nextUses = null)
    {
        _nextUses = nextUses;
        Policy = policy;
        Numbering = numbering;
        _cache = new MetadataCache<TRules, ReplayMode>(frames, rules);
        _object = _cache.AddObject(1UL << 32, dense: true);
    }

    public override string Policy { get; }

    public override long Frames => _cache.FrameCount;

    public override PageNumbering Numbering { get; }

    public override bool CountsRefaults => Numbering == PageNumbering.PerLeaf;

    public override ReplayCounts Counts
    {
        get
        {
            CacheStatistics statistics = _cache.Statistics;
            return new ReplayCounts(
                statistics.Misses, statistics.Refaults, statistics.Activations, statistics.Deactivations,
                statistics.Evictions);
        }
    }

    public override long NativeBytes => _cache.Memory.TotalBytes;

    public override long ShadowBytes => _cache.Memory.ShadowBytes;

    public override void Replay(ReplayRequests requests, Span<byte> outcomes)
    {
        ReadOnlySpan<uint> pages = requests.Pages;
        ReadOnlySpan<int> files = requests.Files;
        _nextUses?.Load(requests.NextUses);
        foreach (int file in files)
            if (file >= _readers.Length) Array.Resize(ref _readers, Math.Max(file + 1, _readers.Length * 2));
        if (!outcomes.IsEmpty && _found.Length < pages.Length) _found = new AccessOutcome[pages.Length];
        Span<AccessOutcome> found = outcomes.IsEmpty ? default : _found.AsSpan(0, pages.Length);
        if (files.IsEmpty) _cache.AccessMany(_object, pages, ref _readers[0], found, LookAhead);
        else _cache.AccessMany(_object, pages, files, _readers, found);
        for (int i = 0; i < found.Length; i++) outcomes[i] = found[i] == AccessOutcome.Hit ? Hit : Miss;
    }

    public override void VisitResident(Action<uint> visit) =>
        _cache.VisitResident(_object, (page, _) => visit((uint)page));

    public override void Dispose() => _cache.Dispose();
}
