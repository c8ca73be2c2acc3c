// SPDX-License-Identifier: MIT
using System.Text.Json;

namespace PerfCache.Tests.Cli;

/// <summary><c>perfcache flip</c> through the whole command: what it prints, writes and refuses.</summary>
[TestFixture]
public sealed class FlipCommandTests : FolderFixture
{
    [Test]
    public void The_text_has_a_row_a_remedy_and_lists_every_parameter()
    {
        CliRun run = CliRun.Of("flip", "--scale", "64", "--no-sensitivity", "--remedy", "naive,pool-dynamic", "--placement", "heap");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Match("(?m)^ *naive +2[0-9.]+%"));
        Assert.That(run.Out, Does.Match("(?m)^ *pool-dynamic +[0-9.]+%"));
        Assert.That(run.Out, Does.Match("(?m)^latency-ratio +2 +calibrated "));
        Assert.That(run.Out, Does.Contain("flipping is cheaper from "));
    }

    [Test]
    public void Json_is_one_object_a_line_of_a_known_kind()
    {
        CliRun run = CliRun.Of("flip", "--scale", "64", "--no-sensitivity", "--remedy", "periodic", "--json", "--set", "guests=1");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        JsonElement[] lines = [.. run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.That(lines.Select(line => line.GetProperty("kind").GetString()).Distinct(),
            Is.EqualTo(new[] { "parameter", "run", "sample", "delivery", "crossover" }));
        Assert.That(lines.Where(line => line.GetProperty("kind").GetString() == "run")
            .Select(line => line.GetProperty("placement").GetString()), Is.EqualTo(new[] { "heap", "swap" }));
        JsonElement sample = lines.Last(line => line.GetProperty("kind").GetString() == "sample");
        Assert.That(sample.GetProperty("shareOfNode").EnumerateArray().Sum(share => share.GetDouble()), Is.EqualTo(1).Within(1e-9));
    }

    [Test]
    public void Report_and_csv_are_written_and_a_small_sensitivity_is_in_them()
    {
        string report = Path.Combine(Folder, "flip.html");
        string csv = Path.Combine(Folder, "flip.csv");
        CliRun run = CliRun.Of("flip", "--scale", "128", "--remedy", "naive,pool-static,threshold", "--report", report, "--csv", csv,
            "--set", "burst-packets=100", "--set", "free-share=0.1");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        string html = File.ReadAllText(report);
        Assert.That(html, Does.Contain("guest 2 on node 0").And.Contain("burst-packets 100 -&gt; 200").And.Contain("Copy or flip?"));
        string[] lines = File.ReadAllLines(csv);
        Assert.That(lines[0], Is.EqualTo("placement,remedy,seconds,guest,node,share,poolFrames,poolUsed,migratedPages,remedyShare"));
        Assert.That(lines, Has.Length.GreaterThan(2 * 3 * 240 * 2 * 3));
    }

    [Test]
    public void Parameters_are_listed_with_their_sources()
    {
        CliRun run = CliRun.Of("flip", "--parameters", "--set", "retention=0.25");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Match("(?m)^retention +0.25 pages a page +given "));
        Assert.That(run.Out, Does.Match("(?m)^guest-gib +16 GiB +published +slides"));
    }

    [Test]
    public void Live_measures_and_runs_remedies_over_real_frames()
    {
        CliRun run = CliRun.Of("flip", "--live", "--nodes", "2", "--remedy", "naive,pool-static");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Contain("emulated nodes").And.Match("(?m)^copy-break measured here: [0-9]+ bytes"));
        Assert.That(run.Out, Does.Match("(?m)^ *naive +[0-9.]+% .* 0$"));
        CliRun json = CliRun.Of("flip", "--live", "--nodes", "2", "--remedy", "copy", "--json");
        Assert.That(json.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("kind").GetString()).Distinct(),
            Is.EqualTo(new[] { "liveCost", "copyBreak", "live" }));
    }

    [TestCase("--set is for the model", "--live", "--nodes", "2", "--set", "retention=1")]
    [TestCase("--nodes is for --live", "--nodes", "2")]
    [TestCase("--nodes: '1' is not a whole number from 2 to 8", "--live", "--nodes", "1")]
    [TestCase("there is no parameter 'nonsense'", "--set", "nonsense=1")]
    [TestCase("latency-ratio=0.5 is out of range; it is from 1 to 100", "--set", "latency-ratio=0.5")]
    [TestCase("--remedy: there is no remedy 'magic'; there are naive, lifo", "--remedy", "magic")]
    [TestCase("--placement: 'moon' is not heap, swap or both", "--placement", "moon")]
    [TestCase("--scale: '0' is not a whole number from 1 to 65536", "--scale", "0")]
    [TestCase("--quick is a scale", "--quick", "--scale", "3")]
    [TestCase("cache-share and free-share are 1.4 of a guest together", "--set", "free-share=0.9")]
    [TestCase("--load: cannot read", "--load", "no/such/file.csv")]
    [TestCase("cannot write", "--quick", "--report", "no/such/folder/x.html")]
    [TestCase("a guest has ", "--scale", "65536")]
    public void Nonsense_is_refused_with_one_line_and_code_2(string message, params string[] args)
    {
        CliRun run = CliRun.Of(["flip", .. args]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.StartWith("perfcache: " + message).And.Not.Contain("\n   "));
        Assert.That(run.Error.TrimEnd().Split('\n'), Has.Length.EqualTo(1));
    }

    [Test]
    public void A_load_for_a_guest_that_is_not_there_is_refused()
    {
        string file = Path.Combine(Folder, "load.csv");
        File.WriteAllText(file, "0,100,3\n");
        CliRun run = CliRun.Of("flip", "--load", file);
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.Contain("has packets for domain 3, and there are 2 guests; give --set guests=N"));
    }
}
