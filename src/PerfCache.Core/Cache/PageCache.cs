// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.ObjectPool;
using PerfCache.Cache.Nodes;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;
using PerfCache.Pools;

namespace PerfCache.Cache;

/// <summary>
/// A page cache with bytes in it, for many threads: hits take no lock, misses load each page once, and a bound in bytes
/// that holds.
/// </summary>
/// <remarks>
/// <code>
/// using PageCache&lt;LinuxRules&lt;Linux6>> cache = new(new PageCacheOptions { CapacityBytes = 1L &lt;&lt; 30 }, new());
/// ObjectId file = cache.AddObject(FilePageSource.Open("data.bin", new()));
/// using PageLease lease = cache.Get(file, page: 42);
/// Use(lease.Span);
/// </code>
/// </remarks>
/// <typeparam name="TRules">The replacement rule: one that works on flags, since hits take no lock.</typeparam>
public sealed class PageCache<TRules> : PageCache<TRules, NoProbe> where TRules : struct, IFlagRules
{
    /// <summary>Makes an empty cache.</summary>
    /// <param name="options">Size, memory and habits.</param>
    /// <param name="rules">The rule with its parameters; it must not be attached to another cache.</param>
    /// <exception cref="ArgumentException">An option makes no sense.</exception>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public PageCache(PageCacheOptions options, TRules rules) : base(options, rules)
    {
    }
}

/// <summary>
/// The implementation of <see cref="PageCache{TRules}"/>, open to probes in its critical steps; use that type.
/// </summary>
/// <remarks>
/// <para>The protocol. The state word of the frame is the only truth. Slots of the index are hints: read without a lock,
/// they may name a frame that has become another page's, and an "absent" proves nothing.</para>
/// <code>
/// lease     L1 slot -> frame            L2 locked add of a pin     L3 live, not locked, in the word that the add gave
///           L4 key                      L5 read the bytes          L6 locked subtraction of the pin
/// copy      C1 slot -> frame            C2 acquire the state       C3 live, not locked; key
///           C4 read the bytes           C5 read barrier            C6 state again: same version, live, not locked
/// evict     V1 exchange {no pins, live} for {dead, version + 1}    V2 write barrier
///   (lock)  V3 slot := shadow or empty  V4 frame free
/// publish   B1 fill the bytes           B2 key                     B3 flags := live, a release
///   (lock)  B4 slot := frame, a release
/// write     W1 locked or of "locked"    W2 wait until the only pin is the writer's
///           W3 wait for readers without pins, as R2 to R4 do     W4 change the bytes
///           W5 version + 1, "locked" off, a release
/// write-back  D1 not locked: a pin, "writeback" on, "dirty" off (lock)      D2 copy the bytes      D3 unpin, a release
///           D4 write the copy           D5 "writeback" off, and "dirty" on if it failed (lock)
/// </code>
/// <para>L3 and V1 both work on one word, so either the pin comes first and the exchange fails, or the frame is dead and
/// the reader sees it. L4 comes after L2: from then on the page cannot change. V2 keeps the next page's bytes (B1)
/// behind the new version, for C6 to see. B3 never stores the whole word: a reader that is late pins dead frames for
/// a moment. Any doubt goes to the slow path, which takes the lock and looks again.</para>
/// <para>Threads: all verbs may be called from any thread at any time, except <see cref="Dispose"/>.</para>
/// </remarks>
/// <typeparam name="TRules">The replacement rule.</typeparam>
/// <typeparam name="TProbe">What tests hang into the critical steps.</typeparam>
public unsafe partial class PageCache<TRules, TProbe> : IDisposable, IMeasuredCache
    where TRules : struct, IFlagRules
    where TProbe : struct, ICacheProbe
{
    private readonly CacheLock _lock = new();
    private readonly PageCacheOptions _options;
    private readonly CacheSpace _space;
    private readonly FrameTable _frames;
    private readonly PageIndex _index;
    private readonly FramePool _pool;
    private readonly PageMemory _memory;
    private readonly NativeArray<FrameHead> _heads;
    private readonly NativeArray<uint> _slots;
    private readonly ActivationBuffers _activations;
    private readonly MemoryMeter _meter;
    private readonly int _pageBytes;
    private readonly int _pageShift;
    private readonly byte* _pageBase;
    private readonly Dictionary<ulong, PageLoad> _loads = [];
    private readonly ObjectPool<PageLoad> _loadPool = new DefaultObjectPool<PageLoad>(new DefaultPooledObjectPolicy<PageLoad>());
    private readonly Partition _main;

    /// <summary>What all frames are charged to; null as soon as there is a choice of partitions or nodes.</summary>
    private NodeShare? _onlyShare;
    private IPageSource?[] _sources = [];
    private long _lockWaits;
    private long _loadFailures;
    private long _insertions;
    private long _removals;
    private volatile bool _disposed;

    /// <summary>Makes an empty cache; see <see cref="PageCache{TRules}"/>.</summary>
    /// <param name="options">Size, memory and habits.</param>
    /// <param name="rules">The rule.</param>
    public PageCache(PageCacheOptions options, TRules rules)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _options = options;
        _shutdownToken = _shutdown.Token;
        _hitCounting = options.CountHits ? HitCounting.Together : HitCounting.None;
        _pageBytes = options.PageBytes;
        _pageShift = BitOperations.Log2((uint)options.PageBytes);
        _tier = options.Overflow;
        CapacityBytes = options.CapacityBytes;
        CapacityBytesMax = Math.Max(options.CapacityBytes, options.CapacityBytesMax);
        _meter = new MemoryMeter(options.CapacityBytes);
        uint frameMax = options.FrameCount ?? FramesFor(CapacityBytesMax, CapacityBytesMax, ref rules);
        _frameTarget = FramesAtStart(options, ref rules);
        NodeLayout layout = LayNodesOut(options, frameMax, out _nodes);
        _hasNodes = layout.NodeCount > 1;
        _allNodes = NodeSet.First(layout.NodeCount);
        _lowWaterOfNode = new uint[layout.NodeCount];
        _migratedIn = new long[layout.NodeCount];
        _migratedOut = new long[layout.NodeCount];
        try
        {
            _space = new CacheSpace(
                frameMax, GhostRowsFor(ref rules, layout.FrameCounts[0]), _meter, shared: true, layout);
            _frames = _space.Frames;
            _index = _space.Index;
            _pools = _space.Pools!;
            _pool = _pools[0];
            _heads = _frames.Heads;
            _slots = _index.Slots;
            _memory = new PageMemory(frameMax, options.PageBytes, _meter, options.Memory);
            _space.PageData = _memory;
            _main = new Partition(PartitionOptions.Main, NewShares(0, uint.MaxValue, ref rules), _hits);
            _partitions = [_main];
            _onlyShare = _hasNodes ? null : _main.First;
            _activations = new ActivationBuffers(options.ActivationBatch, _meter);
            if (options.ReadaheadPagesMax > 0) _streams = new ReadaheadStreams(frameMax, _meter);
            _readsAhead = _streams is not null;
            _pageBase = _memory.Address(FrameId.None);
            PutIntoService();
        }
        catch
        {
            _streams?.Dispose();
            _activations?.Dispose();
            _memory?.Dispose();
            _space?.Dispose();
            throw;
        }

        PageCacheMetrics.Add(this);
    }

    /// <summary>The last step of making a cache: all parts are there, and get to know each other.</summary>
    private void PutIntoService()
    {
        BindNodes();
        EnsureFrames(_frameTarget);
        _space.EvictionLog = _options.Evicted is null ? null : [];
        _space.EvictionTaker = _tier is null ? null : this;
        Place(_main, placement: null);
        foreach (NodeShare share in _main.Shares) share.Rules.Attach(share.Space);
        SetWaterMarks();
        // Last: a tier belongs to the first cache that it is attached to, which must be one that exists.
        _tier?.Attach(_pageBytes);
    }

    /// <summary>The bound in bytes.</summary>
    public long CapacityBytes { get; private set; }

    /// <summary>The most bytes that <see cref="Resize"/> may ask for.</summary>
    public long CapacityBytesMax { get; }

    /// <summary>Native bytes in use: page data and metadata.</summary>
    public long UsedBytes => _meter.OutstandingBytes;

    /// <summary>Bytes of a page.</summary>
    public int PageBytes => _pageBytes;

    /// <summary>The cache's name.</summary>
    public string Name => _options.Name;

    /// <summary>The size of the cache in pages.</summary>
    public uint FrameCount => _space.FrameCount;

    /// <summary>The number of pages that are resident.</summary>
    public uint ResidentCount => _space.RuleFrameCount + _space.HeldCount;

    /// <summary>What kind of memory the pages are in, and what the system granted.</summary>
    public PageMemoryReport DescribeMemory() => _memory.Describe();

    /// <summary>Makes the system back all page memory now, so that no later access waits for it. Pages in use keep their
    /// bytes; the cache may be used meanwhile.</summary>
    /// <param name="progress">Told of the bytes done so far, or null.</param>
    /// <param name="cancellation">Stops it; what is done stays.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="NativeMemoryException">The system has not got the memory.</exception>
    public void Prefault(IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _memory.Prefault(new FrameId(1), _memory.FrameCount, progress, cancellation);
    }

    /// <summary>Adds an object whose pages may be cached.</summary>
    /// <param name="source">Where its pages come from, or null when the caller puts them in.</param>
    /// <param name="pageCountMax">Its pages are numbered from 0 to one less than this, rounded up to a multiple of 64; at
    /// most 2^40.</param>
    /// <param name="dense">True when most of its pages will be used, or it has few: it gets a directory that costs 4 bytes
    /// for 64 pages up to its highest page. False for sparse objects: 43 to 46 bytes a page
    /// that is resident or remembered, and slower.</param>
    /// <param name="partition">The partition that its pages are charged to, for as long as it exists.</param>
    /// <exception cref="ArgumentException">There is no such partition.</exception>
    /// <exception cref="NativeMemoryException">The address space cannot be had.</exception>
    public ObjectId AddObject(
        IPageSource? source, ulong pageCountMax, bool dense = true, PartitionId partition = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(pageCountMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(
            pageCountMax, dense ? PageIndex.DensePageMax : PageKey.PageMax + 1);
        using (_lock.EnterScope())
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Partition charged = Find(partition);
            ObjectId owner = _index.AddObject(pageCountMax, dense, charged.First.Space.Shadows);
            ShowDirectories();
            if (owner.Value >= _sources.Length)
            {
                IPageSource?[] more = new IPageSource?[Math.Max(4, _sources.Length * 2)];
                _sources.CopyTo(more, 0);
                Array.Resize(ref _partitionOfObject, more.Length);
                // Readers of the array look without the lock.
                Volatile.Write(ref _sources, more);
            }

            _partitionOfObject[owner.Value] = (byte)charged.Number;
            charged.ObjectCount++;
            _sources[owner.Value] = source;
            return owner;
        }
    }

    /// <summary>Adds an object with the pages of a source, dense unless it is very large for this cache.</summary>
    /// <param name="source">Where its pages come from.</param>
    /// <param name="partition">The partition that its pages are charged to, for as long as it exists.</param>
    /// <exception cref="ArgumentException">There is no such partition.</exception>
    /// <exception cref="NativeMemoryException">The address space cannot be had.</exception>
    public ObjectId AddObject(IPageSource source, PartitionId partition = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ulong pages = Math.Max(1, source.PageCount);
        // A directory of the whole object may take a 32nd of the bound; nodes of a larger one take what is resident.
        ulong directoryBytes = pages / IndexBlocks.SlotCount * sizeof(uint);
        return AddObject(
            source, pages, dense: pages <= PageIndex.DensePageMax && directoryBytes <= (ulong)CapacityBytes / 32,
            partition);
    }

    /// <summary>Checks the invariants of every structure. O(frames + index), under the lock: for tests, while no other
    /// thread uses the cache.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    public void Validate()
    {
        using (_lock.EnterScope())
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _space.Validate();
            foreach (Partition partition in Existing())
                foreach (NodeShare share in partition.Shares) share.Rules.Validate();
            _memory.Validate();
            ValidatePlaces();
            ValidateWrites();
            Invariant.Check(
                _meter.OutstandingBytes <= _meter.LimitBytes, nameof(PageCache<TRules>),
                $"at most {_meter.LimitBytes} bytes", _meter.OutstandingBytes);
            Invariant.Check(
                _meter.LimitBytes == CapacityBytes, nameof(PageCache<TRules>),
                $"the meter's limit to be {CapacityBytes} bytes", _meter.LimitBytes);
        }
    }

    /// <summary>Frames whose page data and metadata fit into <paramref name="bytes"/> while there is metadata for
    /// <paramref name="bytesMax"/>.</summary>
    private uint FramesFor(long bytes, long bytesMax, ref TRules rules)
    {
        // Metadata of a frame: its row and its share of a full leaf and directory, both ready for the largest size;
        // then what columns grow by at least, and the buffers. Where pages are sparse, the index takes more, and
        // frames give up their memory for it (GiveUpFramesFor).
        const long FixedBytes = 12 * 16 * 1024;
        const long IndexBytesPerFrame = 5;
        const long BytesPerNode = 16 * 1024;
        long perRow = FrameTable.BytesPerFrame + IndexBytesPerFrame + 1
            + (_options.ReadaheadPagesMax > 0 ? ReadaheadMark.Bytes : 0);
        long rows = bytesMax / (_options.PageBytes + perRow);
        long ghostBytes = GhostRowsFor(ref rules, (uint)Math.Min(rows, FrameId.CountMax / 2)) * (FrameTable.BytesPerFrame + IndexBytesPerFrame);
        long nodeBytes = _options.Nodes is { } nodes
            ? BytesPerNode * (nodes.Numbers?.Count ?? nodes.Topology?.Nodes.Count ?? 1) : 0;
        long left = bytes - (rows * perRow) - ghostBytes - nodeBytes - FixedBytes - ActivationBuffers.BytesFor(_options.ActivationBatch);
        return (uint)Math.Clamp(left / _options.PageBytes, 0, Math.Min(rows, FrameId.CountMax - 1));
    }

    /// <summary>The frames that the cache begins with.</summary>
    /// <exception cref="ArgumentException">They are fewer than a cache needs.</exception>
    private uint FramesAtStart(PageCacheOptions options, ref TRules rules)
    {
        uint frames = options.FrameCount ?? FramesFor(options.CapacityBytes, CapacityBytesMax, ref rules);
        if (frames >= PageCacheOptions.PagesMin) return frames;
        throw new ArgumentException(
            $"page cache: CapacityBytes is {options.CapacityBytes}; after the metadata only {frames} pages of "
            + $"{options.PageBytes} bytes fit, and {PageCacheOptions.PagesMin} are the least", nameof(options));
    }

    /// <summary>Says which frames are whose node's; all are one node's where none are given.</summary>
    private static NodeLayout LayNodesOut(PageCacheOptions options, uint frameMax, out CacheNodes? nodes)
    {
        nodes = options.Nodes is null ? null : new CacheNodes(options.Nodes);
        return nodes?.Layout(frameMax, options.PageBytes, options.Nodes!.FrameWeights) ?? NodeLayout.OneNode(frameMax);
    }

    private static uint GhostRowsFor(ref TRules rules, uint frames) => TRules.UsesGhosts ? rules.GhostRowCount(frames) : 0;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EnterContended()
    {
        Interlocked.Increment(ref _lockWaits);
        _lock.Enter();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Enter()
    {
        if (!_lock.TryEnter()) EnterContended();
    }
}
