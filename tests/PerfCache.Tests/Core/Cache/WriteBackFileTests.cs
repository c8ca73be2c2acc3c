// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: what is written through the cache is what a file holds afterwards, to the byte.</summary>
[TestFixture]
public sealed class WriteBackFileTests : FolderFixture
{
    private const int PageBytes = 4096;
    private const int ShortBytes = 100;

    [Test]
    public async Task ChangesReachTheFileAndItsLengthStays(
        [Values] bool canGrow, [Values(DirectIo.Off, DirectIo.IfPossible)] DirectIo directIo)
    {
        byte[] expected = MakeFile(pages: 200);
        using FilePageSource file = FilePageSource.Open(PathOf("data"), new() { CanGrow = canGrow, DirectIo = directIo });
        using (PageCache<LinuxRules<Linux6>> cache = New())
        {
            ObjectId owner = cache.AddObject(file);
            Random random = TestSeed.Random(5);
            for (int i = 0; i < 2000; i++)
            {
                int page = random.Next(201);
                using WriteLease lease = cache.GetForWrite(owner, (ulong)page);
                int at = random.Next(page == 200 ? ShortBytes : PageBytes);
                lease.Span[at] = expected[(page * PageBytes) + at] = (byte)i;
            }

            await cache.FlushAsync();
            Assert.That(cache.DirtyCount, Is.Zero);
            cache.Validate();
        }

        Assert.That(File.ReadAllBytes(PathOf("data")).AsSpan().SequenceEqual(expected), Is.True);
    }

    [Test]
    public async Task AFileThatMayGrowEndsBehindItsLastByteThatIsNotZero()
    {
        MakeFile(pages: 3);
        using FilePageSource file = FilePageSource.Open(PathOf("data"), new() { CanGrow = true });
        using PageCache<LinuxRules<Linux6>> cache = New();
        ObjectId owner = cache.AddObject(file, pageCountMax: 64);
        using (WriteLease lease = cache.GetForWrite(owner, 3)) lease.Span[ShortBytes + 50] = 7;
        await cache.FlushAsync();
        Assert.That(new FileInfo(PathOf("data")).Length, Is.EqualTo((3 * PageBytes) + ShortBytes + 51));

        using (WriteLease lease = cache.GetForWrite(owner, 3)) lease.Span[1] = 8;
        using (WriteLease lease = cache.GetForWrite(owner, 4)) lease.Span[2] = 9;
        await cache.FlushAsync();
        byte[] bytes = File.ReadAllBytes(PathOf("data"));
        Assert.That(bytes, Has.Length.EqualTo(5 * PageBytes), "a page behind the end is a whole one");
        Assert.That(bytes[(3 * PageBytes) + 1], Is.EqualTo(8));
        Assert.That(bytes[(3 * PageBytes) + ShortBytes + 50], Is.EqualTo(7));
        Assert.That(bytes[(4 * PageBytes) + 2], Is.EqualTo(9));
        cache.Validate();
    }

    private static PageCache<LinuxRules<Linux6>> New() => new(
        PageCacheOptions.ForFrames(64) with { WriteBack = new() { FlushInterval = TimeSpan.FromMilliseconds(1) } },
        new LinuxRules<Linux6>());

    private byte[] MakeFile(int pages)
    {
        byte[] bytes = new byte[(pages * PageBytes) + ShortBytes];
        new Random(1).NextBytes(bytes);
        File.WriteAllBytes(PathOf("data"), bytes);
        return bytes;
    }
}
