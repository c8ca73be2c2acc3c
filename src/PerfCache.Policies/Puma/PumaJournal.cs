// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Puma;

/// <summary>What was decided, or what happened to a page.</summary>
public enum PumaEventKind
{
    /// <summary>A lender stops lending.</summary>
    Suspended,

    /// <summary>Another sign while lending is suspended: the time starts again.</summary>
    Rearmed,

    /// <summary>No sign for the time of suspension: a lender lends again.</summary>
    Resumed,

    /// <summary>A put was stored.</summary>
    PutStored,

    /// <summary>A put was refused because lending is suspended; an older copy went.</summary>
    PutRefused,

    /// <summary>A borrower's oldest page went because the borrower is at its quota.</summary>
    QuotaDisplaced,

    /// <summary>A get found its page.</summary>
    GetHit,

    /// <summary>A get did not find its page.</summary>
    GetMissed,

    /// <summary>Reclaim took a lent page; the borrower is told later.</summary>
    Reclaimed,

    /// <summary>A page was sent.</summary>
    PutSent,

    /// <summary>An evicted page was not sent, for the cause that is named.</summary>
    PutDropped,

    /// <summary>An evicted page was not sent because the lender has it still, unchanged.</summary>
    PutSkipped,

    /// <summary>A page was asked for.</summary>
    GetSent,

    /// <summary>The catalogue knew that no lender has the page: no message.</summary>
    MissAvoided,

    /// <summary>A get was not answered in time.</summary>
    GetExpired,

    /// <summary>A written page's copy was invalidated.</summary>
    Invalidated,

    /// <summary>A lender is left alone because it answers slowly.</summary>
    LatencySuspended,

    /// <summary>A lender answers fast again.</summary>
    LatencyResumed,
}

/// <summary>Why.</summary>
public enum PumaCause
{
    /// <summary>No other cause than the kind itself.</summary>
    None,

    /// <summary>An own page came back soon after its eviction: detector #1.</summary>
    Refault,

    /// <summary>The inactive list was low: detector #2.</summary>
    Pressure,

    /// <summary>The time of suspension is over.</summary>
    TimeOver,

    /// <summary>The page was dirty.</summary>
    Dirty,

    /// <summary>The borrower lends itself; one machine has one role at a time.</summary>
    Role,

    /// <summary>No lender takes pages now.</summary>
    NoLender,

    /// <summary>All pages of the send pool are on their way.</summary>
    PoolEmpty,

    /// <summary>The page belongs to a sequential read.</summary>
    Sequential,

    /// <summary>One answer took too long.</summary>
    Instant,

    /// <summary>Answers take too long on average.</summary>
    Average,

    /// <summary>Tasks of the owner wait for memory; only a real system tells.</summary>
    Stall,

    /// <summary>A control group has reached a limit; only a real system tells.</summary>
    Limit,

    /// <summary>Less memory is available than is never lent; only a real system tells.</summary>
    Floor,
}

/// <summary>One decision, or a run of equal ones close to one another.</summary>
/// <param name="FirstTicks">When it was made first.</param>
/// <param name="LastTicks">When it was made last.</param>
/// <param name="Kind">What.</param>
/// <param name="Cause">Why.</param>
/// <param name="Peer">The borrower, or the lender, by its number; -1 for all.</param>
/// <param name="Count">How often.</param>
/// <param name="Evidence">What it was decided by: for <see cref="PumaCause.Pressure"/> the inactive and the active
/// frames, for <see cref="PumaCause.Refault"/> refaults and those that activated, since the last look.</param>
public readonly record struct PumaEvent(
    long FirstTicks, long LastTicks, PumaEventKind Kind, PumaCause Cause, int Peer, long Count,
    (long First, long Second) Evidence);

/// <summary>
/// What a lender or a borrower decided and why, in order: so that "why was lending stopped then?" has an answer.
/// </summary>
/// <remarks>
/// Suspensions and resumptions are kept one by one. Decisions about single pages come by the million; equal ones that
/// follow one another within the merge time are one event with a count. When there are more events than are kept, later
/// ones are only counted (<see cref="Lost"/>), and the totals stay right.
/// </remarks>
public sealed class PumaJournal(long ticksPerSecond, int eventsMax = 200_000)
{
    private const int KindCount = (int)PumaEventKind.LatencyResumed + 1;
    private const int CauseCount = (int)PumaCause.Floor + 1;

    private readonly List<PumaEvent> _events = [];
    private readonly long[] _totals = new long[KindCount * CauseCount];
    private readonly int[] _last = NoEvents();

    /// <summary>Equal decisions about pages that are no further apart than this are one event.</summary>
    public long MergeTicks { get; } = ticksPerSecond;

    /// <summary>The events, by the time of their first decision.</summary>
    public IReadOnlyList<PumaEvent> Events => _events;

    /// <summary>Events that were counted and not kept.</summary>
    public long Lost { get; private set; }

    /// <summary>How often a kind was decided, for whatever cause.</summary>
    public long Total(PumaEventKind kind)
    {
        long sum = 0;
        for (int cause = 0; cause < CauseCount; cause++) sum += _totals[((int)kind * CauseCount) + cause];
        return sum;
    }

    /// <summary>How often a kind was decided for a cause.</summary>
    public long Total(PumaEventKind kind, PumaCause cause) => _totals[((int)kind * CauseCount) + (int)cause];

    /// <summary>Notes a decision.</summary>
    public void Add(
        long nowTicks, PumaEventKind kind, PumaCause cause = PumaCause.None, int peer = -1,
        (long First, long Second) evidence = default)
    {
        int index = ((int)kind * CauseCount) + (int)cause;
        _totals[index]++;
        int last = _last[index];
        if (IsAboutPages(kind) && last >= 0)
        {
            PumaEvent before = _events[last];
            if (before.Peer == peer && nowTicks - before.LastTicks <= MergeTicks)
            {
                _events[last] = before with { LastTicks = nowTicks, Count = before.Count + 1, Evidence = evidence };
                return;
            }
        }

        if (_events.Count >= eventsMax)
        {
            Lost++;
            return;
        }

        _last[index] = _events.Count;
        _events.Add(new PumaEvent(nowTicks, nowTicks, kind, cause, peer, 1, evidence));
    }

    /// <summary>The decision by which lending was suspended at a time, and the last sign that kept it so.</summary>
    /// <returns>Null when lending was not suspended then.</returns>
    public (PumaEvent Began, PumaEvent LastSign)? WhySuspended(long atTicks)
    {
        (PumaEvent Began, PumaEvent LastSign)? found = null;
        foreach (PumaEvent one in _events)
        {
            if (one.FirstTicks > atTicks) break;
            if (one.Kind == PumaEventKind.Suspended) found = (one, one);
            else if (one.Kind == PumaEventKind.Rearmed && found is { } open) found = (open.Began, one);
            else if (one.Kind == PumaEventKind.Resumed) found = null;
        }

        return found;
    }

    /// <summary>The intervals in which lending was suspended, up to a time.</summary>
    public IReadOnlyList<(long FromTicks, long ToTicks)> SuspendedIntervals(long endTicks)
    {
        List<(long, long)> intervals = [];
        long from = -1;
        foreach (PumaEvent one in _events)
        {
            if (one.Kind == PumaEventKind.Suspended && from < 0) from = one.FirstTicks;
            if (one.Kind != PumaEventKind.Resumed || from < 0) continue;
            intervals.Add((from, one.FirstTicks));
            from = -1;
        }

        if (from >= 0) intervals.Add((from, endTicks));
        return intervals;
    }

    private static bool IsAboutPages(PumaEventKind kind) => kind is not (PumaEventKind.Suspended
        or PumaEventKind.Resumed or PumaEventKind.LatencySuspended or PumaEventKind.LatencyResumed);

    private static int[] NoEvents()
    {
        int[] none = new int[KindCount * CauseCount];
        Array.Fill(none, -1);
        return none;
    }
}
