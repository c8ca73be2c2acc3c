// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Policies.Puma;

/// <summary>Pages on their way to a lender: one message.</summary>
/// <param name="Lender">To whom.</param>
/// <param name="Pages">Which.</param>
public readonly record struct PutMessage(int Lender, PageKey[] Pages);

/// <summary>Pages whose copies at a lender are old: one message.</summary>
/// <param name="Lender">To whom.</param>
/// <param name="Page">Which.</param>
public readonly record struct InvalidateMessage(int Lender, PageKey Page);

/// <summary>Where a page that is missed comes from.</summary>
public enum MissSource
{
    /// <summary>The disk: no lender has it, as far as the catalogue knows.</summary>
    Disk,

    /// <summary>A lender has it: ask.</summary>
    Lender,

    /// <summary>It is on its way to a lender: wait for the acknowledgement, and choose again.</summary>
    Wait,
}

/// <summary>
/// The borrowing side of PUMA: offers the clean pages that its cache evicts to lenders, and asks for them back before it
/// goes to the disk.
/// </summary>
/// <remarks>
/// <para>
/// Reclaim must not wait. An evicted page is copied into a page of a fixed pool and sent later; when the pool is empty
/// the page is dropped, as it would be without PUMA. The pool fills again as puts are acknowledged.
/// </para>
/// <para>
/// A miss must not cost a message. The catalogue knows which pages were sent and not reported gone; only for those is a
/// lender asked. It may believe too much (the lender tells late), never too little: then the answer is "not here" or
/// none in time, and the page comes from the disk.
/// </para>
/// <para>
/// Only clean pages are lent, so nothing is lost when a lender vanishes. A write invalidates the copy.
/// </para>
/// <para>B1: pages on their way &lt;= <see cref="BorrowerOptions.SendPoolPages"/>.</para>
/// <para>B2: a page that is busy is present.</para>
/// Verbs take the time and never wait; messages are taken by <see cref="TryTakePut"/> and <see cref="TryTakeInvalidate"/>.
/// </remarks>
public sealed class Borrower
{
    private readonly BorrowerOptions _options;
    private readonly SequentialFilter _filter;
    private readonly long _ticksPerSecond;
    private readonly BorrowerCatalogue _catalogue = new();
    private readonly List<LenderAccount> _lenders = [];
    private readonly Queue<PutMessage> _puts = [];
    private readonly Queue<InvalidateMessage> _invalidates = [];

    /// <summary>Makes a borrower without lenders.</summary>
    /// <param name="options">What it does.</param>
    /// <param name="ticksPerSecond">The unit of all times.</param>
    /// <exception cref="ArgumentException">An option makes no sense.</exception>
    public Borrower(BorrowerOptions options, long ticksPerSecond)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _options = options;
        _ticksPerSecond = ticksPerSecond;
        _filter = new SequentialFilter(options.Filter);
        GetTimeoutTicks = PumaTime.Ticks(options.GetTimeout, ticksPerSecond);
        Journal = new PumaJournal(ticksPerSecond);
        PoolFree = options.SendPoolPages;
    }

    /// <summary>What it decided.</summary>
    public PumaJournal Journal { get; }

    /// <summary>How long a get is waited for.</summary>
    public long GetTimeoutTicks { get; }

    /// <summary>Pages of the send pool that are not on their way.</summary>
    public int PoolFree { get; private set; }

    /// <summary>When some lender is to be asked for a sign of life; <see cref="long.MaxValue"/> for never.</summary>
    public long NextDeadlineTicks
    {
        get
        {
            long next = long.MaxValue;
            foreach (LenderAccount lender in _lenders) next = Math.Min(next, lender.Latency.NextPingTicks);
            return next;
        }
    }

    /// <summary>Adds a lender that is believed to lend.</summary>
    /// <param name="availablePages">What it can give.</param>
    /// <returns>Its number.</returns>
    public int AddLender(long availablePages)
    {
        if (_lenders.Count == BorrowerOptions.LendersMax)
            throw new InvalidOperationException($"a borrower has at most {BorrowerOptions.LendersMax} lenders");
        _lenders.Add(new LenderAccount(new LatencyMonitor(_options.Latency, _ticksPerSecond)) { Available = availablePages });
        return _lenders.Count - 1;
    }

    /// <summary>True when a lender is believed to have the page.</summary>
    public bool IsPresent(PageKey page) => _catalogue[page].IsPresent;

    /// <summary>The own cache has evicted a page.</summary>
    /// <param name="page">The page.</param>
    /// <param name="isDirty">True when it was newer than the disk.</param>
    /// <param name="lendsItself">True while this machine holds pages of others: then it does not borrow.</param>
    /// <param name="nowTicks">The time.</param>
    public void OnEvicted(PageKey page, bool isDirty, bool lendsItself, long nowTicks)
    {
        CatalogueEntry entry = _catalogue[page];
        int chosen = lendsItself ? -1 : ChooseLender();
        LeavingPage evicted = new(
            isDirty, entry.IsPresent, lendsItself, entry.IsSequential && _filter.Drops(_catalogue.Score(page)),
            HasLender: chosen >= 0, HasRoom: PoolFree > 0);
        PutChoice choice = BorrowRules.ForEvicted(in evicted, _options.Strategy, out PumaCause cause);
        if (choice == PutChoice.Skip)
            Journal.Add(nowTicks, PumaEventKind.PutSkipped, PumaCause.None, entry.Lender);
        else if (choice == PutChoice.Drop)
            Drop(page, cause, nowTicks);
        else
            Send(page, entry, chosen, nowTicks);
    }

    /// <summary>A pass of reclaim has ended: what waits for a full message goes as it is.</summary>
    public void EndReclaim()
    {
        for (int lender = 0; lender < _lenders.Count; lender++) Flush(lender);
    }

    /// <summary>Takes the next message with pages.</summary>
    public bool TryTakePut(out PutMessage message) => _puts.TryDequeue(out message);

    /// <summary>Takes the next message about an old copy.</summary>
    public bool TryTakeInvalidate(out InvalidateMessage message) => _invalidates.TryDequeue(out message);

    /// <summary>A lender has acknowledged a message with pages.</summary>
    /// <param name="message">The message.</param>
    /// <param name="stored">False when it refused the pages.</param>
    /// <param name="availablePages">What it can give.</param>
    public void OnPutReply(in PutMessage message, bool stored, long availablePages)
    {
        _lenders[message.Lender].Available = availablePages;
        PoolFree += message.Pages.Length;
        foreach (PageKey page in message.Pages)
        {
            CatalogueEntry entry = _catalogue[page];
            // A page that was written meanwhile is not busy any more.
            if (entry.IsBusy) _catalogue[page] = stored ? entry.Arrived() : entry.Gone();
        }
    }

    /// <summary>The own cache misses a page.</summary>
    /// <param name="page">The page.</param>
    /// <param name="nowTicks">The time.</param>
    /// <param name="lender">The lender to ask.</param>
    public MissSource ChooseSource(PageKey page, long nowTicks, out int lender)
    {
        CatalogueEntry entry = _catalogue[page];
        lender = entry.Lender;
        // A page that is not present has lender 0, which need not exist.
        bool isSuspended = entry.IsPresent && _lenders[lender].Latency.IsSuspended;
        MissSource source = BorrowRules.ForMiss(entry.IsPresent, entry.IsBusy, isSuspended);
        if (source == MissSource.Disk)
        {
            if (_lenders.Count > 0) Journal.Add(nowTicks, PumaEventKind.MissAvoided);
            return source;
        }

        if (source == MissSource.Wait)
        {
            // Still in our own batch: no use to wait for what has not even left.
            Flush(lender);
            return source;
        }

        Journal.Add(nowTicks, PumaEventKind.GetSent, PumaCause.None, lender);
        return MissSource.Lender;
    }

    /// <summary>A lender has answered.</summary>
    /// <param name="lender">Who.</param>
    /// <param name="page">For which page.</param>
    /// <param name="found">True when it had it.</param>
    /// <param name="availablePages">What it can give.</param>
    public void OnGetReply(int lender, PageKey page, bool found, long availablePages)
    {
        _lenders[lender].Available = availablePages;
        if (!found || _options.Strategy == LendingStrategy.Exclusive) _catalogue[page] = _catalogue[page].Gone();
        if (!found || !_options.Filter.IsOn) return;
        SequentialScore score = _catalogue.Score(page);
        if (score.Score > 0) _catalogue.SetScore(page, score.Wanted());
    }

    /// <summary>No answer in time: the page comes from the disk, and is not asked for again.</summary>
    public void OnGetExpired(PageKey page, long nowTicks)
    {
        CatalogueEntry entry = _catalogue[page];
        Journal.Add(nowTicks, PumaEventKind.GetExpired, PumaCause.None, entry.Lender);
        _catalogue[page] = entry.Gone();
    }

    /// <summary>The page is being changed: a copy at a lender is old.</summary>
    public void OnWrite(PageKey page, long nowTicks)
    {
        CatalogueEntry entry = _catalogue[page];
        if (!entry.IsPresent) return;
        // The put may be in our batch still; it must arrive before what takes it back.
        Flush(entry.Lender);
        _invalidates.Enqueue(new InvalidateMessage(entry.Lender, page));
        _catalogue[page] = entry.Gone();
        Journal.Add(nowTicks, PumaEventKind.Invalidated, PumaCause.None, entry.Lender);
    }

    /// <summary>Pages come in by a readahead window.</summary>
    /// <param name="first">The first of them.</param>
    /// <param name="count">How many.</param>
    /// <param name="windowPagesMax">The largest window there is.</param>
    /// <param name="cachedBefore">Contiguous cached pages right before the window.</param>
    public void OnRead(PageKey first, int count, int windowPagesMax, long cachedBefore)
    {
        if (!_options.Filter.IsOn) return;
        bool isSequential = _filter.IsSequential(count, windowPagesMax, cachedBefore);
        for (int i = 0; i < count; i++)
        {
            PageKey page = new(first.Packed + (ulong)i);
            CatalogueEntry entry = _catalogue[page];
            if (entry.IsSequential != isSequential) _catalogue[page] = entry.Read(isSequential);
            SequentialScore score = _catalogue.Score(page);
            _catalogue.SetScore(page, isSequential ? score.Wanted() : score.MissedAlone());
        }
    }

    /// <summary>A lender says something.</summary>
    public void OnMessage(int lender, in LenderMessage message)
    {
        if (message.Kind != LenderMessageKind.Gone)
        {
            _lenders[lender].IsSuspended = message.Kind == LenderMessageKind.Suspend;
            return;
        }

        foreach (PageKey page in message.Pages)
        {
            CatalogueEntry entry = _catalogue[page];
            // A put that is on its way is newer than what the lender speaks of.
            if (entry.IsPresent && !entry.IsBusy && entry.Lender == lender) _catalogue[page] = entry.Gone();
            if (_options.Filter is { IsOn: true, EvictionPenalty: > 0 } filter)
                _catalogue.SetScore(page, _catalogue.Score(page).EvictedThere(filter.EvictionPenalty));
        }
    }

    /// <summary>The lender that is to be asked for a sign of life now, or -1.</summary>
    public int NextPing(long nowTicks)
    {
        for (int lender = 0; lender < _lenders.Count; lender++)
        {
            if (_lenders[lender].Latency.NextPingTicks > nowTicks) continue;
            _lenders[lender].Latency.OnPing(nowTicks);
            return lender;
        }

        return -1;
    }

    /// <summary>A sign of life has come.</summary>
    public void OnPong(int lender, long roundTripTicks, long nowTicks)
    {
        LatencyMonitor latency = _lenders[lender].Latency;
        PumaCause cause = latency.OnPong(roundTripTicks);
        if (cause == PumaCause.None) return;
        PumaEventKind kind = latency.IsSuspended ? PumaEventKind.LatencySuspended : PumaEventKind.LatencyResumed;
        Journal.Add(nowTicks, kind, cause, lender, (roundTripTicks, (long)latency.AverageTicks));
    }

    private void Send(PageKey page, CatalogueEntry entry, int lender, long nowTicks)
    {
        LenderAccount account = _lenders[lender];
        _catalogue[page] = entry.Sent(lender);
        PoolFree--;
        // Its own estimate is told with the next answer; until then what is on its way counts.
        account.Available--;
        account.Batch.Add(page);
        Journal.Add(nowTicks, PumaEventKind.PutSent, PumaCause.None, lender);
        if (account.Batch.Count == _options.PagesPerMessage) Flush(lender);
    }

    private void Drop(PageKey page, PumaCause cause, long nowTicks)
    {
        CatalogueEntry entry = _catalogue[page];
        if (entry.IsPresent) _catalogue[page] = entry.Gone();
        Journal.Add(nowTicks, PumaEventKind.PutDropped, cause);
    }

    private void Flush(int lender)
    {
        List<PageKey> batch = _lenders[lender].Batch;
        if (batch.Count == 0) return;
        _puts.Enqueue(new PutMessage(lender, [.. batch]));
        batch.Clear();
    }

    /// <summary>The lender that lends and can give most; -1 for none.</summary>
    private int ChooseLender()
    {
        int best = -1;
        for (int lender = 0; lender < _lenders.Count; lender++)
        {
            LenderAccount account = _lenders[lender];
            if (account.IsSuspended || account.Latency.IsSuspended) continue;
            if (best < 0 || account.Available > _lenders[best].Available) best = lender;
        }

        return best;
    }

    /// <summary>What is known of a lender.</summary>
    private sealed class LenderAccount(LatencyMonitor latency)
    {
        public LatencyMonitor Latency { get; } = latency;

        public bool IsSuspended { get; set; }

        public long Available { get; set; }

        public List<PageKey> Batch { get; } = [];
    }
}
