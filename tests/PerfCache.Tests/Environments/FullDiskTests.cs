// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Environments;

/// <summary>
/// Goal: where a disk is full, the command says so in one line and leaves no half of a file, and a cache loses nothing.
/// Method: a file system of a few pages in memory, where mounting one is permitted.
/// </summary>
internal sealed class FullDiskTests : FolderFixture
{
    private const string Trace = "zipf:objects=4000,requests=60000,seed=1";

    private static IEnumerable<TestCaseData> Commands =>
    [
        Case("trace convert", "trace", "convert", Trace, "--to", "le64", "-o", "FOLDER/out"),
        Case("trace convert gzip", "trace", "convert", Trace, "--to", "csv", "-o", "FOLDER/out.gz"),
        Case("replay json", "replay", Trace, "--size", "1%", "--timeline", "FOLDER/out"),
        Case("replay report", "replay", Trace, "--size", "1%", "--report", "FOLDER/out"),
        Case("mrc report", "mrc", Trace, "--report", "FOLDER/out"),
        Case("record", "record", "-o", "FOLDER/out", "--", "sh", "-c",
            "for i in $(seq 40); do cat /proc/version /etc/passwd /etc/hostname /bin/sh; done > /dev/null"),
    ];

    [TestCaseSource(nameof(Commands))]
    public void ACommandSaysThatTheDiskIsFullAndLeavesNoFile(string[] args)
    {
        if (args[0] == "record") ChildCommand.Require(["strace", "-V"], "strace is what records");
        string folder = PathOf("small");
        Directory.CreateDirectory(folder);
        // What is left in the folder is listed from inside, where the file system is mounted.
        string[] line = [.. args.Select(arg => arg.Replace("FOLDER", folder, StringComparison.Ordinal))];
        ChildCommand.RequireMounts();
        ChildCommand run = ChildCommand.Behind(
            [
                "unshare", "-m", "sh", "-c",
                $"mount -t tmpfs -o size=4k none '{folder}' && \"$@\"; code=$?; ls -A '{folder}' | sed 's/^/left: /'; exit $code",
                "sh",
            ],
            line);

        Assert.Multiple(() =>
        {
            Assert.That(run.ExitCode, Is.Not.Zero);
            Assert.That(run.ErrorLines.Where(error => error.StartsWith("perfcache: ", StringComparison.Ordinal)),
                Has.Exactly(1).Contains("No space left on device"), run.Error);
            Assert.That(run.Error, Does.Not.Contain("   at "));
            Assert.That(run.Out, Does.Not.Contain("left: "));
        });
    }

    /// <summary>Pages that the disk does not take stay changed and readable, and go to it once there is room.</summary>
    [Test]
    public void WriteBackToAFullDiskLosesNothing()
    {
        const int Pages = 100;
        string folder = PathOf("small");
        Directory.CreateDirectory(folder);
        if (!TryMount(["-t", "tmpfs", "-o", "size=128k", "none", folder])) Assert.Ignore("mounting needs more rights");
        try
        {
            string path = Path.Combine(folder, "data");
            using (FileStream made = File.Create(path)) made.SetLength(Pages * 4096L);
            using FilePageSource file = FilePageSource.Open(path);
            using PageCache<LinuxRules<Linux6>> cache = new(new PageCacheOptions { CapacityBytes = 2 << 20 }, new());
            ObjectId owner = cache.AddObject(file);
            for (ulong page = 0; page < Pages; page++)
            {
                using WriteLease lease = cache.GetForWrite(owner, page);
                lease.Span.Fill((byte)(page + 1));
            }

            Exception? refusal = Assert.CatchAsync(() => cache.FlushAsync());
            Assert.That(refusal!.Message, Does.Contain("No space left on device").And.Not.Contain("\n"));
            PageCacheStatistics counts = cache.Statistics;
            Assert.That(counts.DirtyPages, Is.GreaterThanOrEqualTo(Pages - 32));
            Assert.That(counts.WriteFailures, Is.GreaterThan(0));
            AssertBytes(page =>
            {
                using PageLease lease = cache.Get(owner, page);
                return lease.Span.ToArray();
            });

            Assert.That(TryMount(["-o", "remount,size=4m", folder]), Is.True);
            // An object whose disk refused rests for a while, so the first attempt may still be one of those.
            Assert.That(() => Flushed(cache), Is.True.After(20_000, 50));
            Assert.That(cache.Statistics.DirtyPages, Is.Zero);
            byte[] bytes = File.ReadAllBytes(path);
            AssertBytes(page => bytes.AsSpan((int)page * 4096, 4096).ToArray());
        }
        finally
        {
            Process.Start("umount", ["-l", folder]).WaitForExit();
        }

        static void AssertBytes(Func<ulong, byte[]> read)
        {
            for (ulong page = 0; page < Pages; page++)
                Assert.That(read(page).AsSpan().ContainsAnyExcept((byte)(page + 1)), Is.False, $"page {page}");
        }
    }

    private static TestCaseData Case(string name, params string[] args) =>
        new TestCaseData([args]).SetArgDisplayNames(name);

    private static bool Flushed(PageCache<LinuxRules<Linux6>> cache)
    {
        try
        {
            cache.FlushAsync().GetAwaiter().GetResult();
            return true;
        }
        catch (PageWriteException)
        {
            return false;
        }
    }

    private static bool TryMount(string[] arguments)
    {
        if (!OperatingSystem.IsLinux()) return false;
        using Process mount = Process.Start(new ProcessStartInfo("mount", arguments) { RedirectStandardError = true })!;
        mount.WaitForExit();
        return mount.ExitCode == 0;
    }
}
