// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Numa;

namespace PerfCache.Tests.Core.Numa;

/// <summary>The engine over modelled nodes and a clock that stands still: plans, moves, limits, and what it refuses.
/// </summary>
internal sealed class NumaEngineTests : FolderFixture
{
    private const int Page = 4096;
    private const nint Start = 1 << 30;
    private const long Mebibyte = 1 << 20;

    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(20);

    private ManualTime _time = null!;
    private ModelledNumaSystem _system = null!;

    [SetUp]
    public void MakeClock() => _time = new ManualTime();

    [Test]
    public async Task A_domain_comes_home()
    {
        using NumaEngine engine = Engine();
        NumaDomain domain = engine.AddDomain("guest", homeNode: 1);
        NumaMemoryRange first = Touched(engine, domain, Start, 1000, node: 0);
        Touched(engine, domain, Start + 4000 * Page, 500, node: 1);
        Assert.That(engine.Residency(domain).FallbackPages, Is.EqualTo(1000));
        Assert.That(engine.Residency(first).ShareOn(0), Is.EqualTo(1));

        MovePlan plan = engine.PlanHome(domain);
        Assert.That(plan.Runs, Is.EqualTo(new[] { new PageRun(Start, 1000 * Page, 1) }));
        MoveResult result = await engine.MoveAsync(plan).WaitAsync(s_deadline);
        Assert.That((result.Error, result.IsCanceled, result.Statistics.MovedPages), Is.EqualTo((0, false, 1000)));
        Assert.That(engine.Residency(domain).FallbackPages, Is.Zero);
        Assert.That(engine.PlanHome(domain).Runs, Is.Empty);

        engine.SetHome(domain, 0);
        Assert.That(engine.PlanHome(domain).Bytes, Is.EqualTo(1500 * Page));
        Assert.That(engine.PlanHome(domain, bytesMax: 10 * Page).Bytes, Is.EqualTo(10 * Page));
        Assert.That(engine.Statistics.MovedPages, Is.EqualTo(1000));
    }

    [Test]
    public async Task A_run_keeps_to_its_rate_by_waiting_between_batches()
    {
        using NumaEngine engine = Engine(new MoveLimits { BytesPerSecond = 8 * Mebibyte, BatchBytes = 4 * Mebibyte });
        NumaMemoryRange range = Touched(engine, engine.AddDomain("guest", 0), Start, 4096, node: 0);
        MoveResult result = await engine.MoveAsync(engine.Plan(range, 1)).WaitAsync(s_deadline);
        Assert.That(result.Statistics.MovedPages, Is.EqualTo(4096));
        Assert.That(_time.Elapsed.TotalSeconds, Is.EqualTo(2).Within(0.6), "16 MiB at 8 MiB/s, less the last batch");
        Assert.That(result.Statistics.WaitedForRate, Is.EqualTo(_time.Elapsed));
        Assert.That(result.Statistics.BackedOff, Is.EqualTo(TimeSpan.Zero));
    }

    [Test]
    public async Task A_full_target_backs_off_longer_each_time_and_the_rest_fails()
    {
        using NumaEngine engine = Engine(new MoveLimits { RetriesMax = 3 }, pagesOfNode: node => node == 1 ? 100 : 100_000);
        NumaMemoryRange range = Touched(engine, engine.AddDomain("guest", 0), Start, 1000, node: 0);
        MoveResult result = await engine.MoveAsync(engine.Plan(range, 1)).WaitAsync(s_deadline);
        Assert.That(result.Statistics.MovedPages, Is.EqualTo(100));
        Assert.That(result.Statistics.FailedPages, Is.EqualTo(new Dictionary<int, long> { [NumaStatus.NoMemory] = 900 }));
        Assert.That(_time.Waits.Select(wait => wait.TotalMilliseconds), Is.EqualTo(new double[] { 10, 20, 40 })
            .Or.EqualTo(new double[] { 10, 20, 40, 80 }));
        Assert.That(result.Statistics.BackedOff, Is.EqualTo(_time.Elapsed));
        Assert.That(_system.FreePages(1), Is.Zero);
    }

    [Test]
    public async Task A_run_that_is_stopped_tells_what_it_did_and_what_remains()
    {
        using NumaEngine engine = Engine(new MoveLimits { BatchBytes = 2 * Mebibyte });
        NumaMemoryRange range = Touched(engine, engine.AddDomain("guest", 0), Start, 8192, node: 0);
        using CancellationTokenSource stop = new();
        Stopper stopper = new(stop, afterPages: 1000);
        MoveResult result = await engine.MoveAsync(engine.Plan(range, 1), stopper, stop.Token).WaitAsync(s_deadline);
        Assert.That(result.IsCanceled, Is.True);
        Assert.That(result.Statistics.MovedPages, Is.GreaterThanOrEqualTo(1000).And.LessThan(8192));
        Assert.That(result.Statistics.MovedPages + result.Statistics.RemainingPages, Is.EqualTo(8192));
        MoveResult rest = await engine.MoveAsync(engine.Plan(range, 1)).WaitAsync(s_deadline);
        Assert.That(rest.Statistics.MovedPages, Is.EqualTo(result.Statistics.RemainingPages));
    }

    [Test]
    public async Task Disposing_stops_a_run_that_waits()
    {
        // A clock of its own that never comes on: the second batch would wait forever.
        _system = new ModelledNumaSystem(Topology(), _ => 100_000);
        NumaEngine engine = new(new NumaEngineOptions
        {
            Topology = Topology(),
            System = _system,
            Limits = new MoveLimits { BytesPerSecond = 1 },
        });
        NumaMemoryRange range = Touched(engine, engine.AddDomain("guest", 0), Start, 1000, node: 0);
        TaskCompletionSource begun = new();
        Task<MoveResult> run = engine.MoveAsync(engine.Plan(range, 1), new Signal(begun));
        await begun.Task.WaitAsync(s_deadline);
        engine.Dispose();
        Assert.That((await run.WaitAsync(s_deadline)).IsCanceled, Is.True);
        Assert.That(() => engine.MoveAsync(new MovePlan([])), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public async Task Several_runs_share_the_rate()
    {
        using NumaEngine engine = Engine(new MoveLimits { BytesPerSecond = 4 * Mebibyte, BatchBytes = 2 * Mebibyte });
        NumaDomain domain = engine.AddDomain("guest", 0);
        NumaMemoryRange[] ranges = [.. Enumerable.Range(0, 3).Select(
            index => Touched(engine, domain, Start + index * 8192 * Page, 1024, node: 0))];
        MoveResult[] results = await Task.WhenAll(ranges.Select(range => engine.MoveAsync(engine.Plan(range, 1))))
            .WaitAsync(s_deadline);
        Assert.That(results.Sum(result => result.Statistics.MovedPages), Is.EqualTo(3072));
        Assert.That(engine.Statistics.MovedPages, Is.EqualTo(3072));
        Assert.That(_time.Elapsed.TotalSeconds, Is.GreaterThan(2.4), "12 MiB at 4 MiB/s, less the last batch");
    }

    [Test]
    public void What_cannot_be_is_refused_with_a_reason()
    {
        NumaTopology topology = NumaTopology.Read(new MachineFiles(Folder).WithGap().Allowing("0-3", "0").Root);
        using NumaEngine engine = new(new NumaEngineOptions
        {
            Topology = topology,
            System = new ModelledNumaSystem(topology, _ => 100),
        });
        Assert.Multiple(() =>
        {
            Assert.That(() => engine.AddDomain("x", 1), Complains("node 1 is offline; use 0"));
            Assert.That(() => engine.AddDomain("x", 7), Complains("there is no node 7; use 0"));
            Assert.That(() => engine.AddDomain("x", 2), Complains("may not take memory of node 2: its cpuset forbids it"));
            Assert.That(() => engine.AddDomain("x", -1), Complains("-1 is not a node's number"));
            Assert.That(() => engine.AddDomain("x", 5000), Complains("5000 is not a node's number (0 to 1023)"));
        });
        NumaDomain domain = engine.AddDomain("guest", 0);
        NumaMemoryRange range = engine.AddRange(domain, Start, 10 * Page);
        Assert.Multiple(() =>
        {
            Assert.That(() => engine.AddRange(domain, Start + 9 * Page, 10), Complains("overlap 40960 bytes of guest"));
            Assert.That(() => engine.Plan(range, 3), Complains("node 3 is offline"));
            Assert.That(() => engine.MoveAsync(new MovePlan([new PageRun(Start, 1, 3)])), Complains("node 3 is offline"));
            Assert.That(() => engine.Bind(range, NumaPlacement.Interleave(0, 1)), Complains("interleave:0-1: node 1 is offline"));
            Assert.That(() => new MovePlan([new PageRun(Start, 0, 0)]), Complains("has no page"));
            Assert.That(engine.Remove(range), Is.True);
            Assert.That(engine.Remove(range), Is.False);
            Assert.That(engine.Remove(domain), Is.True);
            Assert.That(() => engine.AddRange(domain, Start, 1), Complains("the domain guest is not registered"));
        });
    }

    [Test]
    public void Emulated_nodes_take_no_real_memory()
    {
        NumaTopology emulated = NumaTopology.Read().Emulate(NumaDistances.Uniform(4, 10, 21));
        Assert.That(
            () => new NumaEngine(new NumaEngineOptions { Topology = emulated }),
            Complains("emulated nodes exist in the program only"));
    }

    [Test]
    public void An_empty_cpuset_leaves_nothing_to_place()
    {
        NumaTopology topology = NumaTopology.Read(new MachineFiles(Folder).WithGap().Allowing("0", "").Root);
        Assert.That(
            () => NumaPlacement.Bind(0).CheckAgainst(topology), Complains("its cpuset forbids it; no node's memory may be used"));
    }

    private static NUnit.Framework.Constraints.ContainsConstraint Complains(string text) =>
        Throws.ArgumentException.With.Message.Contains(text);

    private NumaTopology Topology() =>
        NumaTopology.Read(new MachineFiles(Folder).WithTiers().Root);

    private NumaEngine Engine(MoveLimits? limits = null, Func<int, long>? pagesOfNode = null)
    {
        _system = new ModelledNumaSystem(Topology(), pagesOfNode ?? (_ => 100_000));
        return new NumaEngine(new NumaEngineOptions
        {
            Topology = Topology(),
            System = _system,
            Limits = limits ?? new MoveLimits(),
            Time = _time,
        });
    }

    private NumaMemoryRange Touched(NumaEngine engine, NumaDomain domain, nint address, int pages, int node)
    {
        NumaMemoryRange range = engine.AddRange(domain, address, pages * (long)Page);
        Assert.That(_system.Touch(address, range.Bytes, node), Is.Zero);
        return range;
    }

    private sealed class Stopper(CancellationTokenSource stop, long afterPages) : IProgress<MoveStatistics>
    {
        public void Report(MoveStatistics value)
        {
            if (value.MovedPages >= afterPages) stop.Cancel();
        }
    }

    private sealed class Signal(TaskCompletionSource signal) : IProgress<MoveStatistics>
    {
        public void Report(MoveStatistics value) => signal.TrySetResult();
    }
}
