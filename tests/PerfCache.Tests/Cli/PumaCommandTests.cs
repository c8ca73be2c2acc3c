// SPDX-License-Identifier: MIT
using System.Text.Json;

namespace PerfCache.Tests.Cli;

/// <summary><c>perfcache puma</c> through the whole command.</summary>
[TestFixture]
public sealed class PumaCommandTests : FolderFixture
{
    [Test]
    public void TheSameSeedGivesTheSameBytesOfTablesJsonCsvAndReport()
    {
        string[] files = ["a.html", "b.html", "a.csv", "b.csv"];
        for (int i = 0; i < files.Length; i++) files[i] = Path.Combine(Folder, files[i]);
        CliRun first = CliRun.Of(
            "puma", "borrower-resumes", "--scale", "64", "--json", "--seed", "9", "--report", files[0], "--csv", files[2]);
        CliRun second = CliRun.Of(
            "puma", "borrower-resumes", "--scale", "64", "--json", "--seed", "9", "--report", files[1], "--csv", files[3]);
        Assert.That((first.ExitCode, first.Error), Is.EqualTo((0, "")));
        Assert.That(second.Out, Is.EqualTo(first.Out));
        Assert.That(File.ReadAllText(files[3]), Is.EqualTo(File.ReadAllText(files[2])));
        string page = File.ReadAllText(files[0]);
        Assert.That(
            File.ReadAllText(files[1]).Replace("b.html", "a.html", StringComparison.Ordinal)
                .Replace("b.csv", "a.csv", StringComparison.Ordinal),
            Is.EqualTo(page));
        Assert.That(page, Does.Contain("class=\"shade\"").And.Contain("lending suspended").And.Contain("assumed")
            .And.Contain("Memory by kind, forced, detector #3: lender"));

        JsonElement[] lines = [.. first.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)];
        string[] kinds = [.. lines.Select(line => line.GetProperty("kind").GetString()!).Distinct()];
        Assert.That(kinds, Is.EqualTo(new[] { "borrowerResumes", "finding", "decision", "parameter" }));
        Assert.That(lines.Count(line => line.GetProperty("kind").GetString() == "borrowerResumes"), Is.EqualTo(4));
    }

    [Test]
    public void TheTableSaysWhatWasFoundAndWhyLendingWasSuspended()
    {
        CliRun run = CliRun.Of(
            "puma", "borrower-resumes", "--scale", "64", "--why", "360", "--events", "--set", "suspend-s=2");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Contain("of idle memory").And.Contain("forced, idle-aware #3"));
        Assert.That(run.Out, Does.Contain("lending was").And.Contain("360.0 s").And.Contain("(#2)"));
        Assert.That(run.Out, Does.Contain(" Suspended: ").And.Contain(" Resumed: no sign for the time of suspension"));
    }

    [Test]
    public void ParametersAreListedWithTheirSources()
    {
        CliRun run = CliRun.Of("puma", "--parameters");
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Out, Does.Contain("reclaim-ns").And.Contain("assumed").And.Contain("published"));
    }

    [TestCase("borrower-mib=8", "borrower-mib=8 is 256 pages at scale 8")]
    [TestCase("network-gbit=0", "network-gbit=0 is out of range")]
    [TestCase("message-pages=2000", "send-pool=1024 holds less than one message")]
    [TestCase("min-active=2", "min-active=2 is out of range")]
    [TestCase("host-mib=2000", "host-mib=2000 is less than lender-mib and borrower-mib together, 3072")]
    [TestCase("warp=9", "there is no parameter 'warp'")]
    [TestCase("suspend-s", "'suspend-s' is not NAME=VALUE")]
    public void NonsenseIsRefusedInOneLine(string assignment, string message)
    {
        CliRun run = CliRun.Of("puma", "concurrent", "--set", assignment);
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Out, Is.Empty);
        Assert.That(run.Error.TrimEnd(), Does.StartWith("perfcache: " + message).And.Not.Contain("\n"));
    }

    [TestCase("puma", "name a scenario: malloc,")]
    [TestCase("puma puma", "there is no scenario 'puma'")]
    [TestCase("puma gain --disk tape", "--disk: 'tape' is none of hdd, ssd, fast-ssd")]
    [TestCase("puma gain --profile linux-2", "--profile: 'linux-2' is none of linux-3.15, linux-6")]
    [TestCase("puma gain --scale 0.5", "the scale is 0.5")]
    [TestCase("puma gain --scale big", "--scale: 'big' is not a number")]
    [TestCase("puma concurrent --lender-trace nosuchfile", "nosuchfile: no such file")]
    public void WrongUsageIsRefusedInOneLine(string line, string message)
    {
        CliRun run = CliRun.Of(line.Split(' '));
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error.TrimEnd(), Does.StartWith("perfcache: " + message).And.Not.Contain("\n"));
    }

    [Test]
    public void TracesCanBeTheWorkloads()
    {
        CliRun run = CliRun.Of(
            "puma", "concurrent", "--scale", "64", "--lender-trace", "zipf:objects=6000,requests=50000",
            "--borrower-trace", "uniform:objects=9000,requests=50000", "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Contain("zipf:objects=6000,requests=50000"));
    }
}
