// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Reports;
using PerfCache.Simulation.Scenarios.Flipping;
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Scenarios.Flipping;

/// <summary>The model at a hundredth of its size: bookkeeping, repeatability, bad input.</summary>
[TestFixture]
public sealed class FlipSimulationTests
{
    private static readonly FlipScenario s_small = new() { Scale = 64 };

    // Goal: no frame is lost, doubled or counted wrongly, whatever the remedy. Method: a walk over every frame of the
    // host at the end of a run; the totals are checked at each of its samples too.
    [Test]
    public void Every_frame_is_in_one_place_after_every_remedy(
        [Values] PlacementModel placement,
        [ValueSource(nameof(Names))] string remedy)
    {
        FlipScenario scenario = s_small with { Placement = placement };
        FlipSimulation simulation = new(scenario, FlipRemedy.Parse(remedy), 1500, null, CancellationToken.None);
        simulation.Validate();
        FlipResult result = simulation.Run();
        simulation.Validate();
        Assert.That(result.Complete, Is.True);
        Assert.That(result.Packets, Is.GreaterThan(50_000));
        if (remedy != "copy") Assert.That(result.Flips, Is.GreaterThan(50_000));
    }

    [Test]
    public void The_same_seed_gives_the_same_bytes_and_another_seed_others()
    {
        string first = Report(s_small);
        Assert.That(Report(s_small with { Seed = 1 }), Is.EqualTo(first));
        Assert.That(Report(s_small with { Seed = 2 }), Is.Not.EqualTo(first));
    }

    [Test]
    public void All_remedies_see_the_same_packets() =>
        Assert.That(
            FlipRemedy.All.Select(remedy => FlipStudy.Run(s_small, remedy).Packets).Distinct().Count(), Is.EqualTo(1));

    [Test]
    public void Buffers_from_the_receivers_node_leave_nothing_to_drift()
    {
        foreach (PlacementModel placement in Enum.GetValues<PlacementModel>())
            Assert.That(
                FlipStudy.Run(new FlipScenario { Scale = 8, Placement = placement }, FlipRemedy.Parse("source")).RemoteShareMax,
                Is.LessThan(0.005));
    }

    [Test]
    public void Copies_move_no_page()
    {
        FlipResult result = FlipStudy.Run(s_small, FlipRemedy.Parse("copy"));
        Assert.That((result.RemoteShareMax, result.Flips, result.Copies), Is.EqualTo((0.0, 0L, result.Packets)));
        FlipResult mixed = FlipStudy.Run(s_small, FlipRemedy.Parse("adaptive"));
        Assert.That((double)mixed.Copies / mixed.Packets, Is.EqualTo(0.1).Within(0.01), "the short ones");
    }

    // The heap model must saturate at what the driver's node has free, however long it runs.
    [Test]
    public void Drift_ends_when_the_drivers_node_has_no_free_frame_left()
    {
        FlipScenario scenario = s_small with
        {
            Parameters = FlipParameters.Defaults.With("free-heap-share", 0.05).With("other-load", 0).With("queries", 16),
        };
        FlipResult result = FlipStudy.Run(scenario, FlipRemedy.Parse("naive"));
        Assert.That(result.RemoteShareMax, Is.InRange(0.045, 0.075), "the free heap, and the buffers of card and driver");
    }

    [Test]
    public void Packets_of_a_file_go_to_their_guests()
    {
        using StringReader reader = new("time_us,bytes,domain\n# a comment\n0,1500,2\n1.5,64,1\n\n2,9000,2\n2,4096,2\n");
        RecordedLoad load = RecordedLoad.Read(reader, "packets.csv");
        FlipResult result = FlipStudy.Run(s_small with { Recorded = load }, FlipRemedy.Parse("naive"));
        Assert.That((load.Packets, result.Packets, result.Flips), Is.EqualTo((4, 3L, 5L)), "9000 bytes are three pages");
        Assert.That(result.DurationNanos, Is.EqualTo(1_002_000));
    }

    [TestCase("1,2", "f.csv: line 1: 2 fields, expected time_us,bytes,domain")]
    [TestCase("5,1,1\n4,1,1", "f.csv: line 2: the time goes back; sort the file by time")]
    [TestCase("x,1,1", "f.csv: line 1: 'x' is not a time in microseconds")]
    [TestCase("1,0,1", "f.csv: line 1: '0' is not a payload of 1 to 65536 bytes")]
    [TestCase("1,1,9", "f.csv: line 1: '9' is not a domain from 1 to 8")]
    [TestCase("# nothing", "f.csv: no packets; lines are time_us,bytes,domain")]
    public void A_wrong_file_is_one_clear_line(string text, string message)
    {
        using StringReader reader = new(text);
        Assert.That(() => RecordedLoad.Read(reader, "f.csv"),
            Throws.TypeOf<TraceFormatException>().With.Message.EqualTo(message));
    }

    [TestCase("cache-share=0.9 free-share=0.2", "cache-share and free-share are 1.1 of a guest together")]
    [TestCase("guest-gib=0.01 free-share=0.01 cache-share=0", "a guest has 26 pages to exchange and needs")]
    [TestCase("scan-packets=2000000", "scan-packets=2000000 are more than a line of 10 Gb/s carries")]
    [TestCase("consume-us=100", "a guest that takes 100 us a packet falls behind 17500 packets a second")]
    [TestCase("guest-gib=256 free-heap-share=16", "a host of ")]
    public void A_scenario_that_contradicts_itself_is_refused(string assignments, string start)
    {
        FlipScenario scenario = new() { Parameters = FlipParameters.Defaults.WithAssignments(assignments.Split(' ')) };
        Assert.That(() => FlipStudy.Run(scenario, FlipRemedy.All[0]),
            Throws.TypeOf<ParameterException>().With.Message.StartsWith(start));
    }

    [Test]
    public void A_pool_larger_than_the_free_pages_is_refused()
    {
        FlipScenario scenario = s_small with { Parameters = FlipParameters.Defaults.With("pool-frames", 100_000) };
        Assert.That(() => FlipStudy.Run(scenario, FlipRemedy.Parse("pool-static")),
            Throws.TypeOf<ParameterException>().With.Message.StartsWith("a pool of 100000 frames does not fit into the "));
    }

    [Test]
    public void A_stopped_run_says_so()
    {
        using CancellationTokenSource source = new();
        source.Cancel();
        Assert.That(FlipStudy.Run(s_small, FlipRemedy.All[0], source.Token).Complete, Is.False);
    }

    [Test]
    public void Flipping_pays_from_some_payload_on_and_costs_decide_which()
    {
        DeliveryCosts costs = new(FlipParameters.Defaults);
        int crossover = costs.CrossoverBytes();
        Assert.That(costs.FlipNanos(crossover), Is.LessThan(costs.CopyNanos(crossover)));
        Assert.That(costs.FlipNanos(crossover - 1), Is.GreaterThanOrEqualTo(costs.CopyNanos(crossover - 1)));
        Assert.That(new DeliveryCosts(FlipParameters.Defaults.With("flip-driver-ns", 100_000)).CrossoverBytes(), Is.Zero);
    }

    private static IEnumerable<string> Names => FlipRemedy.All.Select(remedy => remedy.Name);

    private static string Report(FlipScenario small)
    {
        FlipScenario scenario = small with { Scale = 32 };
        using StringWriter writer = new() { NewLine = "\n" };
        new FlipReport
        {
            CommandLine = "perfcache flip",
            Scenario = scenario,
            Results = [.. FlipRemedy.All.Take(5).Select(remedy => FlipStudy.Run(scenario, remedy))],
        }.Write(writer);
        return writer.ToString();
    }
}
