// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Tests.Cli;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>Goal: the disk's work is counted right. Method: small traces through the whole command, counted by hand, and a
/// naive twin of dirty pages for long ones.</summary>
internal sealed class DiskTrafficTests : FolderFixture
{
    private JsonElement Replay(string trace, params string[] more)
    {
        string path = PathOf("trace");
        File.WriteAllText(path, trace);
        CliRun run = CliRun.Of(["replay", path, "--json", .. more]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        return JsonDocument.Parse(run.Out.Split('\n')[0]).RootElement.Clone();
    }

    private static (long DiskReads, long WriteBacks, long Dirty) Disk(JsonElement result) =>
        (result.GetProperty("diskReads").GetInt64(), result.GetProperty("writeBacks").GetInt64(),
            result.GetProperty("dirtyPages").GetInt64());

    private static long Misses(JsonElement result) => result.GetProperty("misses").GetInt64();

    [Test]
    public void ATraceThatOnlyReadsKeepsItsOldResult() =>
        Assert.That(Replay("1 0\n1 1\n", "--policy", "lru", "--frames", "1").TryGetProperty("diskReads", out _), Is.False);

    [Test]
    public void APageWrittenWholeNeedsNoReadAndIsWrittenBackOnce([Values(true, false)] bool readahead)
    {
        string[] more = ["--policy", "lru", "--frames", "2", .. readahead ? (string[])["--readahead"] : []];
        JsonElement result = Replay("# size 1 99\n1 50 w\n1 50 w\n1 70 r\n1 30 r\n1 50 r\n1 0 w\n", more);
        // 50 goes dirty when 30 comes in, and is read again for the last read; 0 is dirty at the end.
        Assert.That(Disk(result), Is.EqualTo((3L, 1L, 1L)));
        Assert.That(Misses(result), Is.EqualTo(5));
    }

    [Test]
    public void APageWrittenInPartIsReadFirst([Values(true, false)] bool readahead)
    {
        string[] more = ["--policy", "lru", "--frames", "2", .. readahead ? (string[])["--readahead"] : []];
        Assert.That(Disk(Replay("# size 1 9\n# part\n1 5 w\n# part\n1 5 w\n1 7 w\n", more)), Is.EqualTo((1L, 0L, 2L)));
    }

    [Test]
    public void ReadsOnlyDropsTheWrites()
    {
        JsonElement result = Replay(
            "# open 1 1\n1 5 w\n# call 2\n1 5 w\n1 6 w\n1 7 r\n1 7 w\n", "--policy", "lru", "--frames", "2", "--reads-only");
        Assert.That((result.GetProperty("requests").GetInt64(), Misses(result)), Is.EqualTo((1L, 1L)));
        Assert.That(result.TryGetProperty("writes", out _), Is.False);
    }

    [Test]
    public void SequentialReadsMissOncePerWindowAtFirstAndReadTheFileOnce()
    {
        string trace = "# size 1 100\n# open 1 1\n" + string.Concat(Enumerable.Range(0, 100).Select(page => $"1 {page} r\n"));
        JsonElement result = Replay(trace, "--policy", "linux-6", "--frames", "256", "--readahead");
        Assert.That(Misses(result), Is.EqualTo(1), "markers keep ahead of the reader");
        Assert.That(Disk(result).DiskReads, Is.EqualTo(100), "not beyond the end of the file");
        Assert.That(result.GetProperty("readaheadPages").GetInt64(), Is.EqualTo(99));
    }

    [Test]
    public void OneLargeReadIsReadAsAWhole()
    {
        string call = "# call 16\n" + string.Concat(Enumerable.Range(200, 16).Select(page => $"1 {page} r\n"));
        JsonElement result = Replay("# size 1 1000\n" + call, "--policy", "lru", "--frames", "64", "--readahead");
        Assert.That((Misses(result), Disk(result).DiskReads), Is.EqualTo((1L, 16L)));
        result = Replay("# size 1 1000\n# open 1 1\n# advice 1 1 random\n1 0 r\n1 1 r\n1 2 r\n", "--policy", "lru",
            "--frames", "64", "--readahead");
        Assert.That((Misses(result), Disk(result).DiskReads), Is.EqualTo((3L, 3L)), "said to be random");
    }

    [Test]
    public void DroppedPagesAreGoneAndAskedForPagesCome()
    {
        const string Trace = "# size 1 50\n1 10 r\n# drop 1 10 1\n1 10 r\n# ahead 1 20 2\n1 20 r\n1 21 r\n";
        JsonElement result = Replay(Trace, "--policy", "lru", "--frames", "64", "--readahead");
        Assert.That((Misses(result), Disk(result).DiskReads), Is.EqualTo((2L, 4L)));
    }

    [Test]
    public void WrongUsageIsSaid()
    {
        string path = PathOf("t");
        File.WriteAllText(path, "1\n2\n");
        CliRun run = CliRun.Of("replay", path, "--policy", "lru", "--frames", "2", "--readahead");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((2,
            $"perfcache: {path}: has no files, so there is nothing to read ahead; leave out --readahead"
            + Environment.NewLine)));
        run = CliRun.Of("replay", path, "--readahead-pages", "0");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.Contain("--readahead-pages: '0' is not a whole number from 1"));
        Assert.That(CliRun.Of("replay", path, "--live", "--reads-only").ExitCode, Is.EqualTo(2));
    }

    /// <summary>A queue of pages and a set of dirty ones, straight from the words: the twin of fifo with writes.</summary>
    [Test]
    public void DirtyPagesAgreeWithANaiveTwin([Values(true, false)] bool readahead)
    {
        Random random = TestSeed.Random(77);
        List<string> lines = ["# size 1 500", "# open 1 1", "# advice 1 1 random"];
        Queue<int> queue = new();
        HashSet<int> dirty = [];
        (long reads, long writeBacks, long misses) = (0, 0, 0);
        for (int i = 0; i < 20_000; i++)
        {
            int page = random.Next(1, 500);
            bool writes = random.Next(3) == 0;
            lines.Add($"1 {page} {(writes ? 'w' : 'r')}");
            if (!queue.Contains(page))
            {
                misses++;
                if (!writes) reads++;
                if (queue.Count == 100 && dirty.Remove(queue.Dequeue())) writeBacks++;
                queue.Enqueue(page);
            }

            if (writes) dirty.Add(page);
        }

        string[] more = ["--policy", "fifo", "--frames", "100", .. readahead ? (string[])["--readahead"] : []];
        JsonElement result = Replay(string.Join('\n', lines), more);
        Assert.That(Disk(result), Is.EqualTo((reads, writeBacks, (long)dirty.Count)));
        Assert.That(Misses(result), Is.EqualTo(misses));
    }
}
