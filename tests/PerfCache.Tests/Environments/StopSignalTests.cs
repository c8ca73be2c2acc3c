// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Tests.Environments;

/// <summary>
/// Goal: Ctrl-C and SIGTERM end every command soon, at whatever moment they come, without a stack trace, half a file, or
/// a program that goes on running. Method: commands that would run for long as processes of their own, signals at moments
/// drawn from a seed.
/// </summary>
[Parallelizable(ParallelScope.Children)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class StopSignalTests : FolderFixture
{
    private const string LongTrace = "zipf:objects=200000,requests=400000000,seed=1";
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(30);

    private static readonly (string Name, string[] Args)[] s_commands =
    [
        ("replay", ["replay", LongTrace, "--json"]),
        ("replay --report", ["replay", LongTrace, "--report", "out"]),
        ("mrc", ["mrc", LongTrace, "--report", "out"]),
        ("bench", ["bench"]),
        ("trace info", ["trace", "info", LongTrace]),
        ("trace convert", ["trace", "convert", LongTrace, "--to", "le64", "-o", "out"]),
        ("trace convert gzip", ["trace", "convert", LongTrace, "--to", "csv", "-o", "out.gz"]),
        ("record", ["record", "-o", "out", "--", "sleep", "TIME"]),
        ("numa", ["numa"]),
        ("flip", ["flip"]),
        ("puma", ["puma", "concurrent", "--report", "out"]),
        ("study", ["study", "--report", "out"]),
        ("puma-real", ["puma-real", "concurrent", "--folder", "."]),
        ("lend", ["lend", "--memory", "32MiB", "--listen", "127.0.0.1:0"]),
    ];

    private static IEnumerable<TestCaseData> Moments => Cases(momentsOfEach: 1, seed: 11);

    private static IEnumerable<TestCaseData> ManyMoments => Cases(momentsOfEach: 25, seed: 12);

    [TestCaseSource(nameof(Moments))]
    public void ASignalEndsACommandSoonAndCleanly(string[] args, string signal, int millis) => Check(args, signal, millis);

    [TestCaseSource(nameof(ManyMoments))]
    [Explicit("minutes: 700 processes")]
    public void SignalsAtManyMomentsEndEveryCommand(string[] args, string signal, int millis) => Check(args, signal, millis);

    private void Check(string[] args, string signal, int millis)
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("signals are sent by Linux's kill here");
        if (args[0] == "record") ChildCommand.Require(["strace", "-V"], "strace is what records");
        // No two sleep so long, so it is found by its command line.
        string time = (100_000 + millis).ToString(CultureInfo.InvariantCulture) + "." + signal.Length;
        string[] line = [.. args.Select(arg => arg == "TIME" ? time : arg)];
        // A job in the background of a script is born deaf to SIGINT, and so would its children be.
        using ChildCommand.Running running = ChildCommand.Running.Start(
            ["env", "--default-signal=INT,TERM", .. ChildCommand.Program, .. line], Folder);
        running.RunFor(TimeSpan.FromMilliseconds(millis));
        bool wasRunning = !running.HasExited;
        running.Send(signal);
        ChildCommand result = running.End(s_deadline);

        // Before it hears signals the process ends by them, as any does; a recorded program ends by them in any case.
        int bySignal = 128 + (signal == "INT" ? 2 : 15);
        Assert.Multiple(() =>
        {
            Assert.That(result.ExitCode, Is.AnyOf(0, 1, bySignal), result.Error);
            Assert.That(result.Error, Does.Not.Contain("   at ").And.Not.Contain("Unhandled"));
            string[] left = [.. Directory.GetFiles(Folder).Select(path => Path.GetFileName(path))];
            // A process that had not yet heard of signals has not yet made a file either.
            Assert.That(left, Has.None.Contains(".partial"));
            // What was finished is reported; a report of nothing is none.
            bool hasFinishedSome = result.Error.Contains("what is finished is printed", StringComparison.Ordinal);
            if (wasRunning && args[0] != "record" && result.ExitCode != 0 && !hasFinishedSome)
                Assert.That(left, Is.Empty, result.Error);
            if (args[0] == "record") Assert.That(IsRunning("sleep", time), Is.False, "the recorded program goes on");
        });
    }

    private static bool IsRunning(string name, string argument) => Directory.GetDirectories("/proc").Any(folder =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, "cmdline")).Contains($"{name}\0{argument}\0", StringComparison.Ordinal)
                && !File.ReadAllText(Path.Combine(folder, "cmdline")).Contains("perfcache", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not a process, or it ended meanwhile.
            return false;
        }
    });

    private static IEnumerable<TestCaseData> Cases(int momentsOfEach, int seed)
    {
        Random random = new(seed);
        foreach ((string name, string[] args) in s_commands)
        {
            foreach (string signal in TestScale.Few(["INT", "TERM"], 1))
            {
                for (int i = 0; i < momentsOfEach; i++)
                {
                    int millis = random.Next(1200);
                    yield return new TestCaseData(args, signal, millis).SetArgDisplayNames(name, signal, $"{millis} ms");
                }
            }
        }
    }
}
