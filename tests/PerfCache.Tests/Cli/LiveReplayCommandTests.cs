// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Cli;
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Cli;

/// <summary>
/// <c>perfcache replay --live</c> through the whole command: real traces, real caches, real files; what it prints, and
/// what it refuses.
/// </summary>
[TestFixture]
public sealed class LiveReplayCommandTests : FolderFixture
{
    private const string Trace = "zipf:objects=3000,alpha=0.9,requests=60000,seed=2";

    private static readonly string[] s_liveNames =
    [
        "live", "threads", "reclaim", "pageBytes", "bytesPerSecond", "hitsTimed", "hitP50Ns", "hitP99Ns", "hitP999Ns",
        "hitMaxNs", "missP50Ns", "missP99Ns", "missP999Ns", "missMaxNs", "lockWaits",
    ];

    private static List<JsonElement> Lines(CliRun run)
    {
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        return run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement).ToList();
    }

    [Test]
    public void OneThreadWithDirectReclaimPrintsTheCountsOfTheReplay(
        [Values("linux-6", "linux-3.15", "fifo")] string policy)
    {
        string[] arguments = ["replay", Trace, "--policy", policy, "--size", "1%,10%,50%", "--json"];
        List<JsonElement> names = Lines(CliRun.Of(arguments));
        List<JsonElement> live = Lines(CliRun.Of([.. arguments, "--live", "--threads", "1", "--reclaim", "direct"]));
        Assert.That(live, Has.Count.EqualTo(3));
        string[] counts =
            ["frames", "requests", "misses", "coldMisses", "refaults", "activations", "deactivations", "evictions"];
        foreach ((JsonElement one, JsonElement other) in live.Zip(names))
        {
            foreach (string count in counts)
                Assert.That(one.GetProperty(count).GetInt64(), Is.EqualTo(other.GetProperty(count).GetInt64()), count);
        }
    }

    [Test]
    public void JsonKeepsItsNamesAndAddsThoseOfTheLiveReplay()
    {
        JsonElement names = Lines(CliRun.Of("replay", Trace, "--policy", "fifo", "--frames", "100", "--json"))[0];
        JsonElement live = Lines(CliRun.Of("replay", Trace, "--policy", "fifo", "--frames", "100", "--json",
            "--live", "--threads", "2", "--page-bytes", "8192", "--load-latency-us", "100", "--limit", "5000"))[0];
        string[] kept = [.. names.EnumerateObject().Select(property => property.Name)];
        Assert.That(live.EnumerateObject().Select(property => property.Name), Is.EqualTo([.. kept, .. s_liveNames]));
        Assert.That(live.GetProperty("live").GetBoolean(), Is.True);
        Assert.That(live.GetProperty("threads").GetInt32(), Is.EqualTo(2));
        Assert.That(live.GetProperty("reclaim").GetString(), Is.EqualTo("background"));
        Assert.That(live.GetProperty("pageBytes").GetInt32(), Is.EqualTo(8192));
        Assert.That(live.GetProperty("bytesPerSecond").GetDouble(),
            Is.EqualTo(live.GetProperty("requests").GetInt64() * 8192.0 / live.GetProperty("seconds").GetDouble()).Within(1));
        Assert.That(live.GetProperty("missP50Ns").GetInt64(), Is.GreaterThanOrEqualTo(100_000), "the modelled latency");
        Assert.That(live.GetProperty("hitP50Ns").GetInt64(), Is.LessThan(100_000));
        foreach (string kind in new[] { "hit", "miss" })
        {
            long[] told =
                [.. new[] { "P50Ns", "P99Ns", "P999Ns", "MaxNs" }.Select(name => live.GetProperty(kind + name).GetInt64())];
            Assert.That(told, Is.Ordered);
        }
    }

    [Test]
    public void TheTableSaysSpeedAndLatencies()
    {
        CliRun run = CliRun.Of("replay", Trace, "--live", "--verify", "--touch", "all", "--threads", "2");
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Error, Is.EqualTo(
            "perfcache replay: using --policy linux-6,linux-3.15,fifo --size 1%,5%,10%,25%" + Environment.NewLine));
        string[] lines = run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines[0], Does.StartWith(Trace + ": 60,000 requests, ")
            .And.Contain(" distinct pages of 4096 bytes, 2 threads, background reclaim"));
        Assert.That(lines[1].Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries), Is.EqualTo(
            new[]
            {
                "policy", "frames", "miss ratio", "misses", "M req/s", "GB/s", "hit p50", "p99", "p99.9", "miss p50", "p99",
                "p99.9", "lock waits",
            }));
        Assert.That(lines, Has.Length.EqualTo(2 + 12));
        Assert.That(lines.Skip(2), Has.All.Match(@" \d[\d.]* (ns|us|ms) "));
    }

    [Test]
    public void PagesComeFromAFileThatIsAskedFor([Values] bool direct)
    {
        string file = PathOf("backing");
        File.WriteAllBytes(file, new byte[100 * 4096]);
        string[] arguments = ["replay", Trace, "--live", "--policy", "linux-6", "--frames", "500", "--json", "--backing", file];
        CliRun run = CliRun.Of(direct ? [.. arguments, "--direct"] : arguments);
        if (direct && run.Error.Contains("direct I/O", StringComparison.Ordinal))
        {
            Assert.That(run.ExitCode, Is.EqualTo(2), "refused by this file system, which is said before any work");
            return;
        }

        Assert.That(Lines(run)[0].GetProperty("requests").GetInt64(), Is.EqualTo(60_000));
        File.WriteAllBytes(file, []);
        Assert.That(CliRun.Of(arguments).Error, Does.StartWith($"perfcache: --backing: '{file}' is empty"));
    }

    [TestCase("--live --outcomes x", "--outcomes does not go with --live; leave it out, or replay without --live")]
    [TestCase("--live --resident x", "--resident does not go with --live; leave it out, or replay without --live")]
    [TestCase("--live --report x", "--report does not go with --live; use --json")]
    [TestCase("--live --csv x", "--csv does not go with --live; use --json")]
    [TestCase("--live --jobs 1", "--jobs does not go with --live; use --threads")]
    [TestCase("--threads 2", "--threads needs --live")]
    [TestCase("--verify", "--verify needs --live")]
    [TestCase("--live --threads 0", "--threads: '0' is not a whole number from 1 to 1024")]
    [TestCase("--live --reclaim lazy", "--reclaim: 'lazy' is not one of direct background")]
    [TestCase("--live --touch some", "--touch: 'some' is not one of none line all")]
    [TestCase("--live --load-latency-us -1", "--load-latency-us: '-1' is not a whole number from 0 to 60000000")]
    [TestCase("--live --direct", "--direct needs --backing: computed pages are in no file")]
    [TestCase("--live --backing x --verify", "--verify does not go with --backing: only computed pages are known")]
    [TestCase("--live --backing x --load-latency-us 5",
        "--load-latency-us does not go with --backing: a file takes what it takes")]
    [TestCase("--live --page-bytes 5000",
        "--page-bytes: with --live a page is a power of two from 4096 to 65536, not 5000")]
    [TestCase("--live --policy lru", "--policy: policy 'lru' moves pages on every hit, under a lock that the live cache "
        + "does not take; choose from fifo, clock, sieve, s3fifo, linux-3.15, linux-6, or replay without --live")]
    public void WhatMakesNoSenseIsOneLineAndExitCode2(string arguments, string message)
    {
        CliRun run = CliRun.Of(["replay", Trace, .. arguments.Split(' ')]);
        Assert.That(run.Error, Is.EqualTo($"perfcache: {message} (see 'perfcache replay --help')" + Environment.NewLine));
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
    }

    [Test]
    public void ASizeThatIsTooSmallNamesTheTraceAndTheOthersGoOn()
    {
        string small = PathOf("small");
        File.WriteAllText(small, "1\n2\n3\n");
        CliRun run = CliRun.Of("replay", small, Trace, "--live", "--policy", "fifo", "--size", "50%", "--json");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.StartWith($"perfcache: {small}: a size of 50% is 1 frames"));
        Assert.That(run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(1));
    }

    [Test]
    public void CtrlCPrintsWhatIsFinished()
    {
        using CancellationTokenSource stop = new();
        using StringWriter output = new();
        using StringWriter error = new();
        int exitCode = CommandLine.Run(
            ["replay", Trace, "--live", "--policy", "fifo", "--frames", "50,100,200"],
            new CliContext
            {
                Out = output,
                Error = error,
                Cancellation = stop.Token,
                ReplayLive = (source, options, live, progress, cancellation) =>
                    LiveReplay.Run(source, options, live,
                        // The second size is under way from a third on.
                        report => { if (report.Fraction > 0.34) stop.Cancel(); }, cancellation),
            });
        Assert.That(exitCode, Is.EqualTo(1));
        Assert.That(error.ToString(), Does.Contain("stopped; what is finished is printed"));
        string[] lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines[0], Does.Contain("(incomplete: stopped here)"));
        Assert.That(lines, Has.Length.EqualTo(2 + 2), "the first size whole, the second in part");
        Assert.That(lines[2], Does.Not.Contain("incomplete"));
        Assert.That(lines[3], Does.Contain("fifo (incomplete)"));
    }
}
