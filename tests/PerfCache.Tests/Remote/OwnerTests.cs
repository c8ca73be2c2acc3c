// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using PerfCache.Tests.Judges;

namespace PerfCache.Tests.Remote;

/// <summary>
/// Goal: who lends memory hardly notices. Method: a lender and its owner, each a process, in a memory control group that
/// is too small for both; the kernel is the real one, and so are its counters.
/// </summary>
internal sealed class OwnerTests : FolderFixture
{
    private const long Mebibyte = 1 << 20;
    private const int LimitMebibytes = 384;
    private const int LentMebibytes = 224;

    // Of 4 KiB each; the rest of the arena is metadata.
    private const int Items = 50_048;
    private const int Blocks = 32;

    // For what reads files: small, because each page that comes from the disk takes its time.
    private const int SmallLimitMebibytes = 200;
    private const int SmallLentMebibytes = 128;
    private const int SmallItems = 26_624;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(45);

    [OneTimeSetUp]
    public void LeaveToRelease() => TestScale.LeaveToRelease();

    [Test]
    public void AnAllocationCostsLittleMoreAndTheKernelTakesOnlyWhatItNeeds()
    {
        string owner = OwnerProgram.In(Folder);
        using MemoryGroup plain = MemoryGroup.Make(LimitMebibytes * Mebibyte);
        using MemoryGroup lent = MemoryGroup.Make(LimitMebibytes * Mebibyte);
        using LentProcess lender = new(lent, Folder, LentMebibytes, "--ignore-pressure");
        List<double> ratios = [];
        for (int pair = 0; pair < 3; pair++)
        {
            lender.Fill(Items);
            Assert.That(lender.Stat("curr_items"), Is.EqualTo(Items));
            double without = MedianBlock(plain.Run(owner, "malloc", $"{Blocks}"));
            long needed = lent.UsedBytes + (Blocks * 8 * Mebibyte) - (LimitMebibytes * Mebibyte);
            ratios.Add(MedianBlock(lent.Run(owner, "malloc", $"{Blocks}")) / without);
            long taken = (Items - lender.Hits(Items)) * 4096L;
            TestContext.Out.WriteLine($"ratio {ratios[pair]:F2}; needed {needed >> 20} MiB, taken {taken >> 20} MiB");
            Assert.That(needed, Is.GreaterThan(32 * Mebibyte), "the arena is in the way");
            // The kernel reclaims in batches, and the owner's program, its stack and its page tables need a little.
            Assert.That(taken, Is.InRange(needed / 2, needed + (24 * Mebibyte)));
        }

        Assert.That(lent.OutOfMemoryKills + plain.OutOfMemoryKills, Is.Zero);
        ratios.Sort();
        Assert.That(ratios[1], Is.LessThanOrEqualTo(2.2));
    }

    [Test]
    public void WithHugePagesTheKernelWouldHaveToKill()
    {
        // The same group, the same blocks, and an arena that allows what ours forbids: the test above must be able to fail.
        const string Setting = "/sys/kernel/mm/transparent_hugepage/enabled";
        if (!File.Exists(Setting) || File.ReadAllText(Setting).Contains("[never]", StringComparison.Ordinal))
            Assert.Ignore("this system has no huge pages");
        string owner = OwnerProgram.In(Folder);
        using MemoryGroup group = MemoryGroup.Make(LimitMebibytes * Mebibyte);
        Process wrong = group.Start(owner, "huge", "288");
        Assert.That(wrong.StandardOutput.ReadLine(), Is.EqualTo("lent"));
        (int exitCode, _) = group.Run(owner, "malloc", $"{Blocks}");
        TestContext.Out.WriteLine($"exit {exitCode}, {group.OutOfMemoryKills} killed");
        Assert.That(group.OutOfMemoryKills, Is.Positive);
    }

    [Test]
    public void TheOwnersFileIsReadAsWellAsWithoutTheArena()
    {
        const int Passes = 3;
        string owner = OwnerProgram.In(Folder);
        string file = NewFile(100);
        using MemoryGroup group = MemoryGroup.Make(SmallLimitMebibytes * Mebibyte);
        using LentProcess lender = new(group, Folder, SmallLentMebibytes, "--keep-available", "0");
        double without = HitRatio(group.Run(owner, "read", file, $"{Passes}"));
        RecordedRun.Drop(file);
        Assert.That(() => lender.Stat("lender_suspended"), Is.Zero.After(10_000, 50));
        lender.Fill(SmallItems);
        double with = HitRatio(group.Run(owner, "read", file, $"{Passes}"));
        TestContext.Out.WriteLine(
            $"hit ratio {without:P1} without, {with:P1} with; {lender.Stat("lender_frames_given_back_total")} given back");
        Assert.That(with, Is.EqualTo(without).Within(0.03));
        Assert.That(lender.Stat("lender_frames_given_back_total"), Is.Positive, "lending was stopped for it");
    }

    // Programs outside the group may move the machine's counters; not three times in a row.
    [Test, Retry(3)]
    public void ALoadSuspendsLendingWithinASecondAndItsEndResumesItInThree()
    {
        const int LoadSeconds = 2;
        string owner = OwnerProgram.In(Folder);
        string file = NewFile(220);
        using MemoryGroup group = MemoryGroup.Make(SmallLimitMebibytes * Mebibyte);
        using LentProcess lender = new(group, Folder, SmallLentMebibytes, "--keep-available", "0");
        lender.Fill(SmallItems);
        long before = group.LimitEvents;
        Assert.That(lender.Stat("lender_suspended"), Is.Zero);
        Process load = group.Start(owner, "load", file, $"{LoadSeconds}");
        TimeSpan moved = WaitUntil(() => group.LimitEvents > before);
        TimeSpan suspended = WaitUntil(() => lender.Stat("lender_suspended") == 1);
        TimeSpan ended = WaitUntil(() => load.HasExited);
        // The load leaves the group full of its file: whatever the lender itself needs then may move the counter once more,
        // and three seconds begin anew.
        TimeSpan quiet = ended;
        long events = group.LimitEvents;
        TimeSpan resumed = WaitUntil(() =>
        {
            if (group.LimitEvents != events) (events, quiet) = (group.LimitEvents, Stopwatch.GetElapsedTime(0));
            return lender.Stat("lender_suspended") == 0;
        });
        TestContext.Out.WriteLine(
            $"suspended {(suspended - moved).TotalMilliseconds:F0} ms after the first counter moved, "
            + $"resumed {(resumed - quiet).TotalMilliseconds:F0} ms after it moved last, "
            + $"{(resumed - ended).TotalMilliseconds:F0} ms after the load's end, "
            + $"{lender.Stat("lender_frames_given_back_total")} frames given back");
        Assert.That(suspended - moved, Is.LessThanOrEqualTo(TimeSpan.FromSeconds(1)));
        Assert.That(resumed - quiet, Is.InRange(TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(4.5)));
        Assert.That(lender.Stat("lender_suspensions"), Is.EqualTo(1), "once and for as long as the load");
        Assert.That(lender.Stat("lender_frames_given_back_total"), Is.AtLeast(SmallItems));
    }

    private static TimeSpan WaitUntil(Func<bool> condition)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.That(waited.Elapsed, Is.LessThan(s_patience), "it did not happen");
            Task.Delay(5).Wait();
        }

        return Stopwatch.GetElapsedTime(0);
    }

    private string NewFile(int mebibytes)
    {
        string format = new DriveInfo(Folder).DriveFormat;
        if (format is "tmpfs" or "ramfs") Assert.Ignore($"the folder of temporary files is memory ({format}), not a disk");
        string file = PathOf("file");
        byte[] bytes = new byte[1 << 20];
        TestSeed.Random(731).NextBytes(bytes);
        using (FileStream stream = File.Create(file))
        {
            for (int i = 0; i < mebibytes; i++) stream.Write(bytes);
        }

        RecordedRun.Drop(file);
        return file;
    }

    private static double MedianBlock((int ExitCode, string Output) run)
    {
        Assert.That(run.ExitCode, Is.Zero, "the owner was not killed");
        double[] nanos = [.. run.Output.Trim().Split('\n').Select(line => double.Parse(line, CultureInfo.InvariantCulture)).Order()];
        Assert.That(nanos, Has.Length.EqualTo(Blocks));
        return nanos[Blocks / 2];
    }

    private static double HitRatio((int ExitCode, string Output) run)
    {
        Assert.That(run.ExitCode, Is.Zero, "the owner was not killed");
        long[] counts = [.. run.Output.Trim().Split(' ').Select(word => long.Parse(word, CultureInfo.InvariantCulture))];
        if (counts[1] < 0) Assert.Ignore("this system does not count what a process reads from the disk");
        Assert.That(counts[1], Is.Positive, "the file was not in memory before");
        return 1 - ((double)counts[1] / counts[0]);
    }
}
