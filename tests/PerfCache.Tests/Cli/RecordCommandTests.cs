// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.IO.Compression;
using PerfCache.Tests.Judges;

namespace PerfCache.Tests.Cli;

/// <summary>The command as users have it: a process that runs another.</summary>
[TestFixture]
public sealed class RecordCommandTests : FolderFixture
{
    [Test]
    public void WithoutAProgramItSaysHowToGiveOne()
    {
        CliRun run = CliRun.Of("record");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.StartWith("perfcache: no program to run; put it behind --, as in record -- ls"));
        run = CliRun.Of("record", "--", "no-such-program-anywhere");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.StartWith("perfcache: there is no program 'no-such-program-anywhere'"));
    }

    [Test]
    public void WithoutStraceItSaysWhatToInstall()
    {
        string dotnet = Environment.ProcessPath!;
        Assume.That(dotnet, Does.EndWith("dotnet"));
        RecordedRun run = RecordedRun.Perfcache(Folder, ["record", "--", "/bin/sh", "-c", "true"], path: Folder);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((1, "")));
        Assert.That(run.Error, Does.StartWith(
            "perfcache: record needs strace, which is not on the PATH; install it (apt-get install strace)"));
    }

    /// <summary>A stand-in for strace says what the real one says where tracing is not allowed.</summary>
    [Test]
    public void WhereTracingIsNotAllowedItSaysWhatToDo()
    {
        Assume.That(Environment.ProcessPath, Does.EndWith("dotnet"));
        string strace = PathOf("strace");
        File.WriteAllText(strace, """
            #!/bin/sh
            echo "strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted" >&2
            exit 1
            """);
        RecordedRun.Run(Folder, ["chmod", "500", strace]);
        RecordedRun run = RecordedRun.Perfcache(
            Folder, ["record", "--", "/bin/sh", "-c", "true"], path: $"{Folder}:/usr/bin:/bin");
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error, Does.Contain("strace may not trace programs here (ptrace(PTRACE_TRACEME, ...): Operation "
            + "not permitted); in a container allow ptrace"));
        Assert.That(Directory.GetFiles(Folder), Has.Length.EqualTo(1), "no trace is left behind");
    }

    [TestCase("exit 7", 7)]
    [TestCase("kill -TERM $$", 143)]
    public void TheExitCodeIsTheProgramsAndTheTraceIsWhole(string script, int exitCode)
    {
        RecordedRun.Require("strace");
        RecordedRun run = RecordedRun.Perfcache(Folder,
            ["record", "--json", "-o", "t.gz", "--", "sh", "-c", $"cat text > copy; echo said; {script}"]);
        Assert.That(run.ExitCode, Is.EqualTo(exitCode), run.Error);
        Assert.That(run.Out.Trim().Split('\n'), Has.Length.EqualTo(1), "one line and nothing else");
        Assert.That((run.Number("exitCode"), run.Number("skippedLines")), Is.EqualTo((exitCode, 0L)));
        Assert.That(run.Error, Does.Contain("said"));
    }

    [Test]
    public void ATraceReplays()
    {
        RecordedRun.Require("strace");
        File.WriteAllBytes(PathOf("text"), new byte[50_000]);
        RecordedRun run = RecordedRun.Perfcache(Folder,
            ["record", "-o", "t.trace", "--only", Folder, "--", "sh", "-c", "cat text > copy; cat copy copy >> copy2; rm copy"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Error, Does.Contain("t.trace: 78 page requests (38 writes), 51 distinct pages")
            .Or.Contain("page requests"));
        string trace = File.ReadAllText(PathOf("t.trace"));
        Assert.That(trace, Does.Contain($"# file 1 {PathOf("text")}\n# size 1 13\n").And.Contain("# drop 2 0\n"));
        foreach (string[] more in (string[][])[[], ["--reads-only"], ["--readahead"]])
        {
            CliRun replay = CliRun.Of(["replay", PathOf("t.trace"), "--policy", "linux-6,lru", "--frames", "20", "--json", .. more]);
            Assert.That((replay.ExitCode, replay.Error), Is.EqualTo((0, "")));
        }
    }

    /// <summary>A signal to this process alone reaches the program, and what it did until then is a valid trace.</summary>
    [Test]
    public void ASignalReachesTheProgramAndTheTraceIsWhole([Values("INT", "TERM")] string signal)
    {
        RecordedRun.Require("strace");
        File.WriteAllBytes(PathOf("text"), new byte[5000]);
        string library = Path.Combine(TestContext.CurrentContext.TestDirectory, "perfcache.dll");
        using Process process = RecordedRun.Start(Folder,
        [
            // A job in the background of a script is born deaf to SIGINT, and so would its children be.
            "env", $"--default-signal={signal}", "dotnet", library, "record", "-o", "t.gz", "--", "sh", "-c",
            $"trap 'echo caught; exit 5' {signal}; cat text; echo ready; while true; do read line < text; done",
        ]);
        using Timer watchdog = new(_ => process.Kill(entireProcessTree: true), null, 120_000, Timeout.Infinite);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = "";
        while (!output.Contains("ready", StringComparison.Ordinal) && process.StandardOutput.ReadLine() is { } line)
            output += line;
        RecordedRun.Run(Folder, ["sh", "-c", $"kill -{signal} {process.Id}"]);
        Assert.That(process.StandardOutput.ReadToEnd(), Does.Contain("caught"));
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.EqualTo(5), errors.Result);
        using StreamReader trace = new(new GZipStream(File.OpenRead(PathOf("t.gz")), CompressionMode.Decompress));
        Assert.That(trace.ReadToEnd(), Does.Contain($" {PathOf("text")}\n").And.EndWith("\n"));
    }
}
