// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Cli.PumaReal;

namespace PerfCache.Tests.Cli;

/// <summary>
/// <c>perfcache puma-real</c> as typed. Goal: the slides' scenarios happen between real processes, in memory control groups
/// of their own; no page is wrong, nothing is killed, and the figures say that memory was lent and taken back. How large they
/// are is not asserted: that is this machine's business.
/// </summary>
internal sealed class PumaRealCommandTests : FolderFixture
{
    [TestCase("no scenario 'sleep'", "puma-real", "sleep")]
    [TestCase("--mib", "puma-real", "malloc", "--mib", "64")]
    [TestCase("--seconds", "puma-real", "--seconds", "0")]
    [TestCase("--folder", "puma-real", "--folder", "/nowhere/at/all")]
    [TestCase("--role", "puma-real", "--role", "sing")]
    public void WrongUsageIsOneLineAndTwo(string expected, params string[] args) =>
        CliRun.IsWrongUsage(expected, args);

    [Test]
    public void AnAllocationTakesWhatWasLentAndNoMore()
    {
        Dictionary<string, double> figures = Run("malloc", "--quick", "--seconds", "1", "--real-only");
        double before = figures["malloc, detectors off, MiB lent before"];
        double after = figures["malloc, detectors off, MiB lent after"];
        Assert.That(before, Is.GreaterThan(40));
        Assert.That(after, Is.LessThan(before - 20), "the kernel took what the blocks needed");
        Assert.That(after, Is.GreaterThan(-8), "and no more than there was");
        Assert.That(figures["malloc, detectors off, over the reference"], Is.GreaterThan(0.1).And.LessThan(50));
    }

    [Test, Explicit("two minutes: dotnet test --filter FullyQualifiedName~PumaRealCommandTests.AllFour"), Category("Stress")]
    public void AllFourRunAndFillTheTable()
    {
        Dictionary<string, double> figures = Run("all", "--quick");
        foreach (string scenario in RealScenarios.Names)
            Assert.That(figures.Keys, Has.Some.StartsWith(scenario + ", detectors on"), scenario);
        Assert.That(figures["lender-resumes, detectors off, s to 95 % of the hits"], Is.Positive);
        Assert.That(figures["borrower-resumes, detectors off, lent, of the idle memory"], Is.GreaterThan(0.1));
    }

    private Dictionary<string, double> Run(params string[] args)
    {
        CliRun run = CliRun.Of(["puma-real", .. args, "--json", "--folder", Folder]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        if (run.Error.Contains("skipped", StringComparison.Ordinal)) Assert.Ignore(run.Error);
        Dictionary<string, double> figures = [];
        foreach (string line in run.Out.Trim().Split('\n'))
        {
            TestContext.Out.WriteLine(line);
            using JsonDocument json = JsonDocument.Parse(line);
            JsonElement root = json.RootElement;
            string name = $"{root.GetProperty("scenario")}, {root.GetProperty("run")}, {root.GetProperty("figure")}";
            figures[name] = root.GetProperty("real").GetDouble();
        }

        return figures;
    }
}
