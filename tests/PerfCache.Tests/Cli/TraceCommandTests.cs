// SPDX-License-Identifier: MIT
using System.Text.Json;

namespace PerfCache.Tests.Cli;

/// <summary><c>perfcache trace</c> through the whole command line.</summary>
[TestFixture]
public sealed class TraceCommandTests : FolderFixture
{
    private const string Files = "# file 1 /a/one\n1 5\n1 6 w\n2 5\n1 5 r\n";

    [Test]
    public void InfoTellsWhatATraceHolds()
    {
        CliRun run = CliRun.Of("trace", "info", Written("t.txt", Files));
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        string[][] lines = [.. run.Out.TrimEnd().Split('\n')[1..].Select(
            line => line.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
        Assert.That(lines, Is.EqualTo(new string[][]
        {
            ["format", "text"], ["requests", "4"], ["distinct pages", "3 (75.0% of the requests)"],
            ["requested once", "2 (66.7% of the pages)"], ["files", "2"], ["ids", "5 to 6"],
            ["writes", "1 (25.0% of the requests)"],
        }));
    }

    [Test]
    public void InfoOfSizesAndTimesAsJson()
    {
        string path = Written("t.csv", "time,id,size\n10,1,100\n12,2,300\n11,1,100\n");
        CliRun run = CliRun.Of("trace", "info", path, "zipf:objects=100,requests=1000", "--json");
        string[] lines = run.Out.TrimEnd().Split('\n');
        Assert.That(lines, Has.Length.EqualTo(2), run.Error);
        JsonElement csv = JsonDocument.Parse(lines[0]).RootElement;
        Assert.That(
            new[] { "requests", "distinctPages", "pagesRequestedOnce", "requestedBytes", "smallestBytes", "largestBytes", "firstTime", "lastTime" }
                .Select(name => csv.GetProperty(name).GetInt64()),
            Is.EqualTo(new long[] { 3, 2, 1, 500, 100, 300, 10, 12 }));
        Assert.That(csv.GetProperty("files").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(JsonDocument.Parse(lines[1]).RootElement.GetProperty("format").GetString(), Is.EqualTo("zipf"));
    }

    [Test]
    public void InfoReadsNoFurtherThanTheLimit()
    {
        CliRun run = CliRun.Of("trace", "info", "loop:objects=10,requests=100000", "--limit", "7", "--json");
        JsonElement info = JsonDocument.Parse(run.Out).RootElement;
        Assert.That(info.GetProperty("requests").GetInt64(), Is.EqualTo(7));
        Assert.That(info.GetProperty("distinctPages").GetInt64(), Is.EqualTo(7));
        Assert.That(info.GetProperty("largestId").GetInt64(), Is.EqualTo(6));
    }

    [Test]
    public void HeadShowsTheFirstRequests()
    {
        CliRun run = CliRun.Of("trace", "head", Written("t.txt", Files), "-n", "2");
        Assert.That(Words(run), Is.EqualTo(new[] { "request file page r/w", "1 1 5 r", "2 1 6 w" }), run.Error);
        CliRun json = CliRun.Of("trace", "head", Written("t.adr", "l 0x40 1\ns 0x80 1\n"), "--format", "address", "--json");
        Assert.That(json.Out, Is.EqualTo(
            "{\"request\":1,\"page\":\"0x40\",\"id\":64,\"write\":false}\n{\"request\":2,\"page\":\"0x80\",\"id\":128,\"write\":true}\n"));
    }

    [TestCase("text")]
    [TestCase("csv")]
    [TestCase("oracle")]
    [TestCase("le32")]
    [TestCase("le64")]
    [TestCase("be32")]
    [TestCase("be64")]
    public void WhatIsConvertedReadsTheSameInEveryFormat(string format)
    {
        const string Trace = "zipf:objects=300,requests=200000,seed=3";
        string path = PathOf("out.trace.gz");
        CliRun run = CliRun.Of("trace", "convert", Trace, "--to", format, "-o", path);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(Misses(path, "--format", format), Is.EqualTo(Misses(Trace)));
        Assert.That(Directory.GetFiles(Folder), Has.Length.EqualTo(1), "nothing but the file is left");
    }

    [Test]
    public void OracleRecordsNameTheNextRequestAndCountTimeInSeconds()
    {
        // spc times are microseconds; pages of two files with one number stay two pages.
        string spc = Written("t.spc", "0,0,4096,r,5.5\n1,0,4096,r,6.25\n0,0,4096,w,7\n0,8,8192,r,8\n");
        CliRun run = CliRun.Of("trace", "convert", spc, "--to", "oracle", "-o", PathOf("t.oracleGeneral"), "--page-bytes", "4096");
        Assert.That(run.Error, Does.Contain("numbered in the order of their first requests")
            .And.Contain("oracle has no place for files, writes"));
        CliRun head = CliRun.Of("trace", "head", PathOf("t.oracleGeneral"), "--format", "oracle");
        Assert.That(Words(head), Is.EqualTo(new[]
        {
            "request page bytes time next", "1 0 4096 5 3", "2 1 4096 6 -", "3 0 4096 7 -", "4 2 4096 8 -", "5 3 4096 8 -",
        }));
    }

    [Test]
    public void ARecordingKeepsItsNamesAndNotesAsText()
    {
        const string Recorded = "# file 1 /a/one\n# size 1 9\n# open 1 3\n# call 2\n1 5 r\n1 6 r\n# part\n1 6 w\n"
            + "# advice 1 3 random\n# drop 1 5\n# drop 1 5 2\n# ahead 1 7 2\n1 7 r\n";
        CliRun run = CliRun.Of("trace", "convert", Written("r.txt", Recorded), "--to", "text", "-o", PathOf("again.txt"));
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(File.ReadAllText(PathOf("again.txt")), Is.EqualTo(Recorded));
    }

    [Test]
    public void StandardOutputGetsTheTraceAndNothingElse()
    {
        using MemoryStream output = new();
        CliRun run = CliRun.Of(
            context => context with { OpenOut = () => output }, "trace", "convert", "loop:objects=3,requests=4", "--to", "text",
            "-o", "-");
        Assert.That(run.Out, Is.Empty);
        Assert.That(System.Text.Encoding.ASCII.GetString(output.ToArray()), Is.EqualTo("0\n1\n2\n0\n"));
    }

    [Test]
    public void AnIdThatDoesNotFitIsNamedAndLeavesNoFile()
    {
        string path = Written("wide.txt", "1\n4294967296\n");
        CliRun run = CliRun.Of("trace", "convert", path, "--to", "le32", "-o", PathOf("out.le32"));
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Is.EqualTo(
            $"perfcache: {path}: request 2 has the id 4294967296, and le32 has 32 bits; use le64, or --renumber\n"));
        Assert.That(File.Exists(PathOf("out.le32")), Is.False);
        Assert.That(CliRun.Of("trace", "convert", path, "--to", "le32", "-o", PathOf("out.le32"), "--renumber").ExitCode, Is.Zero);
        Assert.That(File.ReadAllBytes(PathOf("out.le32")), Is.EqualTo(new byte[] { 0, 0, 0, 0, 1, 0, 0, 0 }));
    }

    [TestCase("trace", "say what to do with the trace: info, head or convert (see 'perfcache trace --help')")]
    [TestCase("trace info", "no trace given (see 'perfcache trace info --help')")]
    [TestCase("trace head a b", "give one trace, not 2 (see 'perfcache trace head --help')")]
    [TestCase("trace convert loop:objects=3 -o x", "--to is missing; choose from text csv oracle le32 le64 be32 be64 (see 'perfcache trace convert --help')")]
    [TestCase("trace convert loop:objects=3 --to lcs -o x", "--to: 'lcs' is not one of text csv oracle le32 le64 be32 be64 (see 'perfcache trace convert --help')")]
    [TestCase("trace convert loop:objects=3 --to csv", "--output is missing; give a file, or - for standard output (see 'perfcache trace convert --help')")]
    [TestCase("trace convert loop:objects=3 --to csv -o x.zst", "--output: zstd can be read, not written; use .gz, or pipe through zstd (see 'perfcache trace convert --help')")]
    [TestCase("trace info missing.trace", "missing.trace: no such file; check the path")]
    [TestCase("trace convert loop:objects=3 --to csv -o nowhere/x", "cannot write 'nowhere/x': the folder does not exist")]
    public void WrongUsageIsOneLine(string line, string message)
    {
        CliRun run = CliRun.Of(line.Split(' '));
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Is.EqualTo($"perfcache: {message}\n"));
        Assert.That(run.Out, Is.Empty);
    }

    [Test]
    public void AFullDiskIsToldWithTheFile()
    {
        if (!File.Exists("/dev/full")) Assert.Ignore("there is no /dev/full here");
        CliRun run = CliRun.Of("trace", "convert", "loop:objects=3,requests=1000000", "--to", "le64", "-o", "/dev/full");
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error, Does.Contain("cannot write '/dev/full'"));
    }

    [Test]
    public void StoppingKeepsNothingOfAConversionAndTheBeginningOfASummary()
    {
        using CancellationTokenSource stop = new();
        stop.Cancel();
        CliRun convert = CliRun.Of(
            context => context with { Cancellation = stop.Token }, "trace", "convert", "loop:objects=3,requests=1000000", "--to",
            "le64", "-o", PathOf("out"));
        Assert.That(convert.ExitCode, Is.EqualTo(1));
        Assert.That(convert.Error, Does.Contain("is not complete and was not kept"));
        Assert.That(Directory.GetFiles(Folder), Is.Empty);
        CliRun info = CliRun.Of(
            context => context with { Cancellation = stop.Token }, "trace", "info", "loop:objects=3,requests=1000000", "--json");
        Assert.That(info.ExitCode, Is.EqualTo(1));
        Assert.That(JsonDocument.Parse(info.Out).RootElement.GetProperty("complete").GetBoolean(), Is.False);
    }

    private string Written(string name, string text)
    {
        File.WriteAllText(PathOf(name), text);
        return PathOf(name);
    }

    private static string[] Words(CliRun run) => [.. run.Out.TrimEnd().Split('\n').Select(
        line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))];

    private static long Misses(params string[] trace)
    {
        CliRun run = CliRun.Of(["replay", .. trace, "--policy", "lru", "--frames", "37", "--json"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        return JsonDocument.Parse(run.Out).RootElement.GetProperty("misses").GetInt64();
    }
}
