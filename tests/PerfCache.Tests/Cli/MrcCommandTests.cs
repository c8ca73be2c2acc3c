// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Cli;
using PerfCache.Simulation.Curves;

namespace PerfCache.Tests.Cli;

/// <summary><c>perfcache mrc</c> through the whole command: what it prints, writes and refuses.</summary>
[TestFixture]
public sealed class MrcCommandTests : FolderFixture
{
    private const string Trace = "zipf:objects=3000,alpha=0.9,requests=60000,seed=2";

    private static readonly string[] s_pointNames =
    [
        "kind", "trace", "policy", "frames", "bytes", "requests", "misses", "missRatio", "distinctPages", "sampleRate",
        "sampledRequests", "seconds", "readSeconds",
    ];

    private static readonly string[] s_kneeNames =
    [
        "kind", "trace", "policy", "frames", "bytes", "missRatio", "advantage", "stepFrames", "stepName", "stepSaves",
        "framesFor90",
    ];

    private static readonly string[] s_checkNames =
    [
        "kind", "trace", "policy", "meanAbsoluteError", "pointsMeanAbsoluteError", "largestError", "largestErrorFrames",
    ];

    [Test]
    public void The_table_has_a_row_a_size_and_a_column_a_policy_and_says_what_follows()
    {
        CliRun run = CliRun.Of("mrc", Trace, "--policy", "lru,fifo", "--frames", "100,10,1000", "--page-bytes", "8192");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        string[] lines = run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines[0], Does.Match($"^{Trace}: 60,000 requests, [0-9,]+ distinct pages of 8,192 bytes, "));
        Assert.That(Words(lines[1]), Is.EqualTo(new[] { "frames", "bytes", "of pages", "lru", "fifo" }));
        Assert.That(lines.Skip(2).Take(3).Select(line => Words(line)[..2]), Is.EqualTo(new[]
        {
            new[] { "10", "80 KiB" }, ["100", "800 KiB"], ["1,000", "7.81 MiB"],
        }));
        Assert.That(lines.Skip(5).Select(line => line[..line.IndexOf(' ')]), Is.EqualTo(new[] { "lru:", "lru:", "fifo:", "fifo:" }));
        Assert.That(lines[5], Does.Match(@"^lru: knee at .* frames\), miss ratio .*%; the next (KiB|MiB) saves less than "));
    }

    [Test]
    public void The_misses_are_those_of_replay()
    {
        JsonElement[] curve = Lines("mrc", Trace, "--policy", "lru,linux-6", "--size", "1%,10%,100%", "--json");
        JsonElement[] replay = Lines("replay", Trace, "--policy", "lru,linux-6", "--size", "1%,10%,100%", "--json");
        Assert.That(curve.Where(line => Kind(line) == "point").Select(Cell), Is.EqualTo(replay.Select(Cell)));
    }

    private static (string?, long, long) Cell(JsonElement line) => (line.GetProperty("policy").GetString(),
        line.GetProperty("frames").GetInt64(), line.GetProperty("misses").GetInt64());

    [Test]
    public void Json_has_points_a_knee_and_a_check_with_names_in_order()
    {
        JsonElement[] lines = Lines("mrc", Trace, "--sample", "0.2", "--check", "--points", "5", "--json", "--seed", "4");
        Assert.That(lines.Select(Kind), Is.EqualTo(new[] { "point", "point", "point", "point", "point", "knee", "check" }));
        Assert.That(Names(lines[0]), Is.EqualTo(s_pointNames));
        Assert.That(Names(lines[5]), Is.EqualTo(s_kneeNames));
        Assert.That(Names(lines[6]), Is.EqualTo(s_checkNames));
        Assert.That(lines[0].GetProperty("sampleRate").GetDouble(), Is.EqualTo(0.2).Within(1e-9));
        Assert.That(lines[0].GetProperty("bytes").GetInt64(), Is.EqualTo(4096 * lines[0].GetProperty("frames").GetInt64()));
        Assert.That(lines[6].GetProperty("meanAbsoluteError").GetDouble(), Is.GreaterThan(0).And.LessThan(0.05));
    }

    [Test]
    public void A_check_prints_the_error_and_a_sample_says_so()
    {
        CliRun run = CliRun.Of("mrc", Trace, "--sample-size", "500", "--check");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Contain(" requests, about "));
        Assert.That(run.Out, Does.Match(@"(?m)^lru: sampled at 0\.1[0-9]*: [0-9,]+ of 60,000 requests in "));
        Assert.That(run.Out, Does.Match(
            @"(?m)^lru: mean absolute error \d+\.\d\d points over all sizes, \d+\.\d\d over these; the largest of these "
            + @"is \d+\.\d\d at [0-9,]+ frames$"));
    }

    [Test]
    public void The_report_has_the_plot_the_points_and_the_command()
    {
        string file = PathOf("curves.html");
        CliRun run = CliRun.Of("mrc", Trace, "--policy", "lru,fifo", "--points", "12", "--report", file);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        string html = File.ReadAllText(file);
        Assert.That(html, Does.Contain("<svg class=\"plot wide\"").And.Contain("<svg class=\"plot narrow\"").And.Contain("prefers-color-scheme:dark")
            .And.Contain("perfcache mrc zipf:").And.Contain("lru: knee at ").And.Contain(CommandLine.Version));
        Assert.That(html.Split("<tr><th>"), Has.Length.EqualTo(1 + 1 + 12), "a heading and a row a size");
    }

    [TestCase("--sample 0", "--sample: '0' is not a rate above 0 and up to 1, such as 0.01")]
    [TestCase("--sample 1.5", "--sample: '1.5' is not a rate above 0 and up to 1, such as 0.01")]
    [TestCase("--sample x", "--sample: 'x' is not a rate above 0 and up to 1, such as 0.01")]
    [TestCase("--sample-size 0", "--sample-size: '0' is not a whole number from 1 to 268435456")]
    [TestCase("--points 1", "--points: '1' is not a whole number from 2 to 10000")]
    [TestCase("--jobs 0", "--jobs: '0' is not a whole number from 1 to 1024")]
    [TestCase("--sample 0.1 --seed -1", "--seed: '-1' is not a whole number of at least 0")]
    [TestCase("--seed 1", "--seed needs --sample or --sample-size")]
    [TestCase("--check", "--check compares a sample with the exact curve; give --sample or --sample-size")]
    [TestCase("--frames 10 --size 1%", "give one of --points, --frames and --size")]
    [TestCase("--frames 0", "--frames: '0' is not a number of frames (1 to *")]
    [TestCase("--policy nosuch", "--policy: policy 'nosuch' is not known; choose from *")]
    [TestCase("--policy fifo --sample-size 10", "--policy: policy 'fifo': only lru can be sampled with a fixed number of "
        + "pages; give a rate alone")]
    [TestCase("--limit 0", "--limit: '0' is not a whole number of at least 1")]
    [TestCase("--format nosuch", "--format: 'nosuch' is not one of *")]
    [TestCase("another", "give one trace, not 2")]
    [TestCase("--nosuch", "unknown option '--nosuch'")]
    public void What_makes_no_sense_is_one_line_and_exit_code_2(string arguments, string message)
    {
        CliRun run = CliRun.Of(["mrc", Trace, .. arguments.Split(' ')]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
        Assert.That(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(1));
        Assert.That(run.Error, message.EndsWith('*') ? Does.StartWith("perfcache: " + message[..^1])
            : Is.EqualTo($"perfcache: {message} (see 'perfcache mrc --help')" + Environment.NewLine));
    }

    [Test]
    public void A_missing_trace_and_a_path_that_cannot_be_written_are_named()
    {
        CliRun missing = CliRun.Of("mrc", PathOf("none"));
        Assert.That((missing.ExitCode, missing.Error.Trim()),
            Is.EqualTo((2, $"perfcache: {PathOf("none")}: no such file; check the path")));
        CliRun report = CliRun.Of("mrc", Trace, "--report", PathOf("no/folder.html"));
        Assert.That(report.ExitCode, Is.EqualTo(2));
        Assert.That(report.Error, Does.Contain("no/folder.html"));
        string broken = PathOf("broken");
        File.WriteAllText(broken, "1\n2\nthree\n");
        CliRun bad = CliRun.Of("mrc", broken, "--format", "text");
        Assert.That(bad.ExitCode, Is.EqualTo(2));
        Assert.That(bad.Error, Does.Contain("line 3"));
    }

    [Test]
    public void Ctrl_C_prints_what_is_finished()
    {
        using CancellationTokenSource stop = new();
        using StringWriter output = new();
        using StringWriter error = new();
        int exitCode = CommandLine.Run(["mrc", "zipf:objects=3000,requests=400000", "--points", "5"], new CliContext
        {
            Out = output,
            Error = error,
            Cancellation = stop.Token,
            MakeCurves = (source, options, progress, cancellation) => CurveRun.Run(
                source, options, report => { if (report.Requests >= 100_000) stop.Cancel(); }, cancellation),
        });
        Assert.That(exitCode, Is.EqualTo(1));
        Assert.That(error.ToString(), Does.Contain("stopped; what is finished is printed"));
        Assert.That(output.ToString(), Does.Contain("(incomplete: stopped here)").And.Contain("lru (incomplete)"));
    }

    [Test]
    public void Help_has_an_example_and_the_generators()
    {
        CliRun run = CliRun.Of("mrc", "--help");
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Out, Does.Contain("perfcache mrc disk.vscsi.gz").And.Contain("--sample-size").And.Contain("zipf:"));
    }

    private static JsonElement[] Lines(params string[] args)
    {
        CliRun run = CliRun.Of(args);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        return [.. run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)];
    }

    private static string? Kind(JsonElement line) => line.GetProperty("kind").GetString();

    private static IEnumerable<string> Names(JsonElement line) => line.EnumerateObject().Select(property => property.Name);

    private static string[] Words(string line) =>
        line.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
