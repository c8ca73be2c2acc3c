// SPDX-License-Identifier: MIT
using System.Text.Json;
using System.Text.Json.Nodes;
using PerfCache.Cli;
using PerfCache.Cli.Study;
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Cli.Study;

/// <summary><c>perfcache study</c> through the whole command.</summary>
[TestFixture]
internal sealed class StudyCommandTests : FolderFixture
{
    /// <summary>Members of a replay's or a curve's line that differ from run to run.</summary>
    private static readonly string[] s_times = ["seconds", "readSeconds", "requestsPerSecond"];

    [TestCase("study extra", "unrecognized command or argument 'extra'")]
    [TestCase("study --scale 0.5", "--scale: '0.5' is not a number from 1 to 64")]
    [TestCase("study --scale big", "--scale: 'big' is not a number from 1 to 64")]
    [TestCase("study --seed -1", "--seed: '-1' is not a whole number of at least 0")]
    [TestCase("study --jobs 0", "--jobs: '0' is not a whole number from 1 to 1024")]
    [TestCase("study --report a.html --out here", "--out has the report too; give one of --report and --out")]
    [TestCase("study --report no/such/folder/a.html", "cannot write 'no/such/folder/a.html': the folder does not exist")]
    [TestCase("study --out /dev/null/here", "cannot make the folder '/dev/null/here'")]
    public void WrongUsageIsRefusedInOneLine(string line, string message)
    {
        CliRun run = CliRun.Of(line.Split(' '));
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Out, Is.Empty);
        Assert.That(run.Error.TrimEnd(), Does.StartWith("perfcache: " + message).And.Not.Contain("\n"));
    }

    [Test]
    public void HelpHasExamples() =>
        Assert.That(CliRun.Of("study", "--help").Out, Does.Contain("perfcache study --quick").And.Contain("Exit code"));

    [Test]
    public void AStudySaysInShortWhatItFoundAndWhereTheReportIs()
    {
        CliRun run = StudyReportFile.Run;
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Contain("Which replacement policy: over 4 built-in workloads at 4 cache sizes")
            .And.Contain("How much cache").And.Contain("Lending memory instead of ballooning (PUMA)").And.Contain("Both busy")
            .And.Contain("Exchanging pages between virtual machines (flipping)").And.Contain("study.html"));
    }

    [Test]
    public void TheSameSeedGivesTheSameLinesHoweverManyPartsRunSideBySide()
    {
        CliRun alone = Run(context => context, jobs: 1, report: null);
        CliRun together = Run(context => context, jobs: 3, report: null);
        Assert.That((alone.ExitCode, alone.Error), Is.EqualTo((0, "")));
        Assert.That(together.Out, Is.EqualTo(alone.Out));
        Assert.That(StudyReportFile.Run.Out, Does.Not.Contain("{"), "lines only where they were asked for");
    }

    /// <summary>
    /// Goal: the command below a figure is true. Method: each part's command is run as it stands, with --json added, and
    /// must print the study's lines of that part. The sweep of parameters, half of the time, is only read; it is the same
    /// command with one option more.
    /// </summary>
    [Test]
    public void TheCommandOfEachPartPrintsThePartsLines()
    {
        List<(string Command, List<string> Lines)> parts = [];
        foreach (string line in StudyReportFile.Lines.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            string? kind = json.RootElement.TryGetProperty("kind", out JsonElement name) ? name.GetString() : null;
            if (kind == "part") parts.Add((json.RootElement.GetProperty("command").GetString()!, []));
            else if (kind != "summary") parts[^1].Lines.Add(line);
        }

        Assert.That(parts, Has.Count.EqualTo(StudyPlan.Of(64, isQuick: true, 3).Count));
        foreach ((string command, List<string> lines) in parts)
        {
            Assert.That(command, Does.StartWith("perfcache "));
            Assert.That(lines, Is.Not.Empty, command);
            if (command.EndsWith(" --sensitivity", StringComparison.Ordinal)) continue;
            CliRun run = CliRun.Of([.. command.Split(' ')[1..], "--json"]);
            Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")), command);
            string[] printed = [.. run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(WithoutTimes)];
            Assert.That(printed, Is.EqualTo(lines.Select(WithoutTimes)), command);
        }
    }

    [Test]
    public void EveryCommandOfTheFullStudyIsReadByItsCommand()
    {
        foreach (StudyStep step in StudyPlan.Of(1, isQuick: false, 1))
            Assert.That(() => step.Read(new CliContext { Out = TextWriter.Null, Error = TextWriter.Null }),
                Throws.Nothing, step.CommandLine);
    }

    /// <summary>Method: the replay stops the study, when PUMA's part is finished.</summary>
    [Test]
    public void AStudyThatIsStoppedNamesWhatIsFinishedAndItsReportSaysThatItIsIncomplete()
    {
        using CancellationTokenSource stop = new();
        IReadOnlyList<ReplayResult> Stop()
        {
            stop.Cancel();
            return [];
        }

        CliRun run = Run(
            context => context with { Cancellation = stop.Token, Replay = (_, _, _, _) => Stop() }, jobs: 1,
                PathOf("stopped.html"));
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error.TrimEnd(),
            Is.EqualTo("perfcache: stopped; finished: PUMA: lender resumes; missing: replay: zipf, "
            + "miss ratio curve; the report says that it is incomplete"));
        string html = File.ReadAllText(PathOf("stopped.html"));
        Assert.That(html, Does.Contain("Incomplete: the study was stopped. Missing are replay: zipf, miss ratio curve;"));
        Assert.That(html, Does.Contain("id=\"puma-lender-resumes\"").And.Not.Contain("id=\"policies\""));
        Assert.That(Directory.GetFiles(Folder), Has.Length.EqualTo(1), "nothing half is left behind");
    }

    [Test]
    public void AStudyThatIsStoppedAtOnceWritesNothing()
    {
        CliRun run = CliRun.Of(
            context => context with { Cancellation = new CancellationToken(true) }, "study", "--quick", "--report",
                PathOf("none.html"));
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((1, "")));
        Assert.That(run.Error, Does.StartWith("perfcache: stopped before the first part was finished"));
        Assert.That(Directory.GetFiles(Folder), Is.Empty);
    }

    [Test]
    public void APartThatFailsEndsTheStudyWithItsReasonAndWithoutAReport()
    {
        Assert.That(
            () => Run(context => context with { MakeCurves = (_, _, _, _) => throw new IOException("the disk is gone") },
                jobs: 2,
                PathOf("none.html")),
            Throws.TypeOf<IOException>().With.Message.EqualTo("the disk is gone"), "the command line makes one line of it");
        Assert.That(Directory.GetFiles(Folder), Is.Empty);
    }

    /// <summary>For people who wait: the bar says how many parts are done.</summary>
    [Test]
    public void ATerminalSeesWhichPartsRun()
    {
        // A study that ends before the bar is drawn for the first time shows none: then a longer one.
        CliRun run = new(-1, "", "");
        for (double scale = 64; scale >= 1 && run.Error.Length == 0; scale /= 4)
        {
            run = Run(context => context with { ErrorIsTerminal = true }, jobs: 1, report: null, scale);
            Assert.That(run.ExitCode, Is.Zero);
        }

        Assert.That(run.Error, Does.Contain(" of 3 done"));
        Assert.That(run.Out, Does.StartWith("{").And.Not.Contain("of 3 done"));
    }

    /// <summary>Long: the promise of <c>--quick</c>, under a minute on two cores; run it on a machine that does nothing
    /// else.</summary>
    [Test]
    [Explicit("takes most of a minute and needs both cores: --filter Name~AQuickStudyTakesLessThanAMinute")]
    public void AQuickStudyTakesLessThanAMinute()
    {
        long began = TimeProvider.System.GetTimestamp();
        CliRun run = CliRun.Of("study", "--quick", "--report", PathOf("quick.html"));
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(TimeSpan.FromMinutes(1)));
    }

    /// <summary>Three parts of the study, with JSON on standard output where no report is asked for.</summary>
    private static CliRun Run(Func<CliContext, CliContext> change, int jobs, string? report, double scale = 64)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        CliContext context = change(new CliContext { Out = output, Error = error });
        string[] names = ["PUMA: lender resumes", "replay: zipf", "miss ratio curve"];
        int exitCode = new StudyRun(context, new StudyRequest
        {
            Steps = [.. StudyPlan.Of(scale, isQuick: true, 3).Where(step => names.Contains(step.Name))
                .Select(step => step.Read(context))],
            Jobs = jobs,
            Report = report,
            Json = report is null,
            CommandLine = "perfcache study",
        }).Run();
        return new CliRun(exitCode, output.ToString(), error.ToString());
    }

    private static string WithoutTimes(string line)
    {
        JsonObject json = JsonNode.Parse(line)!.AsObject();
        if (json["kind"]?.GetValue<string>() is null or "point")
            foreach (string time in s_times) json.Remove(time);
        return json.ToJsonString();
    }
}
