// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Cli.Bench;
using PerfCache.Simulation.Replay;
using PerfCache.Tests.Cli;

namespace PerfCache.Tests.Bench;

/// <summary>
/// Goal: the bench prints every row, keeps standard output to JSON when asked, and refuses to print a ratio
/// of things that do not do the same work. Method: tiny passes over a stand-in cell; no test looks at a
/// speed.
/// </summary>
internal sealed class BenchCommandTests
{
    private static readonly BenchPlan s_tiny = new()
    {
        Sizes = [new BenchSize("small", 100, 10), new BenchSize("smaller", 50, 5)],
        Requests = FloorRatios.BlockLength + 1_000,
        Pairs = 1,
        WarmUps = 0,
    };

    [Test]
    public void EveryPolicyHasARowWithAndWithoutLookAheadAtEverySize()
    {
        (int code, string output, string errors) =
            Run(s_tiny, json: true, (spec, frames) => new LruCell(spec, frames));

        Assert.That(code, Is.Zero, errors);
        JsonElement[] rows = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.That(
            rows.Select(row => (row.GetProperty("size").GetString(), row.GetProperty("policy").GetString(),
                row.GetProperty("lookAhead").GetBoolean())),
            Is.EquivalentTo(
                from size in new[] { "small", "smaller" }
                from policy in new[]
                {
                    "lru", "linux-6", "fifo", "linux-3.15", "clock", "sieve", "s3fifo", "lfu", "2q", "arc", "lirs",
                    "wtinylfu",
                }
                from lookAhead in new[] { true, false }
                select (size, policy, lookAhead)));
        foreach (JsonElement row in rows)
        {
            Assert.That(row.GetProperty("requests").GetInt32(), Is.EqualTo(s_tiny.Requests));
            Assert.That(row.GetProperty("misses").GetInt64(), Is.EqualTo(row.GetProperty("floorMisses").GetInt64()));
            Assert.That(row.GetProperty("ratio").GetDouble(), Is.Positive);
            Assert.That(row.GetProperty("requestsPerSecond").GetDouble(), Is.Positive);
        }

        Assert.That(errors, Does.Contain("tiered compilation"), "notes belong on standard error");
    }

    [Test]
    public void TheTableNamesTheMachineTheSizesAndEveryPolicy()
    {
        (int code, string output, string errors) =
            Run(s_tiny, json: false, (spec, frames) => new LruCell(spec, frames));

        Assert.That(code, Is.Zero, errors);
        Assert.That(errors, Is.Empty);
        foreach (string text in new[] { "tiered compilation", "small: 100 pages, 10 frames", "linux-3.15   no" })
            Assert.That(output, Does.Contain(text));
    }

    [Test]
    public void AnLruThatMissesLessThanTheFloorFailsLoudly()
    {
        (int code, string output, string errors) =
            Run(s_tiny, json: true, (spec, frames) => new LruCell(spec, frames) { Forgiven = 1 });

        Assert.That(code, Is.EqualTo(1));
        Assert.That(output, Is.Empty);
        Assert.That(errors, Does.Contain("bench: small (100 pages, 10 frames): lru counts"));
    }

    [Test]
    public void CancellingKeepsTheFinishedRows()
    {
        using CancellationTokenSource source = new();
        int made = 0;
        (int code, string output, string errors) = Run(
            s_tiny, json: true,
            (spec, frames) =>
            {
                if (++made == 2) source.Cancel();
                return new LruCell(spec, frames);
            },
            source.Token);

        Assert.That(code, Is.EqualTo(1));
        // The second row was in its last pass, which is let run to its end; the third never begins.
        Assert.That(output.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(2));
        Assert.That(made, Is.EqualTo(2));
        Assert.That(errors, Does.Contain("stopped"));
    }

    [Test]
    public void TheCommandTakesItsThreeOptionsAndNoOther()
    {
        BenchCommand command = new();

        Assert.That(command.Parse(["--quick", "--json", "--policy", "sieve"]).Errors, Is.Empty);
        Assert.That(command.Parse(["--slow"]).Errors, Is.Not.Empty);
        Assert.That(command.Examples, Does.Contain("perfcache bench --quick"));
    }

    [TestCase("sieve,nothing", "'nothing' is not known")]
    [TestCase("s3fifo:small=2", "small must be a number from 0 to 1")]
    [TestCase("lru,belady", "'belady' knows the future")]
    public void APolicyThatCannotBeMeasuredIsToldBeforeAnythingIs(string policies, string message)
    {
        CliRun run = CliRun.Of("bench", "--policy", policies);

        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Out, Is.Empty);
        Assert.That(run.Error, Does.Contain("--policy: ").And.Contain(message));
    }

    private static (int Code, string Output, string Errors) Run(
        BenchPlan plan, bool json, Func<PolicySpec, long, ReplayCell> create,
        CancellationToken cancellation = default)
    {
        using StringWriter output = new();
        using StringWriter errors = new();
        int code = BenchCommand.Run(plan, json, create, output, errors, cancellation);
        return (code, output.ToString(), errors.ToString());
    }

    // Every policy is LRU here: what the rows say is not what these tests are about.
    private sealed class LruCell(PolicySpec spec, long frames) : ReplayCell
    {
        private readonly LinkedList<uint> _order = new();
        private long _misses;

        public long Forgiven { get; init; }

        public override string Policy => spec.Text;

        public override long Frames => frames;

        public override PageNumbering Numbering => PageNumbering.Dense;

        public override bool CountsRefaults => false;

        public override ReplayCounts Counts => new(_misses - Forgiven, 0, 0, 0, 0);

        public override long NativeBytes => 0;

        public override void Replay(ReplayRequests requests, Span<byte> outcomes)
        {
            foreach (uint page in requests.Pages)
            {
                if (!_order.Remove(page)) _misses++;
                _order.AddFirst(page);
                if (_order.Count > frames) _order.RemoveLast();
            }
        }

        public override void VisitResident(Action<uint> visit) => _order.Order().ToList().ForEach(visit);

        public override void Dispose()
        {
        }
    }
}
