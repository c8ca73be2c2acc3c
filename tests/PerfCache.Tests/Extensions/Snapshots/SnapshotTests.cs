// SPDX-License-Identifier: MIT
using Microsoft.Extensions.Caching.Distributed;
using PerfCache.Extensions.Snapshots;
using static PerfCache.Tests.Extensions.TestCache;

namespace PerfCache.Tests.Extensions.Snapshots;

/// <summary>
/// Goal: a snapshot comes back whole or not at all. Method: round trips; a small file damaged in every byte and cut at
/// every length; what a crash leaves; two writers of one name.
/// </summary>
[TestFixture]
public sealed class SnapshotTests : FolderFixture
{
    private string Snapshot => PathOf("cache.snapshot");

    [Test]
    public void EverythingComesBackWithItsLifetime()
    {
        ManualTime time = new();
        using TestCache first = new(time, capacityBytes: 16 << 20);
        for (int i = 0; i < 1000; i++) first.Set($"key {i}", Value(i, i * 9));
        first.Set("short", [1], seconds: 10);
        first.Set("long", [2], seconds: 100);
        first.Set("sliding", [3], seconds: 100, sliding: 30);
        first.Set(new string('k', 1000), [4]);
        SnapshotReport saved = first.Cache.SaveSnapshot(Snapshot);
        Assert.That((saved.Entries, saved.FileBytes), Is.EqualTo((1004, new FileInfo(Snapshot).Length)));
        Assert.That(first.Cache.Snapshots.LastSaved, Is.EqualTo(time.GetUtcNow()));

        // The process is down for twenty seconds, and its successor's clock begins at another tick.
        time.Advance(TimeSpan.FromSeconds(20));
        using TestCache second = new(time, capacityBytes: 16 << 20);
        SnapshotReport loaded = second.Cache.LoadSnapshot(Snapshot);
        Assert.That((loaded.Entries, loaded.Expired, loaded.Skipped), Is.EqualTo((1003, 1, 0)));
        for (int i = 0; i < 1000; i++) Assert.That(second.Cache.Get($"key {i}"), Is.EqualTo(Value(i, i * 9)));
        Assert.That((second.Cache.Get("short"), second.Cache.Get("sliding")), Is.EqualTo(((byte[]?)null, new byte[] { 3 })));
        Assert.That(second.Cache.Get(new string('k', 1000)), Is.EqualTo(new byte[] { 4 }));
        for (int i = 0; i < 3; i++)
        {
            second.Pass(26);
            Assert.That(second.Cache.Get("sliding"), Is.Not.Null, "slides on");
        }

        second.Pass(2);
        Assert.That((second.Cache.Get("long"), second.Cache.Get("sliding")), Is.EqualTo(((byte[]?)null, (byte[]?)null)));
    }

    [Test]
    public void AnEmptyCacheIsAFileToo()
    {
        using TestCache test = new();
        Assert.That(test.Cache.SaveSnapshot(Snapshot).Entries, Is.Zero);
        Assert.That(test.Cache.LoadSnapshot(Snapshot).Entries, Is.Zero);
    }

    [Test]
    public void WhatTheCacheHasIsNewerThanTheFile()
    {
        using TestCache test = new();
        test.Set("kept", [1]);
        test.Set("gone", [1]);
        test.Cache.SaveSnapshot(Snapshot);
        test.Set("kept", [2]);
        test.Cache.Remove("gone");
        SnapshotReport report = test.Cache.LoadSnapshot(Snapshot);
        Assert.That((report.Entries, report.Skipped), Is.EqualTo((1, 1)));
        Assert.That((test.Cache.Get("kept"), test.Cache.Get("gone")), Is.EqualTo((new byte[] { 2 }, new byte[] { 1 })));
    }

    [Test]
    public void ASmallerCacheTakesWhatItCan()
    {
        using TestCache large = new(capacityBytes: 32 << 20);
        for (int i = 0; i < 3000; i++) large.Set($"key {i}", Value(i, 4096));
        large.Set("long", Value(1, 60_000));
        large.Cache.SaveSnapshot(Snapshot);
        using TestCache small = new(valueBytesMax: 8192);
        SnapshotReport report = small.Cache.LoadSnapshot(Snapshot);
        Assert.That((report.Entries, report.Skipped), Is.EqualTo((3000, 1)));
        Assert.That(small.Cache.Statistics.Items, Is.InRange(500, 1100));
        Assert.That(small.Cache.Get("long"), Is.Null);
    }

    [Test]
    public void DamageInAnyByteIsFoundAndChangesNothing()
    {
        byte[] whole = SmallFile();
        using TestCache test = new();
        test.Set("present", [9]);
        for (int at = 0; at < whole.Length; at++)
        {
            // The header's time and spare fields count too.
            byte[] damaged = (byte[])whole.Clone();
            damaged[at] ^= (byte)(1 << (at % 8));
            File.WriteAllBytes(Snapshot, damaged);
            AssertRefused(test, $"byte {at}");
        }
    }

    [Test]
    public void AFileCutAnywhereIsFoundAndChangesNothing()
    {
        byte[] whole = SmallFile();
        using TestCache test = new();
        test.Set("present", [9]);
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(Snapshot, whole[..length]);
            AssertRefused(test, $"{length} bytes");
        }

        File.WriteAllBytes(Snapshot, [.. whole, 0]);
        AssertRefused(test, "a byte more");
    }

    [TestCase("not a snapshot, but long enough for one", "does not begin with PCITEMS")]
    [TestCase("short", "5 bytes, fewer than a header")]
    public void AFileOfAnotherKindIsCalledThat(string text, string expected)
    {
        using TestCache test = new();
        File.WriteAllText(Snapshot, text);
        Assert.That(
            () => test.Cache.LoadSnapshot(Snapshot),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(expected).And.Message.Contains(Snapshot)
                .And.Message.Contains("put a good copy in its place, or delete it"));
        Assert.That(test.Cache.Snapshots.Failure, Does.Contain(expected));
    }

    [Test]
    public void AFileOfALaterVersionIsCalledThat()
    {
        byte[] whole = SmallFile();
        whole[8] = 2;
        File.WriteAllBytes(Snapshot, whole);
        using TestCache test = new();
        Assert.That(() => test.Cache.LoadSnapshot(Snapshot), Throws.TypeOf<InvalidDataException>()
            .With.Message.Contains("version 2; this program reads 1"));
    }

    [Test]
    public void RecordsOutOfPlaceAreFoundThoughEachIsWhole()
    {
        // Goal: the end knows its records. Method: three records of one length in another order, or one twice.
        byte[] whole = SmallFile();
        int record = (whole.Length - (2 * SnapshotFormat.HeadBytes)) / 3;
        byte[][] parts = [.. Enumerable.Range(0, 3).Select(i => whole.AsSpan(32 + (i * record), record).ToArray())];
        byte[] head = whole[..32];
        byte[] end = whole[^32..];
        using TestCache test = new();
        test.Set("present", [9]);
        foreach (byte[] damaged in new byte[][]
        {
            [.. head, .. parts[1], .. parts[0], .. parts[2], .. end],
            [.. head, .. parts[0], .. parts[0], .. parts[2], .. end],
            [.. head, .. parts[0], .. parts[2], .. end],
        })
        {
            File.WriteAllBytes(Snapshot, damaged);
            AssertRefused(test, "records out of place");
        }
    }

    [Test]
    public void ACrashHalfWayLeavesTheOlderFileAndTheNextSaveRepairs()
    {
        byte[] whole = SmallFile();
        using TestCache test = new();
        // What a crash leaves: half of a file under the other name, longer than the next one.
        File.WriteAllBytes(SnapshotWriter.NewName(Snapshot), new byte[100_000]);
        Assert.That(test.Cache.LoadSnapshot(Snapshot).Entries, Is.EqualTo(3));
        test.Cache.SaveSnapshot(Snapshot);
        Assert.That(File.Exists(SnapshotWriter.NewName(Snapshot)), Is.False);
        Assert.That(new FileInfo(Snapshot).Length, Is.EqualTo(whole.Length));
        using TestCache other = new();
        Assert.That(other.Cache.LoadSnapshot(Snapshot).Entries, Is.EqualTo(3));
    }

    [Test]
    public void ASaveThatFailsOrIsCancelledLeavesTheOlderFile()
    {
        byte[] whole = SmallFile();
        using TestCache test = new();
        test.Set("newer", [1]);
        using (FileStream other = new(SnapshotWriter.NewName(Snapshot), FileMode.Create, FileAccess.Write, FileShare.None))
            Assert.That(() => test.Cache.SaveSnapshot(Snapshot), Throws.InstanceOf<IOException>(), "another writer is at it");
        Assert.That(test.Cache.Snapshots.Failure, Is.Not.Null);
        File.Delete(SnapshotWriter.NewName(Snapshot));
        Assert.That(
            () => test.Cache.SaveSnapshot(Snapshot, new CancellationToken(canceled: true)),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(
            () => test.Cache.SaveSnapshot(PathOf("none/cache.snapshot")), Throws.InstanceOf<DirectoryNotFoundException>());
        Assert.That(File.ReadAllBytes(Snapshot), Is.EqualTo(whole));
        Assert.That(Directory.GetFiles(Folder), Has.Length.EqualTo(1), "nothing else is left");
        test.Cache.SaveSnapshot(Snapshot);
        Assert.That(test.Cache.Snapshots.Failure, Is.Null, "the next one that works clears it");
    }

    [Test]
    public void OnlyTheOwnerMayReadIt()
    {
        SmallFile();
        if (!OperatingSystem.IsWindows())
            Assert.That(File.GetUnixFileMode(Snapshot), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Test]
    public async Task OthersGoOnWhileItIsWritten()
    {
        using TestCache test = new(capacityBytes: 16 << 20);
        for (int i = 0; i < 1500; i++) test.Set($"stays {i}", Value(i, 4000));
        using CancellationTokenSource stop = new();
        Task writer = Task.Run(() =>
        {
            DistributedCacheEntryOptions options = new();
            for (int i = 0; !stop.IsCancellationRequested; i++) test.Cache.Set($"moves {i % 100}", Value(i, i % 9000), options);
        });
        for (int i = 0; i < 5; i++) await test.Cache.SaveSnapshotAsync(Snapshot);
        await stop.CancelAsync();
        await writer;
        using TestCache second = new(capacityBytes: 32 << 20);
        second.Cache.LoadSnapshot(Snapshot);
        for (int i = 0; i < 1500; i++) Assert.That(second.Cache.Get($"stays {i}"), Is.EqualTo(Value(i, 4000)));
    }

    private void AssertRefused(TestCache test, string what)
    {
        Assert.That(
            () => test.Cache.LoadSnapshot(Snapshot),
            Throws.TypeOf<InvalidDataException>(), what);
        Assert.That((test.Cache.Statistics.Items, test.Cache.Get("present")), Is.EqualTo((1L, new byte[] { 9 })), what);
    }

    private byte[] SmallFile()
    {
        using TestCache test = new();
        for (int i = 0; i < 3; i++) test.Set($"k{i}", Value(i, 20), seconds: 1_000_000, sliding: 500_000);
        test.Cache.SaveSnapshot(Snapshot);
        return File.ReadAllBytes(Snapshot);
    }
}
