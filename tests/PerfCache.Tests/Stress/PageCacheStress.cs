// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Cache;
using PerfCache.Cache.Nodes;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Stress;

/// <summary>
/// Threads that do everything to one small cache at once, and look at every byte that they get.
/// </summary>
/// <remarks>
/// Readers take pages by lease, by epoch and by copy, and load what is missing; another asks for pages asynchronously and
/// often gives up. A writer stamps pages, an adder puts them
/// in, and one thread turns everything over: it invalidates pages, ranges and objects, removes objects and adds new ones,
/// and resizes the cache. With partitions it also moves their limits, and objects come with partitions of their own, which
/// go when nobody holds a page of them. With nodes the frames lie on three, callers are on each by turns, and a mover moves
/// pages, ranges and partitions between them. A <em>violation</em> is a page whose bytes are not one generation of it; a
/// <em>failure</em> is an exception that nobody provoked.
/// </remarks>
internal sealed class PageCacheStress<TRules, TProbe> : IDisposable
    where TRules : struct, IFlagRules
    where TProbe : struct, ICacheProbe
{
    private const int PageBytes = 4096;
    private const int ReaderCount = 3;
    private const int ObjectCount = 4;
    private const uint PagesOfObject = 120;
    private const long DirtyMax = 6;
    private const long BytesMin = 420 << 10;
    private const long BytesMax = 680 << 10;
    private const long LimitMin = 20 * PageBytes;
    private const long GuaranteeMax = 24 * PageBytes;
    private const int NodeCount = 3;

    private readonly PageCache<TRules, TProbe> _cache;
    private readonly StampedSource[] _objects = new StampedSource[ObjectCount];
    private readonly PartitionId[] _partitions = new PartitionId[ObjectCount];
    private readonly List<PartitionId> _emptied = [];
    private readonly Func<TRules>? _newRules;
    private readonly bool _goesOnAfterFailures;
    private readonly bool _hasNodes;
    private readonly ulong _seed;
    private ulong _objectNumber;
    private int _partitionNumber;
    private volatile bool _stop;
    private Aim? _aim;
    private string? _violation;
    private Exception? _failure;
    private long _pagesSeen;
    private long _givenUp;

    /// <param name="rules">The cache's rule.</param>
    /// <param name="seed">Of what the threads do.</param>
    /// <param name="goesOnAfterFailures">True when only violations end the run.</param>
    /// <param name="newRules">Makes the rule of a partition; null for a cache without partitions.</param>
    /// <param name="patience">The cache's; null for the usual one.</param>
    /// <param name="hasNodes">True for nodes, and pages that move between them.</param>
    internal PageCacheStress(
        TRules rules, int seed, bool goesOnAfterFailures = false, Func<TRules>? newRules = null,
        TimeSpan? patience = null, bool hasNodes = false)
    {
        _hasNodes = hasNodes;
        _newRules = newRules;
        _goesOnAfterFailures = goesOnAfterFailures;
        _seed = (ulong)seed * 1000;
        _objectNumber = _seed;
        PageCacheOptions options = new()
        {
            CapacityBytes = BytesMax,
            CapacityBytesMax = BytesMax,
            CountHits = true,
            Nodes = hasNodes ? NewNodes() : null,
        };
        if (patience is not null) options = options with { Patience = patience.Value };
        _cache = new PageCache<TRules, TProbe>(options, rules);
        for (int i = 0; i < ObjectCount; i++)
        {
            if (newRules is not null && i > 0) AddPartition(i);
            AddObject(i);
        }
    }

    /// <summary>The first violation, or null.</summary>
    internal string? Violation => Volatile.Read(ref _violation);

    /// <summary>The first failure, or null.</summary>
    internal Exception? Failure => Volatile.Read(ref _failure);

    /// <summary>Pages that were looked at.</summary>
    internal long PagesSeen => Interlocked.Read(ref _pagesSeen);

    /// <summary>Asynchronous requests that were cancelled before their page was there.</summary>
    internal long GivenUp => Interlocked.Read(ref _givenUp);

    internal PageCacheStatistics Statistics => _cache.Statistics;

    /// <summary>All counts at one moment: the flusher goes on when the threads have ended.</summary>
    internal CacheMeasurement Measurement => ((IMeasuredCache)_cache).Measure();

    internal MigrationStatistics Migrations => _cache.MigrationStatistics;

    internal NodeStatistics[] Nodes => _cache.GetNodeStatistics();

    /// <summary>Partitions that went while threads used the cache.</summary>
    internal int PartitionsRemoved { get; private set; }

    /// <summary>Runs for a time and until so many pages were looked at, which takes longer on a busy machine, or until the
    /// first violation, or until <paramref name="until"/> says so.</summary>
    /// <returns>The name of a thread that did not end, or null.</returns>
    internal string? Run(TimeSpan duration, long pagesMin, TimeSpan durationMax, Func<bool>? until = null)
    {
        List<Thread> threads = [];
        for (int i = 0; i < ReaderCount; i++) threads.Add(Start($"reader {i}", i, Read));
        threads.Add(Start("asynchronous reader", 9, Repeat(ReadOrGiveUp)));
        threads.Add(Start("writer", 10, Repeat(Write)));
        threads.Add(Start("adder", 11, Repeat(Add)));
        threads.Add(Start("turner", 12, Repeat(TurnOver)));
        if (_hasNodes) threads.Add(Start("mover", 13, Repeat(Move)));
        long start = Stopwatch.GetTimestamp();
        // The first thread ends when all are told to.
        while (!_stop && !threads[0].Join(TimeSpan.FromMilliseconds(5)))
        {
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            _stop |= elapsed >= durationMax || (elapsed >= duration && PagesSeen >= pagesMin)
                || until?.Invoke() == true;
        }

        string? hanging = null;
        foreach (Thread thread in threads)
            if (!thread.Join(TimeSpan.FromSeconds(60))) hanging ??= thread.Name;
        return hanging;
    }

    /// <summary>All invariants, once no thread is there any more.</summary>
    internal void Validate() => _cache.Validate();

    /// <summary>Ends the cache, which fails if anything is still pinned.</summary>
    public void Dispose() => _cache.Dispose();

    private Thread Start(string name, int number, Action run)
    {
        Thread thread = new(() =>
        {
            StallPoints.Seed(_seed + (ulong)number);
            run();
        })
        {
            IsBackground = true,
            Name = name,
        };
        thread.Start();
        return thread;
    }

    private Action Repeat(Action<StampedSource, ulong> step) => () =>
    {
        while (!_stop) Try(step);
    };

    private void Read()
    {
        byte[] copy = new byte[PageBytes];
        while (!_stop)
        {
            using CacheReader<TRules, TProbe> reader = _cache.OpenReader();
            for (int i = 0; i < 500 && !_stop; i++) Try((source, page) => ReadOnce(reader, copy, source, page));
        }
    }

    private void ReadOnce(CacheReader<TRules, TProbe> reader, byte[] copy, StampedSource source, ulong page)
    {
        switch (StallPoints.Next() % 8)
        {
            case 0 or 1 when _cache.TryGet(source.Id, page, out PageLease lease):
                using (lease) LookTwice("lease", source, page, lease.Span);
                break;
            case 2 or 3 when reader.TryGet(source.Id, page, out EpochLease lease):
                using (lease) LookTwice("epoch lease", source, page, lease.Span);
                break;
            case 4 or 5 when _cache.TryCopy(source.Id, page, 0, copy):
                Look("copy", source, page, copy);
                break;
            case 6:
                using (PageLease lease = _cache.Get(source.Id, page)) LookTwice("loaded lease", source, page, lease.Span);
                break;
            case 7:
                _cache.Touch(source.Id, page);
                break;
        }
    }

    /// <summary>Asks for a page, and now and then does not wait until it is there.</summary>
    private void ReadOrGiveUp(StampedSource source, ulong page)
    {
        using CancellationTokenSource givesUp = new();
        ValueTask<PageLease> asked = _cache.GetAsync(source.Id, page, givesUp.Token);
        uint random = StallPoints.Next();
        if (!asked.IsCompleted && random % 4 != 0)
        {
            StallPoints.Stall(random >> 29);
            givesUp.Cancel();
        }

        try
        {
            using PageLease lease = asked.AsTask().GetAwaiter().GetResult();
            LookTwice("asynchronous lease", source, page, lease.Span);
        }
        catch (OperationCanceledException)
        {
            Interlocked.Increment(ref _givenUp);
        }
    }

    private void Write(StampedSource source, ulong page)
    {
        if (_hasNodes)
        {
            // The mover aims here: it shall begin to copy just before the page is written.
            Volatile.Write(ref _aim, new Aim(source, page));
            StallPoints.Stall(1);
        }

        using (WriteLease lease = _cache.GetForWrite(source.Id, page))
        {
            Look("write lease", source, page, lease.Span);
            uint generation = StallPoints.Next();
            // First a part, so that the page is two generations for a while.
            source.Stamp(generation, page, lease.Span[..(PageBytes / 2)]);
            StallPoints.Stall(generation >> 29);
            source.Stamp(generation, page, lease.Span);
        }

        if (StallPoints.Next() % 2 == 0) _cache.Invalidate(source.Id, page);
        // Nobody writes back here, and changed pages stay.
        if (_cache.DirtyCount <= DirtyMax) return;
        foreach (StampedSource each in _objects) _cache.InvalidateObject(each.Id);
    }

    private void Add(StampedSource source, ulong page)
    {
        byte[] bytes = new byte[PageBytes];
        source.Stamp(StallPoints.Next(), page, bytes);
        if (_cache.TryAdd(source.Id, page, bytes) || !_cache.Contains(source.Id, page)) return;
        using PageLease lease = _cache.GetOrAdd(source.Id, page, source);
        LookTwice("added lease", source, page, lease.Span);
    }

    /// <summary>A page that is about to be written.</summary>
    private sealed record Aim(StampedSource Source, ulong Page);

    private static NodeOptions NewNodes() => new()
    {
        Topology = NumaTopology.Read().Emulate(NumaDistances.Uniform(NodeCount, 10, 20)),
        CallerNode = () => (int)(StallPoints.Next() % NodeCount),
        Migration = new MigrationOptions { BatchPages = 8, RetryDelay = TimeSpan.FromMilliseconds(1) },
    };

    private void Move(StampedSource source, ulong page)
    {
        uint random = StallPoints.Next();
        int node = (int)(random % NodeCount);
        MigrationRequest request = ((random >> 8) % 4) switch
        {
            0 when (random & 64) == 0 => MigrationRequest.OfPartition(default, node) with { PagesMax = 16 },
            0 => MigrationRequest.OfRange(source.Id, 0, PageKey.PageMax, node) with { PagesMax = 16 },
            1 or 2 when Volatile.Read(ref _aim) is { } aim => MigrationRequest.OfRange(aim.Source.Id, aim.Page, 1, node),
            _ => MigrationRequest.OfRange(source.Id, page, 4, node),
        };
        request = request with { MayEvict = (random >> 16) % 2 == 0 };
        if ((random >> 20) % 4 == 0) _cache.MigrateAsync(request).Wait(TimeSpan.FromSeconds(30));
        else _cache.Migrate(request);
    }

    private void TurnOver(StampedSource source, ulong page)
    {
        uint random = StallPoints.Next();
        switch (random % 64)
        {
            case 0:
                int place = Array.IndexOf(_objects, source);
                AddObject(place);
                source.IsRemoved = true;
                _cache.RemoveObject(source.Id);
                break;
            case 1:
                _cache.InvalidateObject(source.Id);
                break;
            case 2 or 3:
                _cache.Resize(BytesMin + ((random >> 8) % (BytesMax - BytesMin)));
                break;
            case 4 or 5 or 6 when _newRules is not null:
                MoveLimits(random >> 8);
                break;
            case 7 when _newRules is not null:
                TurnOverPartition();
                break;
            case < 12:
                _cache.InvalidateRange(source.Id, page, 5);
                break;
            default:
                _cache.Invalidate(source.Id, page);
                break;
        }

        // Only this thread resizes.
        if (_cache.UsedBytes > _cache.CapacityBytes)
            throw new InvalidOperationException($"{_cache.UsedBytes} bytes used of {_cache.CapacityBytes}");
        StallPoints.Stall(8);
    }

    /// <summary>The last place has a partition without limits, to come and go; those between have a guarantee, a limit, or
    /// both.</summary>
    private void AddPartition(int place)
    {
        PartitionOptions options = new() { Name = $"partition {++_partitionNumber}" };
        if (place == 1) options = options with { MaxBytes = LimitMin };
        if (place == 2) options = options with { MinBytes = GuaranteeMax };
        _partitions[place] = _cache.AddPartition(options, _newRules!());
    }

    private void MoveLimits(uint random)
    {
        long limit = LimitMin + (random % 40 * PageBytes);
        _cache.SetPartitionLimits(_partitions[1], minBytes: 0, limit);
        // Only this thread moves limits, and what is lowered is reclaimed before the call returns.
        PartitionStatistics limited = _cache.GetPartitionStatistics(_partitions[1]);
        if (limited.ResidentBytes > limit)
            throw new InvalidOperationException($"{limited.ResidentBytes} bytes of pages, and {limit} is the limit");
        _cache.SetPartitionLimits(_partitions[2], random / 64 % GuaranteeMax, random % 3 == 0 ? 2 * GuaranteeMax : null);
    }

    private void TurnOverPartition()
    {
        const int Place = ObjectCount - 1;
        _emptied.Add(_partitions[Place]);
        AddPartition(Place);
        StampedSource old = _objects[Place];
        AddObject(Place);
        old.IsRemoved = true;
        _cache.RemoveObject(old.Id);
        // Those whose pages somebody holds go later.
        _emptied.RemoveAll(TryRemovePartition);
    }

    private bool TryRemovePartition(PartitionId partition)
    {
        try
        {
            _cache.RemovePartition(partition);
            PartitionsRemoved++;
            return true;
        }
        catch (InvalidOperationException inUse) when (inUse.Message.Contains("are in use", StringComparison.Ordinal))
        {
            return false;
        }
    }

    private void AddObject(int place)
    {
        StampedSource source = new(++_objectNumber, dense: place % 2 == 0);
        source.Id = _cache.AddObject(source, source.PageCount, source.IsDense, _partitions[place]);
        Volatile.Write(ref _objects[place], source);
    }

    /// <summary>One step with a page of some object; half of the steps choose among few.</summary>
    private void Try(Action<StampedSource, ulong> step)
    {
        uint random = StallPoints.Next();
        StampedSource source = Volatile.Read(ref _objects[random % ObjectCount]);
        ulong page = source.Page((random >> 8) % ((random & 128) == 0 ? PagesOfObject / 10 : PagesOfObject));
        try
        {
            step(source, page);
        }
        catch (PageLoadException failure) when (failure.Message.Contains("on purpose", StringComparison.Ordinal))
        {
        }
        catch (ArgumentOutOfRangeException) when (source.IsRemoved)
        {
        }
        catch (Exception failure)
        {
            Interlocked.CompareExchange(ref _failure, failure, null);
            if (!_goesOnAfterFailures) _stop = true;
        }
    }

    private void LookTwice(string how, StampedSource source, ulong page, ReadOnlySpan<byte> bytes)
    {
        int first = Look(how, source, page, bytes);
        uint random = StallPoints.Next();
        if (random % 4 == 0) StallPoints.Stall(random >> 27);
        int second = Look(how, source, page, bytes);
        if (first != second) Report($"{how} of page {page}: generation {first}, then {second}, under one lease");
    }

    private int Look(string how, StampedSource source, ulong page, ReadOnlySpan<byte> bytes)
    {
        Interlocked.Increment(ref _pagesSeen);
        int generation = source.GenerationOf(page, bytes);
        if (generation < 0) Report($"{how} of page {page} of object {source.Id.Value}: torn, or another page's bytes");
        return generation;
    }

    private void Report(string violation)
    {
        Interlocked.CompareExchange(ref _violation, violation, null);
        _stop = true;
    }
}
