// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;
using PerfCache.Remote.Borrowing;
using PerfCache.Tests.Core.Cache;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>
/// Goal: whatever servers do, a reader sees the bytes that were written last. Method: random reads, writes, changes behind
/// the cache's back that are followed by Invalidate, evictions, puts, late deliveries and losses, against an array of the
/// last versions; one thread, so that a seed repeats the run. Then with each line of defence left out, which must be noticed.
/// </summary>
[TestFixture]
internal sealed class BorrowedModelTests
{
    private const int Pages = 60;
    private const int Frames = 16;
    private const int PageBytes = 4096;

    [Test]
    public void ReadersSeeTheLastBytesWrittenWhateverServersDo(
        [Values(1, 2, 3)] int seed, [Values] bool encrypts, [Values] bool lies)
    {
        BorrowedMemoryStatistics counts = Run<NoProbe>(seed, 20_000, BorrowCheck.None, lies ? 3 : 0, encrypts, out int wrong);
        Assert.That(wrong, Is.Zero);
        Assert.That(counts.Hits, Is.GreaterThan(200));
        Assert.That(counts.Wrong, lies ? Is.GreaterThan(100) : Is.Zero);
        Assert.That(counts.Gets, Is.EqualTo(counts.Hits + counts.Missing + counts.Expired + counts.Wrong));
    }

    [Test]
    public void WithoutTheChecksumALyingServerIsBelieved() =>
        Assert.That(WrongBytes<NoProbe>(BorrowCheck.Checksum, lieEvery: 3), Is.GreaterThan(0));

    [Test]
    public void WithoutTheChecksumALateServerIsHarmlessBecauseOfTheGeneration() =>
        Assert.That(WrongBytes<NoProbe>(BorrowCheck.Checksum, lieEvery: 0), Is.Zero);

    // Not for the server's sake only: a page that waits in the put pool would be taken for the version that follows it.
    [Test]
    public void WithoutTheGenerationAWaitingPageIsTakenForItsNextVersion(
        [Values(BorrowCheck.Generation, BorrowCheck.Checksum | BorrowCheck.Generation)] BorrowCheck omits) =>
        Assert.That(WrongBytes<NoProbe>(omits, lieEvery: 0), Is.GreaterThan(0));

    [Test]
    public void ACatalogueThatForgetsNothingBringsOldBytesBack() =>
        Assert.That(WrongBytes<NoProbe>(BorrowCheck.Forget, lieEvery: 0), Is.GreaterThan(0));

    [Test]
    public void ACacheThatDoesNotTellOfWritesBringsOldBytesBack() =>
        Assert.That(WrongBytes<SilentWrites>(BorrowCheck.None, lieEvery: 0), Is.GreaterThan(0));

    private static int WrongBytes<TProbe>(BorrowCheck omits, int lieEvery) where TProbe : struct, ICacheProbe
    {
        Run<TProbe>(seed: 7, steps: 20_000, omits, lieEvery, encrypts: false, out int wrong);
        return wrong;
    }

    private static BorrowedMemoryStatistics Run<TProbe>(
        int seed, int steps, BorrowCheck omits, int lieEvery, bool encrypts, out int wrong)
        where TProbe : struct, ICacheProbe
    {
        Random random = TestSeed.Random(seed);
        FakeFleet fleet = null!;
        using Disposal<BorrowedMemory> borrowed = new(new BorrowedMemory(
            new BorrowedMemoryOptions
            {
                Servers = ["fake", "fake", "fake"],
                Encrypts = encrypts,
                Race = null,
                Omits = omits,
                HasSender = false,
            },
            listener => fleet = new FakeFleet(listener, random.Next(), servers: 3)
            {
                IsPrompt = false,
                LieEvery = lieEvery,
                RefuseEvery = 20,
            }));
        PageCacheOptions options = PageCacheOptions.ForFrames(Frames) with
        {
            BackgroundReclaim = false,
            Overflow = borrowed.Value,
        };
        StoredPages source = new();
        uint[] last = new uint[Pages];
        using PageCache<LinuxRules<Linux6>, TProbe> cache = new(options, new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source);
        wrong = 0;
        for (int step = 0; step < steps; step++)
        {
            int page = random.Next(Pages);
            switch (random.Next(20))
            {
                case 0 or 1:
                    using (WriteLease lease = cache.GetForWrite(owner, (ulong)page))
                    {
                        if (!VersionedPage.Is(lease.Span, page, last[page])) wrong++;
                        VersionedPage.Fill(lease.Span, page, ++last[page]);
                    }

                    break;
                case 2:
                    // Changed behind the cache's back; what was changed in the cache goes to the source first.
                    cache.FlushAsync(owner).Wait();
                    byte[] bytes = new byte[PageBytes];
                    VersionedPage.Fill(bytes, page, ++last[page]);
                    source.WriteAsync((ulong)page, [bytes], default).AsTask().Wait();
                    cache.Invalidate(owner, (ulong)page);
                    break;
                case 3:
                    if (random.Next(100) == 0) fleet.Lose();
                    break;
                case 4 or 5 or 6 or 7:
                    borrowed.Value.SendOne();
                    break;
                case 8 or 9 or 10 or 11:
                    fleet.Deliver();
                    break;
                case 12:
                    wrong += ReadMany(cache, owner, random, last);
                    break;
                default:
                    using (PageLease lease = cache.Get(owner, (ulong)page))
                        if (!VersionedPage.Is(lease.Span, page, last[page])) wrong++;
                    break;
            }
        }

        cache.Validate();
        return borrowed.Value.Statistics;
    }

    private static int ReadMany<TProbe>(
        PageCache<LinuxRules<Linux6>, TProbe> cache, ObjectId owner, Random random, uint[] last)
        where TProbe : struct, ICacheProbe
    {
        ulong first = (ulong)random.Next(Pages - 4);
        ulong[] pages = [first, first + 1, first + 3];
        PageLease[] leases = new PageLease[pages.Length];
        cache.GetManyAsync(owner, pages, leases).AsTask().Wait();
        int wrong = 0;
        for (int i = 0; i < pages.Length; i++)
        {
            if (!VersionedPage.Is(leases[i].Span, (int)pages[i], last[pages[i]])) wrong++;
            leases[i].Dispose();
        }

        return wrong;
    }

    /// <summary>A cache that changes pages without a word to the tier.</summary>
    private readonly struct SilentWrites : ICacheProbe
    {
        public static void At(CacheStep place)
        {
        }

        public static bool Omits(CacheCheck check) => check == CacheCheck.ForgetBeforeWrite;
    }
}

/// <summary>Ends what can only be ended asynchronously.</summary>
internal sealed class Disposal<T>(T value) : IDisposable where T : IAsyncDisposable
{
    public T Value => value;

    public void Dispose() => value.DisposeAsync().AsTask().Wait();
}
