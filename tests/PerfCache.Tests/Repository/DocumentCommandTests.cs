// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using PerfCache.Cli;
using PerfCache.Cli.Bench;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Workloads;
using PerfCache.Tests.Cli;
using PerfCache.Tests.Judges;
using PerfCache.Tests.Remote;
using PerfCache.Tests.Simulation.Traces;
using WebCache;

namespace PerfCache.Tests.Repository;

/// <summary>
/// Goal: every command that a document shows does what a reader would see: it ends well and writes what it is told to.
/// Method: the commands are read from the documents and run in an empty folder that has the files they name; long ones are
/// made small by the options in <see cref="Smaller"/>, and by nothing else. What cannot run here has its reason, and a
/// check that takes its place, in <see cref="TheCommandRuns"/>.
/// </summary>
[TestFixture]
[NonParallelizable]
public sealed class DocumentCommandTests : FolderFixture
{
    private const string OwnPolicyProject = "samples/OwnPolicy";
    private const string WebCacheProject = "samples/WebCache";
    private const string BenchProject = "bench/PerfCache.Benchmarks";

    private string _folderBefore = "";

    private static IEnumerable<TestCaseData> Commands =>
        DocumentCommand.All.Select(command => new TestCaseData(command.Project, command.Arguments)
            .SetName($"{{m}}({command})"));

    [SetUp]
    public void GoToAFolderWithTheFilesThatDocumentsName()
    {
        _folderBefore = Environment.CurrentDirectory;
        Environment.CurrentDirectory = Folder;
        Directory.CreateSymbolicLink(PathOf("samples"), RepositoryTree.PathOf("samples"));
        Directory.CreateDirectory(PathOf("app"));
        byte[] trace = TraceOfADisk();
        foreach (string name in (string[])["disk.vscsi", "disk.vscsi.gz", "app.trace.gz"])
        {
            using Stream file = File.Create(PathOf(name));
            using Stream target = name.EndsWith(".gz", StringComparison.Ordinal)
                ? new GZipStream(file, CompressionLevel.Fastest) : file;
            target.Write(name.StartsWith("app", StringComparison.Ordinal) ? "1 1 r\n1 2 r\n1 1 w\n"u8 : trace);
        }
    }

    [TearDown]
    public void GoBack() => Environment.CurrentDirectory = _folderBefore;

    [TestCaseSource(nameof(Commands))]
    public async Task TheCommandRuns(string project, string[] arguments)
    {
        // The study's own tests run it in both builds.
        if (arguments is ["study", ..]) TestScale.LeaveToRelease();
        switch (project)
        {
            // Servers end when they are told to; the others by themselves.
            case DocumentCommand.Cli when arguments is ["lend", ..]:
                await ServeUntilItListens(arguments);
                break;
            // It needs servers: lenders of this process, at the places that the document names.
            case DocumentCommand.Cli when arguments is ["borrow-bench", ..]:
                Borrow(arguments);
                break;
            // A recording passes its program's output on, so it needs a process of its own, and strace.
            case DocumentCommand.Cli when arguments is ["record", ..]:
                Record(arguments);
                break;
            // Minutes of processes in control groups; PumaRealCommandTests runs it in small, so only the words are looked at.
            case DocumentCommand.Cli when arguments is ["puma-real", ..]:
                Parses(arguments);
                break;
            // A measurement takes minutes: the same command over a plan of two sizes and one pair.
            case DocumentCommand.Cli when arguments is ["bench", ..]:
                Bench(arguments);
                break;
            case DocumentCommand.Cli:
                Succeeds(CliRun.Of(Smaller(arguments)), arguments);
                break;
            case OwnPolicyProject:
                Succeeds(
                    CliRun.Of(context => context with { Policies = OwnPolicy.Program.Policies }, Smaller(arguments)), arguments);
                break;
            // It serves until it is stopped; WebCacheSampleTests runs it, so only the words are looked at.
            case WebCacheProject:
                Assert.That(WebCacheSettings.Parse(arguments, TestContext.Error), Is.Not.Null);
                break;
            // Minutes of measuring in a program that is not part of the tests: its verb and options have to be there.
            case BenchProject:
                Assert.That(MissingFromTheBenchmarks(arguments), Is.Empty);
                break;
            default:
                Assert.Fail($"nobody knows how to run {project}; say it here");
                break;
        }
    }

    [Test]
    public void NoCommandEscapes()
    {
        string[] projects = [.. DocumentCommand.All.Select(command => command.Project).Distinct()];
        Assert.That(projects, Is.EquivalentTo(
            new[] { DocumentCommand.Cli, OwnPolicyProject, WebCacheProject, BenchProject }));
        // Whatever runs a project is understood as a command, or it would not be run here.
        Assert.That(
            from document in RepositoryTree.FilesBelow("docs/", ".md").Prepend("README.md")
            from line in new MarkdownText(RepositoryTree.ReadText(document)).FencedLines
            where line.Contains("dotnet run ", StringComparison.Ordinal) && DocumentCommand.Of(document, line) is null
            select $"{document}: {line}",
            Is.Empty);
    }

    [TestCase("$ perfcache replay x --size 1%  # why", "src/PerfCache.Cli", "replay|x|--size|1%")]
    [TestCase("dotnet run -c Release --project p -- record -- sqlite3 t \".read q.sql\"", "p", "record|--|sqlite3|t|.read q.sql")]
    [TestCase("dotnet run -c Release --project p", "p", "")]
    public void ALineIsParted(string line, string project, string words)
    {
        DocumentCommand command = DocumentCommand.Of("a.md", line)!;
        Assert.That((command.Project, string.Join('|', command.Arguments)), Is.EqualTo((project, words)));
    }

    [TestCase("perfcache's cache")]
    [TestCase("dotnet test PerfCache.sln")]
    public void ALineIsNoCommandOfOurs(string line) => Assert.That(DocumentCommand.Of("a.md", line), Is.Null);

    [TestCase("extensions --quick", ExpectedResult = 0)]
    [TestCase("extensions --slowly", ExpectedResult = 1)]
    [TestCase("no-such-bench", ExpectedResult = 1)]
    [TestCase("--filter *ItemStore* *NoSuchBench* --job short -i", ExpectedResult = 1)]
    public int WordsAreMissingFromTheBenchmarks(string words) => MissingFromTheBenchmarks(words.Split(' ')).Count();

    /// <summary>The arguments with those that make the work small, and numbers of this machine for those of another.</summary>
    private static string[] Smaller(string[] arguments) => arguments switch
    {
        ["replay" or "mrc", ..] when !arguments.Contains("--limit") => [.. arguments, "--limit", "20000"],
        ["flip", ..] when !arguments.Contains("--live") && !arguments.Contains("--parameters") =>
            [.. arguments.Where(word => word != "--quick"), "--scale", "64", "--no-sensitivity"],
        ["flip", "--live", ..] => [.. arguments, "--remedy", "naive"],
        // The scenarios have commands of their own, and one kernel takes as many events as the next.
        ["puma", "all", .. string[] rest] => Smaller(["puma", "malloc", .. rest]),
        ["puma", ..] when !arguments.Contains("--parameters") =>
            [.. arguments.Select(word => word == "linux-3.15,linux-6" ? "linux-6" : word), "--scale", "64"],
        ["numa", "residency", _, .. string[] rest] => ["numa", "residency", "self", .. rest],
        ["study", ..] => [.. arguments.Where(word => word != "--quick"), "--quick", "--scale", "32"],
        _ => arguments,
    };

    private void Succeeds(CliRun run, string[] arguments)
    {
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Out + run.Error, Is.Not.Empty, "it says something");
        OutputsAreThere(arguments);
    }

    private void OutputsAreThere(string[] arguments)
    {
        foreach ((string option, string file) in arguments.Zip(arguments.Skip(1)).Where(
            pair => pair.First is "--report" or "--csv" or "--timeline" or "--outcomes" or "-o" && pair.Second != "-"))
        {
            Assert.That(new FileInfo(PathOf(file)), Has.Property("Length").Positive, $"{option} {file}");
        }
    }

    private async Task ServeUntilItListens(string[] arguments)
    {
        // The documents' ports may be taken here and their memory may not be there; their folders belong to root.
        string port = FreePort().ToString(CultureInfo.InvariantCulture);
        string[] mine = [.. arguments.Select(word => Regex.Replace(word, @"\b(11211)\b", port)
            .Replace("unix:/run", "unix:" + Folder, StringComparison.Ordinal)
            .Replace("/run/", Folder + "/", StringComparison.Ordinal))
            .Select(word => Regex.Replace(word, @"\d+GiB", "64MiB"))
            .Zip(arguments.Prepend(""), (word, before) => before == "-m" ? "64" : word)];
        foreach (string socket in mine.Where(word => word.StartsWith("unix:", StringComparison.Ordinal)))
            Directory.CreateDirectory(Path.GetDirectoryName(socket[5..])!);
        using CancellationTokenSource stop = new(TimeSpan.FromSeconds(30));
        using StringWriter output = new();
        using StopsOn error = new("lending on", stop);
        CliContext context = new() { Out = output, Error = error, Cancellation = stop.Token };
        int exitCode = await Task.Run(() => CommandLine.Run([.. mine, "--keep-available", "0"], context));
        Assert.That(exitCode, Is.Zero, error.ToString());
        Assert.That(error.ToString(), Does.Contain("lending on"));
    }

    private static void Parses(string[] arguments)
    {
        using StringWriter nothing = new();
        CliContext context = new() { Out = nothing, Error = nothing };
        Assert.That(CommandLine.RootOf(arguments, context).Parse(arguments, CommandLine.Parser).Errors, Is.Empty);
    }

    private static void Borrow(string[] arguments)
    {
        // Certificates and logins are made by the fleet's own tests, which connect with them.
        if (arguments.Contains("--tls-ca"))
        {
            Parses(arguments);
            return;
        }

        using MemcachedPeer local = MemcachedPeer.Lend(unix: true);
        using MemcachedPeer first = MemcachedPeer.Lend(unix: false);
        using MemcachedPeer second = MemcachedPeer.Lend(unix: false);
        string[] mine = [.. arguments.Select(word => word switch
        {
            "127.0.0.1:11211" => $"{first.EndPoint}",
            "127.0.0.1:11212" => $"{second.EndPoint}",
            _ when word.StartsWith("unix:", StringComparison.Ordinal) => $"unix:{local.EndPoint}",
            _ => word,
        }).Zip(arguments.Prepend(""), (word, before) => before == "--seconds" ? "1" : word)];
        if (!mine.Contains("--seconds")) mine = [.. mine, "--seconds", "1"];
        CliRun run = CliRun.Of([.. mine, "--pages", "256"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Out, Does.Contain("verified"));
    }

    private void Record(string[] arguments)
    {
        RecordedRun.Require("strace");
        int program = Array.IndexOf(arguments, "--") + 1;
        if (arguments[program] == "sqlite3")
        {
            RecordedRun.Require("sqlite3");
            File.WriteAllText(PathOf("queries.sql"), "create table t(a); insert into t values (1); select * from t;");
        }
        else
        {
            // Some program of the reader's: this one reads a file of its folder.
            File.WriteAllText(PathOf("app/data"), "data");
            arguments = [.. arguments[..program], "cat", PathOf("app/data")];
        }

        string[] mine = [.. arguments.Select(
            word => word.Replace("/var/lib", Folder, StringComparison.Ordinal).Replace("$PWD", Folder, StringComparison.Ordinal))];
        RecordedRun run = RecordedRun.Perfcache(Folder, mine);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        OutputsAreThere(arguments);
    }

    private static void Bench(string[] arguments)
    {
        ParseResult parsed = CommandLine.RootOf([], new CliContext { Out = TextWriter.Null, Error = TextWriter.Null })
            .Parse(arguments);
        Assert.That(parsed.Errors, Is.Empty);
        BenchPlan plan = new()
        {
            Sizes = [new BenchSize("small", 100, 10)],
            Requests = FloorRatios.BlockLength + 1_000,
            Pairs = 1,
            WarmUps = 0,
        };
        if (parsed.GetValue<string>("--policy") is { } policies) plan = plan with { Policies = policies.Split(',') };
        using StringWriter output = new();
        using StringWriter errors = new();
        int exitCode = BenchCommand.Run(
            plan, parsed.GetValue<bool>("--json"), PolicyCatalog.BuiltIn.Create, output, errors, CancellationToken.None);
        Assert.That(exitCode, Is.Zero, errors.ToString());
        Assert.That(output.ToString().Split('\n'), Has.Length.GreaterThan(plan.Policies.Count));
    }

    private static IEnumerable<string> MissingFromTheBenchmarks(string[] arguments)
    {
        string source = string.Concat(RepositoryTree.FilesBelow("bench/", ".cs").Select(RepositoryTree.ReadText));
        if (arguments is ["--filter", ..])
        {
            // The other options there belong to the library that runs these classes.
            return arguments.Skip(1).Where(word => word.StartsWith('*')).Where(filter =>
                !Regex.IsMatch(source, $@"class \w*{Regex.Escape(filter.Trim('*'))}\w*"));
        }

        return arguments.Where((word, i) => i == 0 || word.StartsWith('-'))
            .Where(word => !source.Contains(word == arguments[0] ? $"new(\"{word}\"," : $"\"{word}\"", StringComparison.Ordinal));
    }

    // 20,000 reads of 4 KiB and more over some thousand pages, a few of them often.
    private static byte[] TraceOfADisk()
    {
        SeededRandom random = new(1);
        using MemoryStream trace = new();
        for (int i = 0; i < 20_000; i++)
        {
            ulong page = random.NextBelow(random.NextBelow(4) == 0 ? 6_000UL : 300UL);
            trace.Write(RecordTraceTests.Vscsi1(page * 8, 4096, (ulong)i * 100, 0x28));
        }

        return trace.ToArray();
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Stops something when it has said that it is ready.</summary>
    private sealed class StopsOn(string text, CancellationTokenSource stop) : StringWriter
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value?.Contains(text, StringComparison.Ordinal) == true) stop.CancelAfter(TimeSpan.FromMilliseconds(200));
        }
    }
}
