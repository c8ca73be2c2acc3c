// SPDX-License-Identifier: MIT

namespace PerfCache.Cache;

/// <summary>What the cache has counted.</summary>
public partial class PageCache<TRules, TProbe>
{
    /// <summary>Counts since the cache was made.</summary>
    public PageCacheStatistics Statistics
    {
        get
        {
            using (_lock.EnterScope()) return MeasureAll();
        }
    }

    CacheMeasurement IMeasuredCache.Measure()
    {
        using (_lock.EnterScope())
        {
            return new(MeasureAll(), _options.CountHits, ResidentCount, UsedBytes, DirtyCount, _tier?.PageCount ?? 0,
                _isPartitioned ? [.. Existing().Select(Measure)] : [],
                _nodes is null ? [] : MeasureEachNode(),
                _nodes is null ? [] : [.. Existing().Select(each => (each.Name, MeasureNodes(each)))]);
        }
    }

    /// <summary>Under the lock.</summary>
    private PageCacheStatistics MeasureAll() => new()
    {
        Hits = Sum(static partition => partition.Hits.Sum(), _goneHits),
        Misses = Sum(static partition => partition.Misses, _goneMisses),
        LoadFailures = _loadFailures,
        Insertions = _insertions,
        Refaults = Sum(static partition => partition.Refaults, _goneRefaults),
        RefaultActivations = _space.Sum(static space => space.RefaultActivations),
        Activations = _space.Sum(static space => space.Activations),
        Deactivations = _space.Sum(static space => space.Deactivations),
        Evictions = _space.Sum(static space => space.Evictions),
        Removals = _removals,
        ShadowsDropped = _space.ShadowsDropped,
        LockWaits = Interlocked.Read(ref _lockWaits),
        HeldFrames = _space.HeldCount,
        DirtyPages = DirtyCount,
        PagesWritten = _pagesWritten,
        WriteRequests = Interlocked.Read(ref _writeRequests),
        WriteFailures = _writeFailures,
        ReadaheadPages = _readaheadPages,
        ReadaheadHits = Interlocked.Read(ref _readaheadHits),
        ReadaheadWasted = _readaheadWasted,
        ReadaheadDropped = _readaheadDropped,
    };
}
