// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Policies.Puma;

/// <summary>What became of a page that was to be stored.</summary>
public enum LentInsertion
{
    /// <summary>It is stored, and was not before.</summary>
    Added,

    /// <summary>It is stored in place of an older copy.</summary>
    Replaced,

    /// <summary>There is no room.</summary>
    Failed,
}

/// <summary>Where a lender keeps lent pages: frames of its page cache, or an arena that the system may take.</summary>
public interface ILentStore
{
    /// <summary>Stores a page of a borrower.</summary>
    LentInsertion Insert(int borrower, PageKey page);

    /// <summary>Finds a page, and counts the access.</summary>
    /// <returns>False when it is not stored.</returns>
    bool Touch(int borrower, PageKey page);

    /// <summary>True when a page is stored; counts nothing.</summary>
    bool Contains(int borrower, PageKey page);

    /// <summary>Forgets a page.</summary>
    /// <returns>False when it is not stored.</returns>
    bool Remove(int borrower, PageKey page);
}

/// <summary>What a lender tells a borrower without being asked.</summary>
public enum LenderMessageKind
{
    /// <summary>Put nothing; what is stored can still be had.</summary>
    Suspend,

    /// <summary>Put again.</summary>
    Resume,

    /// <summary>These pages are gone.</summary>
    Gone,
}

/// <summary>A message to a borrower.</summary>
/// <param name="Kind">What it says.</param>
/// <param name="Borrower">To whom.</param>
/// <param name="Pages">The pages of <see cref="LenderMessageKind.Gone"/>; otherwise empty.</param>
public readonly record struct LenderMessage(LenderMessageKind Kind, int Borrower, PageKey[] Pages);

/// <summary>
/// The lending side of PUMA: takes clean pages of borrowers into memory that it does not need at the moment, and stops as
/// soon as it needs it.
/// </summary>
/// <remarks>
/// <para>
/// It never frees memory on the borrower's word: lent pages are given up by the lender's own reclaim, at the speed of
/// memory, and the borrower is told afterwards (<see cref="OnReclaimed"/>, <see cref="EndReclaim"/>). That is the whole
/// difference to a balloon: nobody waits for another machine.
/// </para>
/// <para>
/// While a detector finds the lender active, puts are refused and stored pages can still be got; they drain through
/// reclaim. A refused put removes the older copy, because the borrower may have changed the page since.
/// </para>
/// <para>
/// The store is somebody else's (<see cref="ILentStore"/>): a simulated machine's page cache, or an arena of a real
/// process. Verbs take the time and never wait; messages are taken by <see cref="TryTakeMessage"/>, and
/// <see cref="NextDeadlineTicks"/> says when <see cref="Advance"/> must be called.
/// </para>
/// <para>P1: <see cref="HeldPages(int)"/> is the number of the borrower's pages in the store.</para>
/// <para>P2: it is at most the borrower's quota, where there is one.</para>
/// </remarks>
public sealed class PumaLender
{
    /// <summary>The most pages of one message that tells of pages gone, as in the authors' protocol.</summary>
    public const int PagesPerNotice = 255;

    private readonly PumaLenderOptions _options;
    private readonly ILentStore _store;
    private readonly List<BorrowerAccount> _borrowers = [];
    private readonly Queue<LenderMessage> _messages = [];

    /// <summary>Makes a lender without borrowers.</summary>
    /// <param name="options">What it allows.</param>
    /// <param name="store">Where it keeps pages.</param>
    /// <param name="ticksPerSecond">The unit of all times.</param>
    public PumaLender(PumaLenderOptions options, ILentStore store, long ticksPerSecond)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(store);
        _options = options;
        _store = store;
        Journal = new PumaJournal(ticksPerSecond);
        Detector = new ActivityDetector(options.Detector, Journal, ticksPerSecond);
    }

    /// <summary>What it decided.</summary>
    public PumaJournal Journal { get; }

    /// <summary>What decides whether it lends.</summary>
    public ActivityDetector Detector { get; }

    /// <summary>True while it takes no pages.</summary>
    public bool IsSuspended => Detector.IsSuspended;

    /// <summary>When <see cref="Advance"/> must be called; <see cref="long.MaxValue"/> for never.</summary>
    public long NextDeadlineTicks => Detector.ResumeAtTicks;

    /// <summary>Pages held for all borrowers.</summary>
    public long HeldTotal { get; private set; }

    /// <summary>Adds a borrower.</summary>
    /// <param name="quotaPages">The most pages it may have here; 0 for no quota but reclaim.</param>
    /// <returns>Its number.</returns>
    public int AddBorrower(long quotaPages = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(quotaPages);
        _borrowers.Add(new BorrowerAccount(quotaPages));
        if (IsSuspended) _messages.Enqueue(new LenderMessage(LenderMessageKind.Suspend, _borrowers.Count - 1, []));
        return _borrowers.Count - 1;
    }

    /// <summary>The pages held for a borrower.</summary>
    public long HeldPages(int borrower) => _borrowers[borrower].Held;

    /// <summary>A borrower's pages, clean, to be stored.</summary>
    /// <param name="borrower">Whose they are.</param>
    /// <param name="pages">The pages.</param>
    /// <param name="nowTicks">The time.</param>
    /// <returns>True when they were taken; false when all were refused.</returns>
    public bool Put(int borrower, ReadOnlySpan<PageKey> pages, long nowTicks)
    {
        BorrowerAccount account = _borrowers[borrower];
        if (IsSuspended)
        {
            foreach (PageKey page in pages)
            {
                if (_store.Remove(borrower, page)) Lose(account);
                Journal.Add(nowTicks, PumaEventKind.PutRefused, PumaCause.None, borrower);
            }

            return false;
        }

        foreach (PageKey page in pages) Store(borrower, account, page, nowTicks);
        return true;
    }

    /// <summary>Asks for a page.</summary>
    /// <returns>True when it is here.</returns>
    public bool Get(int borrower, PageKey page, long nowTicks)
    {
        bool isAnswered = !IsSuspended || !_options.SuspendsGets;
        bool found = false;
        if (isAnswered && _options.Strategy == LendingStrategy.Keep)
        {
            found = _store.Touch(borrower, page);
        }
        else if (isAnswered)
        {
            found = _store.Remove(borrower, page);
            if (found) Lose(_borrowers[borrower]);
        }

        Journal.Add(nowTicks, found ? PumaEventKind.GetHit : PumaEventKind.GetMissed, PumaCause.None, borrower);
        return found;
    }

    /// <summary>A borrower has changed pages: the copies here are old.</summary>
    public void Invalidate(int borrower, ReadOnlySpan<PageKey> pages)
    {
        foreach (PageKey page in pages)
            if (_store.Remove(borrower, page)) Lose(_borrowers[borrower]);
    }

    /// <summary>The lender's own reclaim has taken a lent page.</summary>
    public void OnReclaimed(int borrower, PageKey page, long nowTicks)
    {
        BorrowerAccount account = _borrowers[borrower];
        Lose(account);
        account.Notices.Add(page);
        Journal.Add(nowTicks, PumaEventKind.Reclaimed, PumaCause.None, borrower);
        if (account.Notices.Count == PagesPerNotice) Notify(borrower, account);
    }

    /// <summary>A pass of reclaim has ended: borrowers are told what is gone, in as few messages as possible.</summary>
    public void EndReclaim()
    {
        for (int borrower = 0; borrower < _borrowers.Count; borrower++)
            if (_borrowers[borrower].Notices.Count > 0) Notify(borrower, _borrowers[borrower]);
    }

    /// <summary>Looks at what the lender's own page cache has shown.</summary>
    public void Observe(in ActivitySignals signals, long nowTicks)
    {
        Advance(nowTicks);
        if (Detector.Observe(in signals, nowTicks)) Tell(LenderMessageKind.Suspend);
    }

    /// <summary>Lets time pass: resumes lending if nothing spoke against it for long enough.</summary>
    public void Advance(long nowTicks)
    {
        if (Detector.Expire(nowTicks)) Tell(LenderMessageKind.Resume);
    }

    /// <summary>Takes the next message to a borrower.</summary>
    public bool TryTakeMessage(out LenderMessage message) => _messages.TryDequeue(out message);

    private void Store(int borrower, BorrowerAccount account, PageKey page, long nowTicks)
    {
        LentInsertion insertion = _store.Insert(borrower, page);
        if (insertion == LentInsertion.Failed)
        {
            account.Notices.Add(page);
            return;
        }

        Journal.Add(nowTicks, PumaEventKind.PutStored, PumaCause.None, borrower);
        if (insertion == LentInsertion.Added) Gain(account);
        if (account.QuotaPages == 0) return;
        if (insertion == LentInsertion.Added) account.Remember(page, one => _store.Contains(borrower, one));
        while (account.Held > account.QuotaPages && account.Order.TryDequeue(out PageKey oldest))
        {
            // Pages that reclaim took are still in the order; the store knows them no more.
            if (!_store.Remove(borrower, oldest)) continue;
            Lose(account);
            account.Notices.Add(oldest);
            Journal.Add(nowTicks, PumaEventKind.QuotaDisplaced, PumaCause.None, borrower);
        }
    }

    private void Gain(BorrowerAccount account)
    {
        account.Held++;
        HeldTotal++;
    }

    private void Lose(BorrowerAccount account)
    {
        account.Held--;
        HeldTotal--;
    }

    private void Notify(int borrower, BorrowerAccount account)
    {
        _messages.Enqueue(new LenderMessage(LenderMessageKind.Gone, borrower, [.. account.Notices]));
        account.Notices.Clear();
    }

    private void Tell(LenderMessageKind kind)
    {
        for (int borrower = 0; borrower < _borrowers.Count; borrower++)
            _messages.Enqueue(new LenderMessage(kind, borrower, []));
    }

    /// <summary>What is known of a borrower.</summary>
    private sealed class BorrowerAccount(long quotaPages)
    {
        public long QuotaPages { get; } = quotaPages;

        public long Held { get; set; }

        public List<PageKey> Notices { get; } = [];

        /// <summary>With a quota: pages by the time they came, those included that are gone. A page that went and came
        /// back is here twice, and goes at the earlier of its turns.</summary>
        public Queue<PageKey> Order { get; } = [];

        /// <summary>Notes a page that has come. When most of the order is of pages that are gone, those are
        /// forgotten, so that it costs O(1) a page and never has more than twice the quota.</summary>
        public void Remember(PageKey page, Func<PageKey, bool> isHeld)
        {
            Order.Enqueue(page);
            if (Order.Count <= (2 * QuotaPages) + 64) return;
            HashSet<PageKey> seen = [];
            PageKey[] held = [.. Order.Where(one => isHeld(one) && seen.Add(one))];
            Order.Clear();
            foreach (PageKey one in held) Order.Enqueue(one);
        }
    }
}
