// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Cli;
using PerfCache.Memory;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;
using PerfCache.Simulation.Workloads;
using PerfCache.Tests.Simulation.Replay;

namespace PerfCache.Tests.Cli;

/// <summary>
/// The command line in this process, over traces in memory and naive cells: exit codes, messages and output.
/// Traces: <c>small</c> and <c>files</c> are fine, <c>broken</c> fails in the middle, <c>missing</c> cannot
/// be opened.
/// </summary>
public sealed class ReplayCommandTests : FolderFixture
{
    private static readonly string[] s_jsonNames =
    [
        "trace", "policy", "frames", "requests", "misses", "missRatio", "compulsoryMisses", "coldMisses", "refaults",
        "activations", "deactivations", "evictions", "seconds", "readSeconds", "requestsPerSecond", "nativeBytes",
        "mapBytes", "shadowBytes",
    ];

    private static MemoryTrace Open(string name, TraceOptions options)
    {
        ulong[] ids = [.. Enumerable.Range(0, 6000).Select(i => (ulong)(i * i % 997))];
        int[] files = [.. Enumerable.Range(0, 6000).Select(i => i / 3000)];
        return name switch
        {
            "missing" => throw new TraceFormatException("missing: no such file"),
            "broken" => new MemoryTrace(ids)
            {
                Name = name,
                OnRead = read => { if (read >= 3000) throw new TraceFormatException("broken: line 3001: not a page"); },
            },
            "files" => new MemoryTrace(ids, files) { Name = name },
            _ => new MemoryTrace(ids, canReopen: name != "-") { Name = name },
        };
    }

    private static (int ExitCode, string Out, string Error) Run(CancellationToken cancellation, params string[] args)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        int exitCode = CommandLine.Run(args, new CliContext
        {
            Out = output,
            Error = error,
            Cancellation = cancellation,
            OpenTrace = Open,
            CheckPolicy = policy =>
            {
                if (policy.Name is not ("lru" or "fifo" or "linux-6" or "linux-3.15"))
                    throw new FormatException($"'{policy.Name}' is not a policy");
            },
            Replay = (source, options, progress, stop) =>
                TraceReplay.Run(source, options, NaiveLruCell.Factory, progress, stop),
        });
        return (exitCode, output.ToString(), error.ToString());
    }

    private static (int ExitCode, string Out, string Error) Run(params string[] args) => Run(default, args);

    [Test]
    public void Without_arguments_it_replays_the_built_in_workload_and_says_so()
    {
        (int exitCode, string output, string error) = Run("replay");
        Assert.That(exitCode, Is.Zero);
        Assert.That(error, Is.EqualTo("perfcache replay: using zipf:objects=100000,alpha=1.0,requests=2000000,seed=1 "
            + "--policy linux-6,linux-3.15,lru,fifo --size 1%,5%,10%,25%" + Environment.NewLine));
        Assert.That(output, Does.StartWith("zipf:objects=100000,alpha=1.0,requests=2000000,seed=1: 6,000 requests, "));
        Assert.That(output.Split('\n').Count(line => line.Contains('%')), Is.EqualTo(16));
    }

    [Test]
    public void A_table_in_a_pipe_is_plain_text_of_at_most_110_columns()
    {
        string output = Run("replay", "small", "--policy", "linux-3.15,lru", "--size", "1%,50%").Out;
        Assert.That(output, Does.Not.Contain('\e'));
        Assert.That(output.All(c => c is '\n' or '\r' or (>= ' ' and <= '~')), Is.True, "ASCII only");
        Assert.That(output.Split('\n').Max(line => line.TrimEnd('\r').Length), Is.LessThanOrEqualTo(110));
        Assert.That(output, Does.Not.Match("(?m) \r?$"), "no spaces at the ends of lines");
        Assert.That(output, Does.Match(@"(?m)^linux-3\.15 +249 +49\.90% +"));
    }

    [Test]
    public void Json_is_one_object_a_line_with_the_names_in_order_and_nothing_else()
    {
        (int exitCode, string output, string error) =
            Run("replay", "small", "files", "--json", "--policy", "lru,linux-6", "--frames", "10,20");
        Assert.That(exitCode, Is.Zero);
        Assert.That(error, Is.Empty);
        List<string> cells = [];
        foreach (string line in output.TrimEnd().Split('\n'))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            Assert.That(json.RootElement.EnumerateObject().Select(property => property.Name), Is.EqualTo(s_jsonNames));
            cells.Add($"{json.RootElement.GetProperty("trace")} {json.RootElement.GetProperty("policy")} "
                + json.RootElement.GetProperty("frames"));
        }

        Assert.That(cells, Is.EqualTo(new[]
        {
            "small lru 10", "small lru 20", "small linux-6 10", "small linux-6 20",
            "files lru 10", "files lru 20", "files linux-6 10", "files linux-6 20",
        }));
    }

    [TestCase("replay small --polcy lru", "unknown option '--polcy'")]
    [TestCase("replay small --policy", "required argument missing for option: '--policy'")]
    [TestCase("replay small --policy lru --policy fifo", "option '--policy' expects a single argument but 2 were provided")]
    [TestCase("replay small --policy mru", "--policy: 'mru' is not a policy")]
    [TestCase("replay small --policy lru:x", "--policy: policy 'lru:x': 'x' is not key=value")]
    [TestCase("replay small --frames 10 --size 1%", "give --frames or --size, not both")]
    [TestCase("replay small --frames 0", "--frames: '0' is not a number of frames (1 to 1073740800)")]
    [TestCase("replay small --size 10", "--size: '10' is not a percentage such as 0.1% (for frames use --frames)")]
    [TestCase("replay small --limit 0", "--limit: '0' is not a whole number of at least 1")]
    [TestCase("replay small --limit 1.5", "--limit: '1.5' is not a whole number of at least 1")]
    [TestCase("replay small --jobs many", "--jobs: 'many' is not a whole number from 1 to 1024")]
    [TestCase("replay small --page-bytes -1", "--page-bytes: '-1' is not a whole number from 1 to 1073741824")]
    [TestCase("replay - - --policy lru", "standard input can be given once")]
    [TestCase("replay small --outcomes o --policy lru,fifo --frames 5",
        "--outcomes needs exactly one trace, one policy and one size, not 1, 2 and 1")]
    [TestCase("replay small --resident r --policy lru --size 1%,2%",
        "--resident needs exactly one trace, one policy and one size, not 1, 1 and 2")]
    [TestCase("replay small files --resident r --policy lru --size 1%",
        "--resident needs exactly one trace, one policy and one size, not 2, 1 and 1")]
    [TestCase("replay small --report x --csv ./x", "'x' is given for two output files")]
    public void Wrong_usage_is_one_line_and_exit_code_2(string arguments, string message)
    {
        (int exitCode, string output, string error) = Run(arguments.Split(' '));
        Assert.That(error, Is.EqualTo($"perfcache: {message} (see 'perfcache replay --help')" + Environment.NewLine));
        Assert.That((exitCode, output), Is.EqualTo((2, "")));
    }

    [Test]
    public void An_unknown_format_lists_the_known_ones()
    {
        (int exitCode, _, string error) = Run("replay", "small", "--format", "nope");
        Assert.That(exitCode, Is.EqualTo(2));
        Assert.That(error, Does.StartWith("perfcache: --format: 'nope' is not one of auto"));
    }

    [TestCase("", "no command given")]
    [TestCase("reply", "unknown command 'reply'")]
    [TestCase("--polite", "unknown option '--polite'")]
    public void A_wrong_command_is_one_line_and_exit_code_2(string arguments, string message)
    {
        (int exitCode, string output, string error) = Run(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.That(error, Is.EqualTo($"perfcache: {message} (see 'perfcache --help')" + Environment.NewLine));
        Assert.That((exitCode, output), Is.EqualTo((2, "")));
    }

    [Test]
    public void A_trace_that_is_missing_stops_before_any_work()
    {
        (int exitCode, string output, string error) = Run("replay", "small", "missing", "--policy", "lru", "--frames", "9");
        Assert.That(error, Is.EqualTo("perfcache: missing: no such file" + Environment.NewLine));
        Assert.That((exitCode, output), Is.EqualTo((2, "")));
    }

    [Test]
    public void A_trace_that_breaks_does_not_lose_the_others()
    {
        string csv = PathOf("results.csv");
        (int exitCode, string output, string error) =
            Run("replay", "small", "broken", "files", "--policy", "lru", "--frames", "9", "--json", "--csv", csv);
        Assert.That(exitCode, Is.EqualTo(2));
        Assert.That(error, Is.EqualTo("perfcache: broken: line 3001: not a page" + Environment.NewLine));
        Assert.That(output.TrimEnd().Split('\n').Select(line => line[..14]),
            Is.EqualTo(new[] { "{\"trace\":\"smal", "{\"trace\":\"file" }));
        Assert.That(File.ReadAllText(csv).TrimEnd().Split("\r\n"), Has.Length.EqualTo(3));
    }

    [TestCase("--outcomes")]
    [TestCase("--resident")]
    [TestCase("--report")]
    [TestCase("--csv")]
    public void An_output_file_that_cannot_be_opened_is_exit_code_2_before_any_work(string option)
    {
        string path = PathOf("no/such");
        (int exitCode, string output, string error) = Run("replay", "small", "--policy", "lru", "--frames", "9", option, path);
        Assert.That(error, Is.EqualTo($"perfcache: cannot write '{path}': the folder does not exist" + Environment.NewLine));
        Assert.That((exitCode, output), Is.EqualTo((2, "")));
    }

    [Test]
    public void All_output_files_are_written_and_nothing_beside_them()
    {
        (int exitCode, _, _) = Run("replay", "files", "--policy", "lru", "--frames", "9", "--limit", "5_000",
            "--outcomes", PathOf("o"), "--resident", PathOf("r"), "--report", PathOf("h.html"), "--csv", PathOf("c.csv"));
        Assert.That(exitCode, Is.Zero);
        Assert.That(File.ReadAllText(PathOf("o")), Has.Length.EqualTo(5000).And.Match("^[hm]+$"));
        Assert.That(File.ReadAllLines(PathOf("r")), Has.Length.EqualTo(9).And.All.Match("^1 [0-9]+$"));
        Assert.That(File.ReadAllText(PathOf("h.html")), Does.Contain("<pre>perfcache replay files --policy lru"));
        Assert.That(File.ReadAllText(PathOf("c.csv")), Does.StartWith("trace,policy,frames,"));
        Assert.That(Directory.GetFiles(Folder), Has.Length.EqualTo(4));
    }

    [Test]
    public void A_broken_trace_leaves_no_output_file()
    {
        Run("replay", "broken", "--policy", "lru", "--frames", "9", "--outcomes", PathOf("o"), "--resident", PathOf("r"),
            "--report", PathOf("h.html"), "--csv", PathOf("c.csv"));
        Assert.That(Directory.GetFiles(Folder), Is.Empty);
    }

    [Test]
    public void Ctrl_C_before_the_first_result_says_so_and_leaves_no_file()
    {
        (int exitCode, string output, string error) = Run(new CancellationToken(canceled: true),
            "replay", "small", "--policy", "lru", "--frames", "9", "--outcomes", PathOf("o"), "--csv", PathOf("c"));
        Assert.That(error, Is.EqualTo("perfcache: stopped before the first result" + Environment.NewLine));
        Assert.That((exitCode, output), Is.EqualTo((1, "")));
        Assert.That(Directory.GetFiles(Folder), Is.Empty);
    }

    [Test]
    public void Ctrl_C_prints_what_is_finished_as_incomplete([Values] bool json)
    {
        using CancellationTokenSource stop = new();
        using StringWriter output = new();
        using StringWriter error = new();
        string[] args = ["replay", "small", "files", "--policy", "lru", "--frames", "9", "--jobs", "1"];
        int exitCode = CommandLine.Run(json ? [.. args, "--json"] : args, new CliContext
        {
            Out = output,
            Error = error,
            Cancellation = stop.Token,
            OpenTrace = Open,
            CheckPolicy = _ => { },
            Replay = (source, options, _, cancellation) => TraceReplay.Run(source, options, NaiveLruCell.Factory,
                progress => { if (progress.Requests >= 2000) stop.Cancel(); }, cancellation),
        });
        Assert.That(exitCode, Is.EqualTo(1));
        Assert.That(error.ToString(), Does.Contain("perfcache: stopped; what is finished is printed"));
        Assert.That(output.ToString(), Does.Contain(json ? "\"complete\":false}" : "lru (incomplete)"));
        Assert.That(output.ToString(), Does.Not.Contain("files"));
    }

    [Test]
    public void Failed_work_is_exit_code_1_without_a_stack_trace()
    {
        using StringWriter error = new();
        int exitCode = CommandLine.Run(["replay", "small", "--policy", "lru", "--frames", "9"], new CliContext
        {
            Out = TextWriter.Null,
            Error = error,
            OpenTrace = Open,
            CheckPolicy = _ => { },
            Replay = (_, _, _, _) => throw new IOException("the disk is full"),
        });
        Assert.That((exitCode, error.ToString()), Is.EqualTo((1, "perfcache: the disk is full" + Environment.NewLine)));
    }

    [Test]
    public void A_trace_that_is_too_large_does_not_lose_the_others()
    {
        using StringWriter output = new();
        using StringWriter error = new();
        int exitCode = CommandLine.Run(["replay", "small", "files", "--policy", "lru", "--frames", "9", "--json"],
            new CliContext
            {
                Out = output,
                Error = error,
                OpenTrace = Open,
                CheckPolicy = _ => { },
                Replay = (source, options, progress, stop) => source.Name == "small"
                    ? throw new NativeMemoryException("index slots: committing 4096 bytes failed (error 12)")
                    : TraceReplay.Run(source, options, NaiveLruCell.Factory, progress, stop),
            });
        Assert.That((exitCode, error.ToString()), Is.EqualTo((1,
            "perfcache: small: not enough memory: index slots: committing 4096 bytes failed (error 12)"
            + Environment.NewLine)));
        Assert.That(output.ToString(), Does.StartWith("{\"trace\":\"files\"").And.Not.Contain("small"));
    }

    [Test]
    public void Output_that_cannot_be_printed_is_said_to_be_that()
    {
        using StringWriter error = new();
        using StreamWriter full = new(new FullDisk());
        int exitCode = CommandLine.Run(["replay", "small", "--policy", "lru", "--frames", "9"], new CliContext
        {
            Out = full,
            Error = error,
            OpenTrace = Open,
            CheckPolicy = _ => { },
            Replay = (source, options, progress, stop) =>
                TraceReplay.Run(source, options, NaiveLruCell.Factory, progress, stop),
        });
        Assert.That((exitCode, error.ToString()), Is.EqualTo((1,
            "perfcache: cannot write to standard output: no space left" + Environment.NewLine)));
    }

    /// <summary>Refuses the first write, as a full disk does, and then has nothing left to refuse.</summary>
    private sealed class FullDisk : MemoryStream
    {
        private bool _hasRefused;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (_hasRefused) return;
            _hasRefused = true;
            throw new IOException("no space left");
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    }

    [Test]
    public void Standard_input_with_percentages_is_read_once()
    {
        (int exitCode, string fromInput, _) = Run("replay", "-", "--policy", "lru", "--size", "10%", "--json");
        string fromFile = Run("replay", "small", "--policy", "lru", "--size", "10%", "--json").Out;
        Assert.That(exitCode, Is.Zero);
        Assert.That(Misses(fromInput), Is.EqualTo(Misses(fromFile)));
    }

    private static long Misses(string line)
    {
        using JsonDocument json = JsonDocument.Parse(line);
        return json.RootElement.GetProperty("misses").GetInt64();
    }

    [TestCase("--limit", "1e3", 1000)]
    [TestCase("--limit", "2_500", 2500)]
    public void Numbers_may_be_grouped_or_powers(string option, string value, long requests) =>
        Assert.That(Run("replay", "small", "--policy", "lru", "--frames", "1_0", option, value, "--json").Out,
            Does.Contain($"\"frames\":10,\"requests\":{requests},"));

    [TestCase("--help", "study")]
    [TestCase("replay --help", "replay")]
    [TestCase("replay --help --polcy x --limit", "replay")]
    public void Help_has_examples_that_begin_with_the_program(string arguments, string first)
    {
        (int exitCode, string output, string error) = Run(arguments.Split(' '));
        Assert.That((exitCode, error), Is.EqualTo((0, "")));
        string[] lines = output.Split('\n');
        int examples = Array.FindIndex(lines, line => line.TrimEnd() == "Examples:");
        Assert.That(examples, Is.GreaterThan(0));
        Assert.That(lines[examples + 1], Does.StartWith("  perfcache " + first));
        Assert.That(lines.Max(line => line.TrimEnd('\r').Length), Is.LessThanOrEqualTo(112));
    }

    [Test]
    public void Every_option_policy_generator_and_format_is_in_the_help()
    {
        string help = Run("replay", "--help").Out;
        string[] options =
        [
            "--policy <", "--frames <", "--size <", "--format <", "--limit <", "--jobs <", "--page-bytes <", "--split ",
            "--csv-columns <", "--outcomes <", "--resident <", "--report <", "--csv <", "--json ",
        ];
        foreach (string option in options) Assert.That(help, Does.Contain("  " + option));
        foreach (PolicyEntry policy in PolicyCatalog.BuiltIn.Entries)
        {
            Assert.That(help, Does.Contain(policy.Name).And.Contain(policy.Summary));
            foreach ((string name, string text) in policy.Parameters) Assert.That(help, Does.Contain($"{name}: {text}"));
        }

        foreach (WorkloadInfo workload in Workload.Kinds)
            Assert.That(help, Does.Contain($"{workload.Name}:{workload.Parameters}").And.Contain(workload.Description));
        foreach (TraceFormatInfo format in TraceFormats.Names)
            Assert.That(help, Does.Contain(format.Name).And.Contain(format.Description));
        Assert.That(help, Does.Contain(ReplayCommand.DefaultTrace).And.Contain(ReplayCommand.DefaultPolicies)
            .And.Contain(ReplayCommand.DefaultSizes));
    }

    [Test]
    public void The_version_is_printed()
    {
        (int exitCode, string output, _) = Run("--version");
        Assert.That(exitCode, Is.Zero);
        Assert.That(output.TrimEnd(), Does.Match("^perfcache [0-9]+\\.[0-9]+\\.[0-9]+$"));
    }
}
