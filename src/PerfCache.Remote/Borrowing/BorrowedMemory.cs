// SPDX-License-Identifier: MIT
using System.Diagnostics;
using Microsoft.Extensions.ObjectPool;
using PerfCache.Cache;
using PerfCache.Policies.Puma;

namespace PerfCache.Remote.Borrowing;

/// <summary>Memory of lenders or stock memcached servers into which a page cache overflows.</summary>
/// <remarks>
/// <code>
/// await using BorrowedMemory borrowed = new(new BorrowedMemoryOptions { Servers = ["unix:/run/lender.sock"] });
/// using PageCache&lt;LinuxRules&lt;Linux6>> cache = new(
///     new PageCacheOptions { CapacityBytes = 1L &lt;&lt; 30, Overflow = borrowed }, new());
/// </code>
/// <para>
/// Life of a page: evicted clean, it is copied into the put pool (or dropped, if that is full) and entered in the catalogue;
/// a thread computes its checksum or encrypts it, and hands it to the servers' send buffers; acknowledged, it can be asked
/// for. Then a miss asks, with a deadline, and compares what comes with the checksum. What is not there in time, missing or
/// wrong comes from the source, and is not asked for again.
/// </para>
/// <para>B1: bytes that are handed to the cache are those that it evicted last, with a chance of error below 2^-54 that a
/// server cannot raise (<see cref="PageFingerprint"/>): servers are trusted with nothing.</para>
/// <para>B2: a version has a number that no other put ever has (2^32 puts later at the earliest, and then B1 still holds), so
/// a store that comes late, is repeated or was kept from long ago answers no question.</para>
/// <para>B3: a page that was forgotten is not asked for. Forgetting removes the catalogue's entry under the cache's lock,
/// before the write becomes visible; what is still on its way for that entry finds it gone. The message to the
/// server only saves its memory.</para>
/// <para>B4: nobody waits for a server but a get, and that until its deadline.</para>
/// The decisions about pages are <see cref="BorrowRules"/>, <see cref="SequentialFilter"/> and <see cref="TierRace"/>, as in
/// the simulated borrower. Costs a page: an eviction one copy and some 100 ns under the cache's lock; the catalogue 24 bytes;
/// nothing is allocated.
/// </remarks>
public sealed partial class BorrowedMemory : IOverflowTier, IFleetListener, IAsyncDisposable
{
    private const int DecisionsKept = 256;

    private readonly BorrowedMemoryOptions _options;
    private readonly SequentialFilter _filter;
    private IPageFleet _fleet = null!;
    private readonly PageFingerprint _fingerprint = new();
    private readonly byte[] _sealKey = new byte[PageSeal.KeyBytes];
    private readonly long[] _counts = new long[(int)Count.Length];
    private readonly ServerCounts[] _servers;
    private readonly Lock _raceLock = new();
    private readonly TierRace?[] _races = new TierRace?[2];
    private readonly Queue<BorrowDecision> _decisions = new();
    private readonly ObjectPool<GetRound> _rounds;
    private RemoteCatalogue? _catalogue;
    private PutPool? _pool;
    private Thread? _sender;
    private int _pageBytes;
    private volatile bool _isDisposed;

    /// <summary>Gets ready; the cache that is made with it begins to connect to the servers, none of which needs to be
    /// there.</summary>
    /// <param name="options">Which, and how.</param>
    /// <exception cref="ArgumentException">An option makes no sense.</exception>
    public BorrowedMemory(BorrowedMemoryOptions options) : this(options, null)
    {
    }

    /// <summary>The same with servers of the caller's making.</summary>
    internal BorrowedMemory(BorrowedMemoryOptions options, Func<IFleetListener, IPageFleet>? makeFleet)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _options = options;
        _filter = new SequentialFilter(options.Filter);
        for (int i = 0; i < _races.Length; i++)
            if (options.Race is not null) _races[i] = new TierRace(options.Race, Stopwatch.Frequency);
        System.Security.Cryptography.RandomNumberGenerator.Fill(_sealKey);
        _servers = [.. options.Servers.Select(_ => new ServerCounts())];
        _rounds = new DefaultObjectPool<GetRound>(new GetRound.Policy(this));
        if (makeFleet is null) _ = Parse(options.Servers);
        else _fleet = makeFleet(this);
    }

    /// <summary>The name, in metrics and messages.</summary>
    public string Name => _options.Name;

    /// <summary>The latest decisions to leave the servers alone or to use them again, oldest first.</summary>
    public IReadOnlyList<BorrowDecision> Decisions
    {
        get
        {
            lock (_raceLock) return [.. _decisions];
        }
    }

    /// <inheritdoc/>
    public long PageCount => _catalogue?.Count ?? 0;

    /// <summary>What it did so far.</summary>
    public BorrowedMemoryStatistics Statistics
    {
        get
        {
            TierRace? single = _races[(int)BorrowReads.OnePage];
            TierRace? runs = _races[(int)BorrowReads.Runs];
            lock (_raceLock)
            {
                return new BorrowedMemoryStatistics
                {
                    Evicted = Read(Count.Evicted),
                    Kept = Read(Count.Kept),
                    DroppedSequential = Read(Count.DroppedSequential),
                    DroppedNoServer = Read(Count.DroppedNoServer),
                    DroppedNoRoom = Read(Count.DroppedNoRoom),
                    DroppedSourceFaster = Read(Count.DroppedSourceFaster),
                    Sent = Read(Count.Sent),
                    Stored = Read(Count.Stored),
                    NotStored = Read(Count.NotStored),
                    KnownMisses = Read(Count.KnownMisses),
                    OnTheirWay = Read(Count.OnTheirWay),
                    LeftAlone = Read(Count.LeftAlone),
                    SourceFaster = Read(Count.SourceFaster),
                    Gets = Read(Count.Gets),
                    Hits = Read(Count.Hits),
                    Missing = Read(Count.Missing),
                    Expired = Read(Count.Expired),
                    Wrong = Read(Count.Wrong),
                    Forgotten = Read(Count.Forgotten),
                    Displaced = Read(Count.Displaced),
                    Lost = Read(Count.Lost),
                    SwitchedOff = Read(Count.SwitchedOff),
                    IsOffForSingle = single is { IsOff: true },
                    IsOffForRuns = runs is { IsOff: true },
                    ServerTime = TimeOf(single?.TierTicks),
                    SourceTime = TimeOf(single?.SourceTicks),
                    CataloguePages = PageCount,
                    CatalogueBytes = _catalogue?.Bytes ?? 0,
                    Servers = [.. Enumerable.Range(0, _servers.Length).Select(Describe)],
                };
            }
        }
    }

    /// <inheritdoc/>
    public int SequentialHistoryPages => _options.Filter.IsOn ? _options.Filter.HistoryPages : 0;

    /// <inheritdoc/>
    public bool IsSequential(int windowPages, int windowPagesMax, int cachedBefore) =>
        _filter.IsSequential(windowPages, windowPagesMax, cachedBefore);

    /// <inheritdoc/>
    public void Attach(int pageBytes)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_catalogue is not null)
        {
            throw new InvalidOperationException(
                $"{Name}: it belongs to a cache already; each cache needs borrowed memory of its own");
        }

        _pageBytes = pageBytes;
        byte[] seed = System.Security.Cryptography.RandomNumberGenerator.GetBytes(sizeof(ulong));
        _pool = new PutPool(_options.PutPoolPages, pageBytes + (_options.Encrypts ? PageSeal.ExtraBytes : 0));
        _catalogue = new RemoteCatalogue(Math.Max(64, _options.CapacityBytes / pageBytes), BitConverter.ToUInt64(seed));
        _fleet ??= MakeFleet();
        BorrowedMemoryMetrics.Add(this);
        if (!_options.HasSender) return;
        _sender = new Thread(SendAll) { IsBackground = true, Name = $"{Name} sender" };
        _sender.Start();
    }

    /// <summary>Lets all go: servers are left, and what they have of this borrower's is never read again. Call it once the
    /// cache is disposed.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        BorrowedMemoryMetrics.Remove(this);
        _pool?.Ring();
        if (_sender is not null) await Task.Run(_sender.Join).ConfigureAwait(false);
        if (_fleet is not null) await _fleet.DisposeAsync().ConfigureAwait(false);
        _pool?.Dispose();
        _putSeal?.Dispose();
        System.Security.Cryptography.CryptographicOperations.ZeroMemory(_sealKey);
    }

    private static TimeSpan TimeOf(double? ticks) =>
        ticks is null || double.IsNaN(ticks.Value) ? TimeSpan.Zero : TimeSpan.FromSeconds(ticks.Value / Stopwatch.Frequency);

    private static BorrowReads ReadsOf(int requestPages) => requestPages == 1 ? BorrowReads.OnePage : BorrowReads.Runs;

    private bool Omits(BorrowCheck check) => (_options.Omits & check) != 0;

    private void Note(Count count, long more = 1) => Interlocked.Add(ref _counts[(int)count], more);

    private long Read(Count count) => Volatile.Read(ref _counts[(int)count]);

    /// <summary>Under the races' lock: a race has changed sides.</summary>
    private BorrowDecision Decide(BorrowReads reads)
    {
        TierRace race = _races[(int)reads]!;
        if (race.IsOff) Note(Count.SwitchedOff);
        BorrowDecision decision = new(
            DateTimeOffset.UtcNow, reads, race.IsOff, TimeOf(race.TierTicks), TimeOf(race.SourceTicks));
        if (_decisions.Count == DecisionsKept) _decisions.Dequeue();
        _decisions.Enqueue(decision);
        return decision;
    }

    /// <param name="requestPages">Tells single pages from runs.</param>
    /// <param name="elapsedTicks">What it took.</param>
    /// <param name="ofSource">Whether it was the source.</param>
    /// <param name="isInVain">Some pages did not come: whoever asked waits for the source as well.</param>
    private void NoteTime(int requestPages, long elapsedTicks, bool ofSource, bool isInVain = false)
    {
        BorrowReads reads = ReadsOf(requestPages);
        if (_races[(int)reads] is not { } race) return;
        long now = Stopwatch.GetTimestamp();
        BorrowDecision? decision = null;
        lock (_raceLock)
        {
            if (isInVain && !double.IsNaN(race.SourceTicks)) elapsedTicks += (long)race.SourceTicks;
            bool changed = ofSource ? race.OnSource(elapsedTicks, now) : race.OnTier(elapsedTicks, now);
            if (changed) decision = Decide(reads);
        }

        if (decision is { } made) _options.Decided?.Invoke(made);
    }

    /// <summary>What is counted.</summary>
    private enum Count
    {
        Evicted, Kept, DroppedSequential, DroppedNoServer, DroppedNoRoom, DroppedSourceFaster, Sent, Stored, NotStored,
        KnownMisses, OnTheirWay, LeftAlone, SourceFaster, Gets, Hits, Missing, Expired, Wrong, Forgotten, Displaced, Lost,
        SwitchedOff, Length,
    }
}
