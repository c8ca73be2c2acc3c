// SPDX-License-Identifier: MIT
using PerfCache.Tests.Native;

namespace PerfCache.Tests.Environments;

/// <summary>
/// Goal: where a machine or a container withholds something, commands work without it, or say in one line what is
/// missing. Method: commands as processes of their own, behind programs that take something away: mounts over /sys,
/// limits, and a filter of system calls. Each test is skipped, with the reason, where taking it away is not permitted.
/// </summary>
internal sealed class RestrictedEnvironmentTests : FolderFixture
{
    private static readonly string[] s_replay = ["replay", "zipf:objects=2000,requests=50000,seed=1", "--size", "5%"];
    private static readonly string[] s_live =
        ["replay", "zipf:objects=2000,requests=50000,seed=1", "--size", "5%", "--live", "--policy", "linux-6"];

    private static readonly string[] s_lend = ["lend", "--memory", "32MiB", "--listen", "127.0.0.1:0"];

    private static IEnumerable<TestCaseData> Mounts => TestScale.Few<TestCaseData>(
    [
        Case("no /sys", "mount -t tmpfs none /sys"),
        Case("a read-only /sys", "mount -o remount,bind,ro /sys"),
        Case("no transparent huge pages", "mount -t tmpfs none /sys/kernel/mm"),
        Case("no pressure information", "{ mount -t tmpfs none /proc/pressure 2>/dev/null || mount -t tmpfs none /sys/fs; }"),
        Case("no list of nodes", "mount -t tmpfs none /sys/devices/system/node"),
    ], 2);

    private static IEnumerable<TestCaseData> Limits => TestScale.Few<TestCaseData>(
    [
        Case("no locked memory", "--memlock=0"),
        Case("few open files", "--nofile=256"),
        Case("no core files and small stacks", "--core=0", "--stack=1048576"),
    ], 1);

    private static IEnumerable<TestCaseData> Calls => TestScale.Few<TestCaseData>(
    [
        Case("mbind", "mbind", "set_mempolicy", "get_mempolicy"),
        Case("move_pages", "move_pages", "migrate_pages"),
        Case("advice", "madvise"),
        Case("files in memory", "memfd_create"),
        Case("io and barriers", "membarrier", "io_uring_setup"),
    ], 1);

    [TestCaseSource(nameof(Mounts))]
    public void CommandsWorkBehindMounts(string[] commands) => CheckAll(args => ChildCommand.InOwnMounts(commands[0], args),
        ["unshare", "-m", "sh", "-c", commands[0] + " && exec \"$@\"", "sh"]);

    [TestCaseSource(nameof(Limits))]
    public void CommandsWorkUnderLimits(string[] limits)
    {
        ChildCommand.Require(["prlimit", .. limits, "true"], "limits are not set here");
        CheckAll(args => ChildCommand.Behind(["prlimit", .. limits], args), ["prlimit", .. limits]);
    }

    [TestCaseSource(nameof(Calls))]
    public void CommandsWorkWithoutSomeSystemCalls(string[] calls)
    {
        string[] launcher = [NativeProgram.Require("refuse_calls"), .. calls, "--"];
        ChildCommand.Require([.. launcher, "true"], "system calls are not filtered here");
        CheckAll(args => ChildCommand.Behind(launcher, args), launcher);
    }

    /// <summary>Too few addresses for the index, which reserves them for the largest cache: one line, and no more.</summary>
    [Test]
    public void TooFewAddressesAreSaidInOneLine()
    {
        // The runtime itself reserves 256 GiB unless told otherwise.
        string[] launcher = ["env", "DOTNET_GCRegionRange=40000000", "prlimit", $"--as={12L << 30}"];
        ChildCommand.Require([.. launcher, "true"], "limits are not set here");
        ChildCommand replay = ChildCommand.Behind(launcher, [.. s_replay, "--policy", "lru"]);
        Assert.Multiple(() =>
        {
            Assert.That(replay.ExitCode, Is.AnyOf(0, 1), replay.Error);
            Assert.That(replay.Error, Does.Not.Contain("   at "));
            if (replay.ExitCode == 1)
            {
                Assert.That(replay.ErrorLines, Has.Length.EqualTo(1));
                Assert.That(replay.Error, Does.StartWith("perfcache: ").And.Contain("not enough memory").And.Contain("address space"));
            }
        });
    }

    private static TestCaseData Case(string name, params string[] how) =>
        new TestCaseData([how]).SetArgDisplayNames(name);

    /// <summary>A replay, a live one, the report of nodes, and a lender that is stopped: all end well.</summary>
    private static void CheckAll(Func<string[], ChildCommand> run, string[] launcher)
    {
        foreach (string[] args in new[] { s_replay, s_live, ["numa"] })
        {
            ChildCommand result = run(args);
            Assert.That(result.Error, Does.Not.Contain("   at ").And.Not.Contain("Unhandled"), string.Join(' ', args));
            Assert.That(result.ExitCode, Is.Zero, $"{string.Join(' ', args)}: {result.Error}");
        }

        using ChildCommand.Running lender = ChildCommand.Running.Start([.. launcher, .. ChildCommand.Program, .. s_lend]);
        lender.RunFor(TimeSpan.FromMilliseconds(1200));
        Assert.That(lender.HasExited, Is.False, "the lender serves");
        lender.Send("TERM");
        ChildCommand lent = lender.End(TimeSpan.FromSeconds(30));
        Assert.That((lent.ExitCode, lent.Error.Contains("   at ", StringComparison.Ordinal)), Is.EqualTo((0, false)), lent.Error);
    }
}
