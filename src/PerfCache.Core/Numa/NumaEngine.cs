// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Numa;

/// <summary>
/// Where memory that somebody else allocated is, and its way to where it should be: registers ranges and their owners,
/// tells where their pages are, plans moves and runs them.
/// </summary>
/// <remarks>
/// <code>
/// AddDomain(name, home) ── AddRange(address, bytes) ──► Residency ──► PlanHome / Plan ──► MoveAsync
///                                                          ▲                                 │
///                                                          └─────── ask again, plan again ◄──┘
/// </code>
/// It decides nothing: when to look, when to move and what is worth moving is its caller's choice. Pages of a
/// <c>PageCache</c> are not for it, because the cache exchanges frames without the kernel, and moves no page while
/// somebody reads it. What is for it: arrays, memory-mapped files of this process, buffers of a library in native code.
/// Never register memory of the garbage collector, which moves and frees it by itself.
/// <para>
/// A move is a wish. Pages may stay for many reasons, all of them normal (<see cref="MoveStatistics.FailedPages"/>);
/// contents and addresses never change, and threads that touch a page meanwhile wait for it some microseconds.
/// </para>
/// <para>
/// Moves run on the thread pool, one batch at a time for the whole engine, within <see cref="MoveLimits"/>. Forget a
/// range (<see cref="Remove(NumaMemoryRange)"/>) and let its moves end before its memory is freed: a late batch would
/// move whatever is mapped there by then.
/// </para>
/// Thread-safe.
/// </remarks>
public sealed class NumaEngine : IDisposable
{
    private const int ChunkPages = 4096;
    private const long WaitTicksMin = TimeSpan.TicksPerMillisecond;

    private readonly Lock _lock = new();
    private readonly List<NumaDomain> _domains = [];
    private readonly MoveLimits _limits;
    private readonly MovePacer _pacer;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly CancellationTokenSource _closing = new();

    // Held while the pacer is asked and a batch runs.
    private readonly SemaphoreSlim _turn = new(1);
    private MoveStatistics _statistics = new();

    /// <summary>Makes an engine without memory.</summary>
    /// <exception cref="ArgumentException">The nodes are emulated and the system is a real one, or a limit makes no
    /// sense.</exception>
    public NumaEngine(NumaEngineOptions? options = null)
    {
        options ??= new NumaEngineOptions();
        System = options.System ?? NumaSystem.OfThisMachine;
        Topology = options.Topology ?? NumaTopology.Read();
        if (Topology.IsEmulated && System is NumaSystem)
        {
            throw new ArgumentException(
                "emulated nodes exist in the program only, so no real memory can be moved to them; "
                + "use a ModelledNumaSystem with them", nameof(options));
        }

        options.Limits.Check();
        _limits = options.Limits;
        _pacer = new MovePacer(_limits);
        _time = options.Time;
        _start = _time.GetTimestamp();
    }

    /// <summary>The nodes.</summary>
    public NumaTopology Topology { get; }

    /// <summary>What places and moves memory; its <see cref="INumaSystem.Reason"/> says when that is nobody.</summary>
    public INumaSystem System { get; }

    /// <summary>The owners, in the order in which they came.</summary>
    public IReadOnlyList<NumaDomain> Domains
    {
        get
        {
            lock (_lock) return [.. _domains];
        }
    }

    /// <summary>The sum over all runs that ended or were stopped.</summary>
    public MoveStatistics Statistics
    {
        get
        {
            lock (_lock) return _statistics;
        }
    }

    /// <summary>Registers an owner of memory.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="homeNode">The node where its memory should be.</param>
    /// <exception cref="ArgumentException">No memory can be had on that node; the message says why.</exception>
    public NumaDomain AddDomain(string name, int homeNode)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        CheckTarget(homeNode);
        NumaDomain domain = new(name, homeNode);
        lock (_lock) _domains.Add(domain);
        return domain;
    }

    /// <summary>Says that a domain runs elsewhere from now on; its memory stays until it is moved.</summary>
    /// <exception cref="ArgumentException">No memory can be had on that node; the message says why.</exception>
    public void SetHome(NumaDomain domain, int homeNode)
    {
        ArgumentNullException.ThrowIfNull(domain);
        CheckTarget(homeNode);
        domain.MoveHome(homeNode);
    }

    /// <summary>Registers memory of a domain. It must stay mapped until it is removed.</summary>
    /// <exception cref="ArgumentException">It shares bytes with memory that is registered.</exception>
    public NumaMemoryRange AddRange(NumaDomain domain, nint address, long bytes)
    {
        ArgumentNullException.ThrowIfNull(domain);
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        lock (_lock)
        {
            if (!_domains.Contains(domain)) throw new ArgumentException($"the domain {domain.Name} is not registered");
            NumaMemoryRange? other = _domains.SelectMany(each => each.Ranges).FirstOrDefault(
                range => address < range.Address + (nint)range.Bytes && range.Address < address + (nint)bytes);
            if (other is not null)
            {
                throw new ArgumentException(
                    $"{bytes} bytes at 0x{address:x} overlap {other.Bytes} bytes of {other.Domain.Name} "
                    + $"at 0x{other.Address:x}");
            }

            NumaMemoryRange added = new(domain, address, bytes);
            domain.Add(added);
            return added;
        }
    }

    /// <summary>Forgets a range; its memory stays as it is.</summary>
    /// <returns>False when it was not registered.</returns>
    public bool Remove(NumaMemoryRange range)
    {
        ArgumentNullException.ThrowIfNull(range);
        lock (_lock) return range.Domain.Remove(range);
    }

    /// <summary>Forgets a domain and its ranges.</summary>
    /// <returns>False when it was not registered.</returns>
    public bool Remove(NumaDomain domain)
    {
        lock (_lock) return _domains.Remove(domain);
    }

    /// <summary>Says where pages of a range are to come from that are not touched yet.</summary>
    /// <returns>0, or the system's error number.</returns>
    /// <exception cref="ArgumentException">A node of the placement cannot be used; the message says why.</exception>
    public int Bind(NumaMemoryRange range, NumaPlacement placement)
    {
        ArgumentNullException.ThrowIfNull(range);
        ArgumentNullException.ThrowIfNull(placement);
        placement.CheckAgainst(Topology);
        return System.Bind(range.Address, range.Bytes, placement);
    }

    /// <summary>Tells where the pages of a range are, against the home of its domain.</summary>
    /// <param name="range">The range.</param>
    /// <param name="sampleMax">The most pages to ask for.</param>
    public PlacementReport Residency(NumaMemoryRange range, int sampleMax = PlacementReport.DefaultSampleMax)
    {
        ArgumentNullException.ThrowIfNull(range);
        return PlacementReport.Measure(System, range.Address, range.Bytes, HomeOf(range.Domain), sampleMax);
    }

    /// <summary>Tells where the pages of a domain are, against its home.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="sampleMax">The most pages to ask for of each range.</param>
    public PlacementReport Residency(NumaDomain domain, int sampleMax = PlacementReport.DefaultSampleMax)
    {
        ArgumentNullException.ThrowIfNull(domain);
        return PlacementReport.Sum([.. domain.Ranges.Select(range => Residency(range, sampleMax))], HomeOf(domain));
    }

    /// <summary>Plans to bring home the pages of a domain that are elsewhere.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="bytesMax">The most bytes to plan for; the first ones are taken.</param>
    /// <exception cref="InvalidOperationException">The system does not tell where pages are.</exception>
    public MovePlan PlanHome(NumaDomain domain, long bytesMax = long.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(domain);
        List<PageRun> runs = [];
        foreach (NumaMemoryRange range in domain.Ranges)
            bytesMax -= AddRuns(runs, range, domain.HomeNode, bytesMax);
        return new MovePlan(runs);
    }

    /// <summary>Plans to bring the pages of a range that are elsewhere to a node.</summary>
    /// <param name="range">The range.</param>
    /// <param name="targetNode">The node.</param>
    /// <param name="bytesMax">The most bytes to plan for; the first ones are taken.</param>
    /// <exception cref="ArgumentException">No memory can be had on that node; the message says why.</exception>
    /// <exception cref="InvalidOperationException">The system does not tell where pages are.</exception>
    public MovePlan Plan(NumaMemoryRange range, int targetNode, long bytesMax = long.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(range);
        CheckTarget(targetNode);
        List<PageRun> runs = [];
        AddRuns(runs, range, targetNode, bytesMax);
        return new MovePlan(runs);
    }

    /// <summary>Moves the pages of a plan, as far as the system lets them go.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="progress">Told after each batch.</param>
    /// <param name="cancellationToken">Stops after the batch that is under way; what is moved stays moved.</param>
    /// <returns>What became of the pages; also when it was stopped, and when nothing could be moved.</returns>
    /// <exception cref="ArgumentException">No memory can be had on a target; the message says why.</exception>
    public async Task<MoveResult> MoveAsync(
        MovePlan plan, IProgress<MoveStatistics>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ObjectDisposedException.ThrowIf(_closing.IsCancellationRequested, this);
        foreach (int target in plan.BytesToNode.Keys) CheckTarget(target);
        using CancellationTokenSource either =
            CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _closing.Token);
        PageMover mover = new(System, plan, _limits);
        Waits waits = new();
        bool isCanceled = false;
        try
        {
            while (!mover.IsDone)
            {
                await TakeTurnAsync(mover.Prepare(), waits, either.Token).ConfigureAwait(false);
                try
                {
                    await Task.Run(() => RunBatch(mover), CancellationToken.None).ConfigureAwait(false);
                }
                finally
                {
                    _turn.Release();
                }

                progress?.Report(mover.Statistics);
            }
        }
        catch (OperationCanceledException) when (either.IsCancellationRequested)
        {
            isCanceled = true;
        }

        MoveStatistics statistics = mover.Statistics with
        {
            WaitedForRate = new TimeSpan(waits.RateTicks),
            BackedOff = new TimeSpan(waits.BackOffTicks),
        };
        lock (_lock) _statistics += statistics;
        return new MoveResult(statistics, isCanceled, mover.Error);
    }

    /// <summary>Stops all moves after the batch that is under way. Memory stays where it is.</summary>
    public void Dispose() => _closing.Cancel();

    private static NumaPlacement HomeOf(NumaDomain domain) => NumaPlacement.Preferred(domain.HomeNode);

    private long Now => _time.GetElapsedTime(_start).Ticks;

    private void RunBatch(PageMover mover)
    {
        (long bytes, bool hasFailed) = mover.Run();
        _pacer.Done(Now, bytes, hasFailed);
    }

    /// <summary>Waits until a batch may go. Who returns from here has the turn.</summary>
    private async Task TakeTurnAsync(long bytes, Waits waits, CancellationToken cancellationToken)
    {
        while (true)
        {
            await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
            (long ticks, MovePacer.Reason reason) = _pacer.Wait(Now, bytes);
            if (ticks == 0 && !cancellationToken.IsCancellationRequested) return;
            _turn.Release();
            cancellationToken.ThrowIfCancellationRequested();
            long before = Now;
            await Task.Delay(new TimeSpan(Math.Max(ticks, WaitTicksMin)), _time, cancellationToken)
                .ConfigureAwait(false);
            if (reason == MovePacer.Reason.BackOff) waits.BackOffTicks += Now - before;
            else waits.RateTicks += Now - before;
        }
    }

    /// <summary>Adds the pages of a range that are on another node than the target.</summary>
    private long AddRuns(List<PageRun> runs, NumaMemoryRange range, int target, long bytesMax)
    {
        int pageBytes = System.PageBytes;
        nint first = range.Address & ~(nint)(pageBytes - 1);
        long pages = (range.Address - first + range.Bytes + pageBytes - 1) / pageBytes;
        nint[] addresses = new nint[Math.Min(pages, ChunkPages)];
        int[] statuses = new int[addresses.Length];
        long planned = 0;
        for (long done = 0; done < pages; done += addresses.Length)
        {
            int count = (int)Math.Min(addresses.Length, pages - done);
            for (int i = 0; i < count; i++) addresses[i] = first + (nint)((done + i) * pageBytes);
            int error = System.Query(process: 0, addresses.AsSpan(0, count), statuses.AsSpan(0, count));
            if (error != 0)
            {
                throw new InvalidOperationException(
                    $"the system does not tell where pages are (error {error}): {System.Reason ?? "no reason known"}");
            }

            for (int i = 0; i < count; i++)
            {
                if (!NumaStatus.IsNode(statuses[i]) || statuses[i] == target) continue;
                if (planned + pageBytes > bytesMax) return planned;
                planned += pageBytes;
                if (runs.Count > 0 && runs[^1].IsContinuedBy(addresses[i], target))
                    runs[^1] = runs[^1] with { Bytes = runs[^1].Bytes + pageBytes };
                else
                    runs.Add(new PageRun(addresses[i], pageBytes, target));
            }
        }

        return planned;
    }

    private void CheckTarget(int node) => NumaPlacement.Preferred(node).CheckAgainst(Topology);

    private sealed class Waits
    {
        internal long RateTicks;
        internal long BackOffTicks;
    }
}
