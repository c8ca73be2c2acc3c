// SPDX-License-Identifier: MIT
using PerfCache.Cache.Nodes;
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>The background migrator: it takes requests by turns, a batch at a time, within a budget.</summary>
/// <remarks>
/// <code>
/// MigrateAsync ─► queue ─► a batch of the first request ─► queue again, until all its pages were met
///                            │ pages in use: again after a while, twice as long each time, a few times
///                            └ budget spent: nothing until the next period
/// </code>
/// It runs on the thread pool while there are requests, and decides nothing: which pages are moved, and when, is for
/// whoever asks.
/// </remarks>
public partial class PageCache<TRules, TProbe>
{
    private readonly Queue<MigrationWork> _migrations = new();
    private MigrationBudget? _migrationBudget;
    private bool _isMigrating;
    private long _migrationRequests;
    private long _migrationBudgetWaits;
    private readonly CancellationToken _shutdownToken;

    /// <summary>Counts of all migrations since the cache was made.</summary>
    public MigrationStatistics MigrationStatistics
    {
        get
        {
            using (_lock.EnterScope())
            {
                return new()
                {
                    Requests = Interlocked.Read(ref _migrationRequests),
                    Moved = _migratedIn.Sum(),
                    InUse = _migrationsInUse,
                    TakenBack = _migrationsTakenBack,
                    NoRoom = _migrationsWithoutRoom,
                    BudgetWaits = Interlocked.Read(ref _migrationBudgetWaits),
                };
            }
        }
    }

    /// <summary>Moves pages to another node in the background, as fast as <see cref="NodeOptions.Migration"/> allows.
    /// Whoever reads them waits for nothing; pages that are in use are tried again a few times.</summary>
    /// <param name="request">Which pages, and where to.</param>
    /// <param name="cancellation">Ends it between two batches; what was moved stays moved.</param>
    /// <returns>What became of each page.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The cache has no frames on the node.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The cache was disposed meanwhile.</exception>
    public Task<MigrationReport> MigrateAsync(MigrationRequest request, CancellationToken cancellation = default)
    {
        if (cancellation.IsCancellationRequested) return Task.FromCanceled<MigrationReport>(cancellation);
        MigrationWork work = Begin(request);
        work.Cancellation = cancellation;
        bool isFirst;
        lock (_migrations)
        {
            _migrations.Enqueue(work);
            isFirst = !_isMigrating;
            _isMigrating = true;
        }

        if (isFirst) _ = Task.Run(MigrateInBackgroundAsync, CancellationToken.None);
        return work.End.Task;
    }

    private MigrationWork Begin(MigrationRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_nodes is null)
            throw new InvalidOperationException($"{Name}: there are no nodes to move between; give PageCacheOptions.Nodes");
        MigrationWork work = new(request, _nodes.IndexOf(request.Node));
        if (request.Partition is { } partition)
            using (_lock.EnterScope()) work.Partition = Find(partition);
        Interlocked.Increment(ref _migrationRequests);
        return work;
    }

    private async Task MigrateInBackgroundAsync()
    {
        MigrationOptions options = _options.Nodes!.Migration;
        _migrationBudget ??= new MigrationBudget(options.PagesPerPeriod, options.Period, options.Time);
        Move[] moves = new Move[options.BatchPages];
        while (NextWork(options, out TimeSpan wait) is { } work)
        {
            try
            {
                // In parts, so that requests that come meanwhile do not wait for the pages of this one.
                TimeSpan part = wait < options.RetryDelay ? wait : options.RetryDelay;
                if (part > TimeSpan.Zero) await WaitAsync(part, work.Cancellation).ConfigureAwait(false);
                work.Cancellation.ThrowIfCancellationRequested();
                if (work.IsDue(options) && Advance(work, moves, options)) work.End.TrySetResult(work.Report(work.InUse.Count));
                else Queue(work);
                if (_migrationBudget.HasLeft) continue;
                Interlocked.Increment(ref _migrationBudgetWaits);
                await WaitAsync(_migrationBudget.UntilNextPeriod, CancellationToken.None).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (work.Cancellation.IsCancellationRequested)
            {
                work.End.TrySetCanceled(work.Cancellation);
            }
            // Whoever asked is told; other requests go on.
            catch (Exception failure)
            {
                work.End.TrySetException(failure);
            }
        }
    }

    /// <summary>Waits by the clock of the options, or until the cache is disposed: the next batch will say so.</summary>
    private async Task WaitAsync(TimeSpan time, CancellationToken cancellation)
    {
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _shutdownToken);
        try
        {
            await Task.Delay(time, _options.Nodes!.Migration.Time, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
        }
    }

    /// <summary>The next request, and how long to wait for it; null when there is none, and the migrator ends.</summary>
    private MigrationWork? NextWork(MigrationOptions options, out TimeSpan wait)
    {
        wait = default;
        lock (_migrations)
        {
            MigrationWork? soonest = null;
            for (int i = _migrations.Count; i > 0; i--)
            {
                MigrationWork work = _migrations.Dequeue();
                if (work.IsDue(options) || work.Cancellation.IsCancellationRequested || _disposed)
                {
                    if (soonest is not null) _migrations.Enqueue(soonest);
                    return work;
                }

                if (soonest is null || work.Due < soonest.Due) (soonest, work) = (work, soonest!);
                if (work is not null) _migrations.Enqueue(work);
            }

            _isMigrating = soonest is not null;
            if (soonest is not null) wait = soonest.TimeLeft(options);
            return soonest;
        }
    }

    private void Queue(MigrationWork work)
    {
        lock (_migrations) _migrations.Enqueue(work);
    }

    /// <summary>One batch.</summary>
    /// <returns>True when the request is done.</returns>
    private bool Advance(MigrationWork work, Span<Move> moves, MigrationOptions options)
    {
        int most = _migrationBudget!.Take(moves.Length);
        int copied = most > 0 ? MoveBatch(work, moves, most) : 0;
        _migrationBudget.Return(most - copied);
        if (!work.HasMet) return false;
        if (work.InUse.Count == 0 || work.Attempts >= options.Retries) return true;
        work.TryAgain(options);
        return false;
    }

    /// <summary>A request on its way: which pages come next, and what became of those that came.</summary>
    private sealed class MigrationWork(MigrationRequest request, int node)
    {
        /// <summary>Rows of the frame table that one look at the cache passes.</summary>
        private const uint RowsLookedAtMax = 4096;

        private IReadOnlyList<PageKey>? _pages = request.Pages;
        private ulong _next;
        private uint _rowsLeft;
        private bool _hasMet;
        private long _moved;
        private long _alreadyThere;
        private long _gone;
        private long _noRoom;
        private long _retries;

        public MigrationRequest Request { get; } = request;

        /// <summary>The index of the target.</summary>
        public int Node { get; } = node;

        public Partition? Partition { get; set; }

        public CancellationToken Cancellation { get; set; }

        public TaskCompletionSource<MigrationReport> End { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Pages that were in use when their turn came.</summary>
        public List<PageKey> InUse { get; private set; } = [];

        /// <summary>True when every page had its turn.</summary>
        public bool HasMet => _hasMet || Left == 0;

        /// <summary>Pages that may still be moved.</summary>
        public long Left => Math.Max(0, Request.PagesMax - _moved);

        /// <summary>How often those in use were tried again.</summary>
        public int Attempts { get; private set; }

        /// <summary>When the next batch may begin, by the clock's timestamps.</summary>
        public long Due { get; private set; }

        public bool IsDue(MigrationOptions options) => Due == 0 || options.Time.GetTimestamp() >= Due;

        public TimeSpan TimeLeft(MigrationOptions options)
        {
            long now = options.Time.GetTimestamp();
            return Due > now ? options.Time.GetElapsedTime(now, Due) : TimeSpan.Zero;
        }

        /// <summary>Under the cache's lock: the pages from here on are looked for under the same lock.</summary>
        public void BeginLook() => _rowsLeft = RowsLookedAtMax;

        /// <summary>The next page, under the cache's lock. It need not be resident.</summary>
        /// <returns>False when there is none for now; <see cref="HasMet"/> says whether there will be.</returns>
        public bool TryNext(PageCache<TRules, TProbe> cache, out PageKey key)
        {
            key = default;
            if (HasMet) return false;
            if (_pages is not null) return TryNextOfList(out key);
            if (Partition is null && Request.PageCount <= cache.FrameCount) return TryNextOfRange(out key);
            return TryNextOfFrames(cache, out key);
        }

        public void Note(PageKey key, MoveEnd end)
        {
            switch (end)
            {
                case MoveEnd.Moved:
                    _moved++;
                    break;
                case MoveEnd.AlreadyThere:
                    _alreadyThere++;
                    break;
                case MoveEnd.Gone:
                    _gone++;
                    break;
                case MoveEnd.NoRoom:
                    _noRoom++;
                    break;
                default:
                    InUse.Add(key);
                    break;
            }
        }

        /// <summary>Begins again with the pages that were in use.</summary>
        public void TryAgain(MigrationOptions options)
        {
            _pages = InUse;
            _next = 0;
            _retries += InUse.Count;
            InUse = [];
            _hasMet = false;
            TimeSpan delay = options.RetryDelay * Math.Pow(2, Math.Min(Attempts++, 16));
            Due = options.Time.GetTimestamp() + (long)(delay.TotalSeconds * options.Time.TimestampFrequency);
        }

        public MigrationReport Report(long stillInUse) => new(_moved, _alreadyThere, _gone, stillInUse, _noRoom, _retries);

        private bool TryNextOfList(out PageKey key)
        {
            _hasMet = _next >= (ulong)_pages!.Count;
            key = _hasMet ? default : _pages[(int)_next++];
            return !_hasMet;
        }

        private bool TryNextOfRange(out PageKey key)
        {
            _hasMet = _next >= Request.PageCount;
            key = _hasMet ? default : new PageKey(Request.First.ObjectId, Request.First.Page + _next++);
            return !_hasMet;
        }

        /// <summary>Looks at frames instead of pages, where there are fewer of them.</summary>
        private bool TryNextOfFrames(PageCache<TRules, TProbe> cache, out PageKey key)
        {
            for (; _rowsLeft > 0; _rowsLeft--)
            {
                key = default;
                if (++_next > cache._frames.FrameCount)
                {
                    _hasMet = true;
                    return false;
                }

                FrameId frame = new((uint)_next);
                if (!cache._frames.State(frame).IsLive || cache._frames.Owner(frame).Node == Node) continue;
                key = cache._frames.Key(frame);
                if (Partition is null ? IsInRange(key) : cache.PartitionOf(frame) == Partition) return true;
            }

            key = default;
            return false;
        }

        private bool IsInRange(PageKey key) =>
            key.ObjectId == Request.First.ObjectId && key.Page - Request.First.Page < Request.PageCount;
    }
}
