// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace PerfCache.Tests.Judges;

/// <summary>
/// Goal: prediction meets reality. Method: queries of a database are recorded and replayed with <c>--readahead</c>; then
/// they run again in a memory cgroup, cold, and the pages that the kernel read for them are counted.
/// </summary>
/// <remarks>
/// What makes the two comparable, and why the test is skipped where it cannot be had:
/// a file system of our own on a loop device, whose readahead can be set to the kernel's default, in a mode without large
/// folios (data=journal), because the model evicts pages and not folios; and N, which is what the cgroup really had for
/// pages of files once it was full: its limit also pays for the program's memory, the kernel's, and what is charged ahead.
/// The statistics are read all the time, because reclaim decides on numbers that are folded only when somebody reads them.
/// </remarks>
[TestFixture]
public sealed class PredictionTests : FolderFixture
{
    private const string CgroupRoot = "/sys/fs/cgroup/memory";

    private string Mount => PathOf("mount");

    [SetUp]
    public void MakeFileSystem()
    {
        TestScale.LeaveToRelease();
        RecordedRun.Require("strace", "sqlite3", "mkfs.ext4", "mount", "umount", "truncate");
        if (!File.Exists(Path.Combine(CgroupRoot, "memory.stat")))
            Assert.Ignore("there is no memory cgroup of version 1 to make one in");
        Directory.CreateDirectory(Mount);
        RecordedRun made = RecordedRun.Run(Folder,
            ["sh", "-c", "truncate -s 64M image && mkfs.ext4 -q -F image && mount -o loop,data=journal image mount"]);
        if (made.ExitCode != 0) Assert.Ignore($"no file system can be mounted here: {made.Error.Trim()}");
        RecordedRun device = RecordedRun.Run(Folder, ["mountpoint", "-d", Mount]);
        try
        {
            File.WriteAllText($"/sys/class/bdi/{device.Out.Trim()}/read_ahead_kb", "128");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Assert.Ignore($"the readahead of {device.Out.Trim()} cannot be set: {e.Message}");
        }
    }

    [TearDown]
    public void Unmount() => RecordedRun.Run(Folder, ["sh", "-c", "mountpoint -q mount && umount mount || true"]);

    [TestCase(1000)]
    [TestCase(1500)]
    [TestCase(2000)]
    public void TheKernelReadsWhatTheReplayPredicted(int limitPages)
    {
        MakeDatabase();
        RecordedRun.Record(Folder, PathOf("t.gz"), "sqlite3", "mount/table.db", ".read queries.sql");
        RecordedRun.Drop(Path.Combine(Mount, "table.db"));

        (long frames, long read) = RunInCgroup(limitPages);
        RecordedRun replay = RecordedRun.Perfcache(Folder,
        [
            "replay", "t.gz", "--policy", "linux-6", "--readahead", "--json", "--frames",
            frames.ToString(CultureInfo.InvariantCulture),
        ]);
        Assert.That(replay.ExitCode, Is.Zero, replay.Error);
        JsonElement predicted = JsonDocument.Parse(replay.Out).RootElement;
        long diskReads = predicted.GetProperty("diskReads").GetInt64();
        TestContext.Out.WriteLine($"limit {limitPages}, {frames} pages of files: predicted {diskReads}, read {read}, "
            + $"misses {predicted.GetProperty("misses").GetInt64()}");
        Assert.That(diskReads, Is.EqualTo(read).Within(5).Percent);
    }

    private void MakeDatabase()
    {
        RecordedRun made = RecordedRun.Run(Mount, ["sqlite3", "table.db",
            "create table t(id integer primary key, k integer, name text, pad text);"
            + "with recursive c(n) as (select 1 union all select n+1 from c where n<120000) insert into t "
            + "select n, (n*7919)%120000, 'name'||n, hex(randomblob(60)) from c; create index tk on t(k);"]);
        Assert.That(made.ExitCode, Is.Zero, made.Error);
        File.WriteAllText(PathOf("queries.sql"), """
            pragma cache_size=20;
            select count(*) from t where id<20000;
            with recursive c(n) as (select 1 union all select n+1 from c where n<6000)
              select sum(length(name)) from c join t on t.k=(n*(n%97+3))%120000;
            select count(*), sum(k) from t;
            with recursive c(n) as (select 1 union all select n+1 from c where n<6000)
              select sum(length(name)) from c join t on t.k=(n*(n%89+5))%30000;
            """);
    }

    /// <summary>Runs the queries with so much memory.</summary>
    /// <returns>The pages of files that there was room for, and the pages read from the disk.</returns>
    private (long Frames, long Read) RunInCgroup(int limitPages)
    {
        string cgroup = Path.Combine(CgroupRoot, $"perfcache-test-{Environment.ProcessId}");
        try
        {
            Directory.CreateDirectory(cgroup);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Assert.Ignore($"no memory cgroup can be made: {e.Message}");
        }

        try
        {
            File.WriteAllText(
                Path.Combine(cgroup, "memory.limit_in_bytes"), (limitPages * 4096L).ToString(CultureInfo.InvariantCulture));
            // The shell's own counts take in those of children that have ended.
            string script = $"echo $$ > {cgroup}/cgroup.procs; cat /proc/$$/io; "
                + "sqlite3 mount/table.db '.read queries.sql' > result; cat /proc/$$/io";
            using Process process = RecordedRun.Start(Folder, ["sh", "-c", script]);
            List<long> cached = [];
            using FileStream statistics = new(Path.Combine(cgroup, "memory.stat"), FileMode.Open, FileAccess.Read,
                FileShare.ReadWrite, bufferSize: 0);
            while (!process.HasExited) cached.Add(CachedPages(statistics));
            process.WaitForExit();
            long[] reads = [.. process.StandardOutput.ReadToEnd().Split('\n')
                .Where(line => line.StartsWith("read_bytes: ", StringComparison.Ordinal))
                .Select(line => long.Parse(line["read_bytes: ".Length..], CultureInfo.InvariantCulture))];
            Assert.That(reads, Has.Length.EqualTo(2), process.StandardError.ReadToEnd());
            long full = cached.Max() * 95 / 100;
            long mean = (long)cached.SkipWhile(pages => pages < full).Where(pages => pages > full * 9 / 10).Average();
            return (mean, (reads[1] - reads[0]) / 4096);
        }
        finally
        {
            Directory.Delete(cgroup);
        }
    }

    private static long CachedPages(FileStream statistics)
    {
        byte[] buffer = new byte[8192];
        int length = RandomAccess.Read(statistics.SafeFileHandle, buffer, 0);
        string first = Encoding.ASCII.GetString(buffer, 0, length).Split('\n')[0];
        return first.StartsWith("cache ", StringComparison.Ordinal)
            ? long.Parse(first["cache ".Length..], CultureInfo.InvariantCulture) / 4096 : 0;
    }
}
