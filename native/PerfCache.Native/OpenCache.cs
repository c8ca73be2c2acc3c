// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Native;

/// <summary>A cache that callers have a handle of, whichever rule it has, and the files of its objects.</summary>
internal abstract class OpenCache : Opened
{
    private readonly Dictionary<uint, AttachedObject> _objects = [];
    private uint _objectsMade;
    private int _viewCount;

    /// <summary>An object: its file, or null, and the most pages it may have.</summary>
    private readonly record struct AttachedObject(FilePageSource? File, ulong PageCountMax);

    internal required TimeSpan Patience { get; init; }

    internal abstract int PageBytes { get; }

    /// <summary>Makes a cache with the rule that a caller has named.</summary>
    internal static OpenCache Make(uint policy, PageCacheOptions options) => policy switch
    {
        0 => new OpenCache<LinuxRules<Linux6>>(options, new()) { Patience = options.Patience },
        1 => new OpenCache<LinuxRules<Linux315>>(options, new()) { Patience = options.Patience },
        2 => new OpenCache<Fifo>(options, new()) { Patience = options.Patience },
        3 => new OpenCache<Clock>(options, new()) { Patience = options.Patience },
        4 => new OpenCache<Sieve>(options, new()) { Patience = options.Patience },
        5 => new OpenCache<S3Fifo>(options, new()) { Patience = options.Patience },
        _ => throw AbiException.BadArgument($"policy {policy} is none; possible is 0 to 5 (PC_POLICY_...)"),
    };

    /// <summary>What an object's handle names, with the thread inside of the cache until it leaves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static OpenCache Enter(ThreadState thread, ulong owner) =>
        HandleTable<OpenCache>.TryEnter(thread.Caches, thread, Native.Handle.CacheOf(owner)) ?? throw WhyNot(owner);

    internal abstract unsafe void Get(ThreadState thread, ObjectId owner, ulong page, AbiLease* lease);

    internal abstract unsafe bool TryGet(ThreadState thread, ObjectId owner, ulong page, AbiLease* lease);

    /// <summary>Leases of pages in turn; where one fails, those before it are counted and held.</summary>
    internal abstract unsafe void GetMany(
        ThreadState thread, ObjectId owner, ReadOnlySpan<ulong> pages, AbiLease* leases, uint* got);

    internal abstract void Copy(ObjectId owner, ulong page, int offset, Span<byte> destination);

    internal abstract bool TryCopy(ObjectId owner, ulong page, int offset, Span<byte> destination);

    internal abstract bool Contains(ObjectId owner, ulong page);

    internal abstract WriteLease GetForWrite(ObjectId owner, ulong page);

    internal abstract bool TryAdd(ObjectId owner, ulong page, ReadOnlySpan<byte> bytes);

    internal abstract long Invalidate(ObjectId owner, ulong first, ulong count);

    internal abstract void Flush(ObjectId? owner);

    internal abstract AbiStatistics Statistics();

    internal abstract HitView DescribeHits(ObjectId owner);

    protected abstract ObjectId AddObject(FilePageSource file);

    protected abstract ObjectId AddObject(FilePageSource? file, ulong pageCountMax, bool dense);

    protected abstract void RemoveObject(ObjectId owner);

    protected abstract void End();

    /// <summary>Makes an object of a file.</summary>
    /// <returns>The object's handle.</returns>
    internal ulong Attach(string path, FilePageSourceOptions options, ulong pageCountMax)
    {
        FilePageSource file = FilePageSource.Open(path, options);
        try
        {
            ulong most = Math.Max(file.PageCount, Math.Max(1, pageCountMax));
            // With a bound of its own an object is dense, unless there are too many pages for a directory.
            ObjectId owner = pageCountMax <= file.PageCount
                ? AddObject(file) : AddObject(file, most, dense: most <= (ulong)Statistics().FrameCount * 64);
            return Note(owner, new AttachedObject(file, most));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Makes an object whose pages the caller puts in.</summary>
    internal ulong Add(ulong pageCountMax, bool dense) =>
        Note(AddObject(null, pageCountMax, dense), new AttachedObject(null, pageCountMax));

    /// <summary>Forgets an object and closes its file.</summary>
    internal void Detach(ulong handle)
    {
        ObjectId owner = Require(handle);
        RemoveObject(owner);
        AttachedObject gone;
        lock (_objects) _objects.Remove(owner.Value, out gone);
        gone.File?.Dispose();
    }

    /// <summary>Describes an object.</summary>
    internal AbiObjectInfo Describe(ulong handle)
    {
        ObjectId owner = Require(handle);
        AttachedObject found;
        lock (_objects) found = _objects.GetValueOrDefault(owner.Value);
        FilePageSource? file = found.File;
        return new AbiObjectInfo
        {
            CanWrite = file is { CanWrite: true } ? 1u : 0,
            PageCount = file?.PageCount ?? found.PageCountMax,
            LengthBytes = (ulong)(file?.LengthBytes ?? 0),
            IsDirect = file is { IsDirect: true } ? 1u : 0,
        };
    }

    /// <summary>The object that a handle of this cache names.</summary>
    /// <exception cref="AbiException">There is none, or none any more.</exception>
    internal ObjectId Require(ulong handle)
    {
        ObjectId owner = Native.Handle.ObjectOf(handle);
        lock (_objects)
        {
            if (_objects.ContainsKey(owner.Value)) return owner;
        }

        // Numbers are given in order and not again.
        throw owner.Value < _objectsMade
            ? new AbiException(AbiStatus.Closed, $"object 0x{handle:x} was detached")
            : new AbiException(AbiStatus.BadHandle, $"0x{handle:x} is not the handle of an object");
    }

    /// <summary>A caller looks at the cache's memory from now on; under <see cref="Enter"/>, so closing waits for it.
    /// </summary>
    internal void AddView() => Interlocked.Increment(ref _viewCount);

    /// <summary>The caller has ended that.</summary>
    internal void RemoveView() => Interlocked.Decrement(ref _viewCount);

    /// <summary>Ends the cache and closes the files, once no caller looks at its memory any more.</summary>
    /// <exception cref="TimeoutException">Somebody still does.</exception>
    public override void Dispose()
    {
        long ends = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        SpinWait wait = default;
        while (Volatile.Read(ref _viewCount) > 0)
        {
            if (Environment.TickCount64 > ends)
            {
                throw new TimeoutException(
                    $"{_viewCount} views of cache 0x{Handle:x} are open; close them, then the cache again");
            }

            wait.SpinOnce();
        }

        End();
        foreach (AttachedObject gone in _objects.Values) gone.File?.Dispose();
        _objects.Clear();
    }

    private ulong Note(ObjectId owner, AttachedObject added)
    {
        lock (_objects)
        {
            _objects.Add(owner.Value, added);
            _objectsMade = Math.Max(_objectsMade, owner.Value + 1);
        }

        return Native.Handle.ForObject(Handle, owner);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static AbiException WhyNot(ulong owner)
    {
        if (Native.Handle.KindOf(owner) != HandleKind.Object)
            return new AbiException(AbiStatus.BadHandle, $"0x{owner:x} is not the handle of an object");
        AbiException cache = Tables.Caches.WhyNot(Native.Handle.CacheOf(owner));
        return new AbiException(cache.Status, $"object 0x{owner:x}: {cache.Message}");
    }
}

/// <summary>A cache with its rule compiled in.</summary>
internal sealed unsafe class OpenCache<TRules>(PageCacheOptions options, TRules rules) : OpenCache
    where TRules : struct, IFlagRules
{
    private readonly PageCache<TRules> _cache = new(options, rules);
    private readonly int _pageBytes = options.PageBytes;

    internal override int PageBytes => _cache.PageBytes;

    internal override void Get(ThreadState thread, ObjectId owner, ulong page, AbiLease* lease)
    {
        byte* bytes = _cache.TryPinUsual(owner, page, out ulong* word);
        if (bytes is not null) LeaseTable.Hand(thread, word, bytes, _pageBytes, lease);
        else LeaseTable.Hand(thread, _cache.Get(owner, page), lease);
    }

    internal override bool TryGet(ThreadState thread, ObjectId owner, ulong page, AbiLease* lease)
    {
        byte* bytes = _cache.TryPinUsual(owner, page, out ulong* word);
        if (bytes is not null) LeaseTable.Hand(thread, word, bytes, _pageBytes, lease);
        else if (_cache.TryGet(owner, page, out PageLease held)) LeaseTable.Hand(thread, held, lease);
        else return false;
        return true;
    }

    internal override void GetMany(
        ThreadState thread, ObjectId owner, ReadOnlySpan<ulong> pages, AbiLease* leases, uint* got)
    {
        for (int i = 0; i < pages.Length; i++)
        {
            AbiLease* lease = leases + i;
            byte* bytes = _cache.TryPinUsual(owner, pages[i], out ulong* word);
            if (bytes is not null) LeaseTable.Hand(thread, word, bytes, _pageBytes, lease);
            else LeaseTable.Hand(thread, _cache.Get(owner, pages[i]), lease);
            // Each time, because the next may throw.
            *got = (uint)i + 1;
        }
    }

    internal override void Copy(ObjectId owner, ulong page, int offset, Span<byte> destination)
    {
        using PageLease lease = _cache.Get(owner, page);
        lease.Span.Slice(offset, destination.Length).CopyTo(destination);
    }

    internal override bool TryCopy(ObjectId owner, ulong page, int offset, Span<byte> destination) =>
        _cache.TryCopy(owner, page, offset, destination);

    internal override bool Contains(ObjectId owner, ulong page) => _cache.Contains(owner, page);

    internal override WriteLease GetForWrite(ObjectId owner, ulong page) => _cache.GetForWrite(owner, page);

    internal override bool TryAdd(ObjectId owner, ulong page, ReadOnlySpan<byte> bytes) =>
        _cache.TryAdd(owner, page, bytes);

    internal override long Invalidate(ObjectId owner, ulong first, ulong count) =>
        _cache.InvalidateRange(owner, first, count);

    internal override void Flush(ObjectId? owner)
    {
        Task flush = owner is { } one ? _cache.FlushAsync(one) : _cache.FlushAsync();
        flush.GetAwaiter().GetResult();
    }

    internal override AbiStatistics Statistics()
    {
        PageCacheStatistics counts = _cache.Statistics;
        return new AbiStatistics
        {
            PageBytes = (uint)_cache.PageBytes,
            CapacityBytes = (ulong)_cache.CapacityBytes,
            UsedBytes = (ulong)_cache.UsedBytes,
            FrameCount = _cache.FrameCount,
            ResidentPages = _cache.ResidentCount,
            Hits = (ulong)counts.Hits,
            Misses = (ulong)counts.Misses,
            LoadFailures = (ulong)counts.LoadFailures,
            Insertions = (ulong)counts.Insertions,
            Refaults = (ulong)counts.Refaults,
            Activations = (ulong)counts.Activations,
            Deactivations = (ulong)counts.Deactivations,
            Evictions = (ulong)counts.Evictions,
            Removals = (ulong)counts.Removals,
            LockWaits = (ulong)counts.LockWaits,
            DirtyPages = (ulong)counts.DirtyPages,
            PagesWritten = (ulong)counts.PagesWritten,
            WriteRequests = (ulong)counts.WriteRequests,
            WriteFailures = (ulong)counts.WriteFailures,
            ReadaheadPages = (ulong)counts.ReadaheadPages,
            ReadaheadHits = (ulong)counts.ReadaheadHits,
            LeasesOut = LeaseTable.CountOut(),
        };
    }

    internal override HitView DescribeHits(ObjectId owner) => _cache.DescribeHits(owner);

    protected override ObjectId AddObject(FilePageSource file) => _cache.AddObject(file);

    protected override ObjectId AddObject(FilePageSource? file, ulong pageCountMax, bool dense) =>
        _cache.AddObject(file, pageCountMax, dense);

    protected override void RemoveObject(ObjectId owner) => _cache.RemoveObject(owner);

    protected override void End() => _cache.Dispose();
}
