// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Remote.Borrowing;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>Goal: the catalogue is small, bounded, and finds exactly what was added and not removed.</summary>
[TestFixture]
public sealed class RemoteCatalogueTests
{
    [TestCase(1_000)]
    [TestCase(100_000)]
    [TestCase(1_000_000)]
    public void APageCostsAtMost24BytesAndAllOfTheCapacityFits(int pages)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        RemoteCatalogue catalogue = new(pages, seed: 42);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        int displaced = 0;
        for (int i = 0; i < pages; i++)
            if (catalogue.Add(new PageKey(new ObjectId(3), (ulong)i * 7), (uint)i, i % 32, out _)) displaced++;
        TestContext.Out.WriteLine(
            $"{(double)catalogue.Bytes / pages:0.00} bytes a page, {(double)allocated / pages:0.00} with heads, {displaced} displaced");
        Assert.That(catalogue.Bytes, Is.LessThanOrEqualTo(24L * pages));
        Assert.That(allocated, Is.LessThanOrEqualTo((24L * pages) + 64 * 1024));
        Assert.That(catalogue.Count, Is.GreaterThanOrEqualTo(pages * 0.99));
        Assert.That(catalogue.Count + displaced, Is.EqualTo(pages));
    }

    [Test]
    public void ItAgreesWithADictionaryButForWhatItDisplaces([Values(1, 2, 3)] int seed)
    {
        Random random = TestSeed.Random(seed);
        RemoteCatalogue catalogue = new(200, (ulong)random.NextInt64());
        Dictionary<PageKey, RemoteEntry> model = [];
        uint generation = uint.MaxValue - 500;
        for (int step = 0; step < 50_000; step++)
        {
            PageKey page = new(new ObjectId((uint)random.Next(3)), (ulong)random.Next(120));
            bool known = model.TryGetValue(page, out RemoteEntry expected);
            switch (random.Next(6))
            {
                case 0 or 1 when !known:
                    if (catalogue.Add(page, ++generation, random.Next(32), out (PageKey Page, RemoteEntry Entry) displaced))
                        Assert.That(model.Remove(displaced.Page, out RemoteEntry gone) && gone == displaced.Entry);
                    Assert.That(catalogue.TryFind(page, out RemoteEntry added));
                    Assert.That(added.Generation, Is.EqualTo(generation));
                    model[page] = added;
                    break;
                case 2:
                    ulong checksum = (ulong)random.NextInt64();
                    bool sends = catalogue.TryAdvance(page, expected.Generation, RemoteState.Sent, checksum);
                    Assert.That(sends, Is.EqualTo(known && expected.State == RemoteState.Queued));
                    if (sends) model[page] = expected with { Checksum = checksum, State = RemoteState.Sent };
                    break;
                case 3:
                    bool stores = catalogue.TryAdvance(page, expected.Generation, RemoteState.Stored);
                    Assert.That(stores, Is.EqualTo(known && expected.State == RemoteState.Sent));
                    if (stores) model[page] = expected with { State = RemoteState.Stored };
                    Assert.That(catalogue.TryAdvance(page, expected.Generation - 1, RemoteState.Stored), Is.False);
                    break;
                case 4:
                    Assert.That(catalogue.TryRemove(page, expected.Generation - 1), Is.False, "another generation");
                    Assert.That(catalogue.TryRemove(page, out RemoteEntry removed), Is.EqualTo(known));
                    Assert.That(removed, Is.EqualTo(expected));
                    model.Remove(page);
                    break;
                default:
                    Assert.That(catalogue.TryFind(page, out RemoteEntry found), Is.EqualTo(known));
                    Assert.That(found, Is.EqualTo(expected));
                    break;
            }

            if (step % 5_000 == 4_999) RemoveSome(catalogue, model, random);
            Assert.That(catalogue.Count, Is.EqualTo(model.Count));
        }
    }

    private static void RemoveSome(RemoteCatalogue catalogue, Dictionary<PageKey, RemoteEntry> model, Random random)
    {
        int server = random.Next(32);
        PageKey[] ofServer = [.. model.Where(one => one.Value.Server == server).Select(one => one.Key)];
        Assert.That(catalogue.RemoveServer(server), Is.EqualTo(ofServer.Length));
        foreach (PageKey page in ofServer) model.Remove(page);
        PageKey first = new(new ObjectId(1), 30), last = new(new ObjectId(1), 70);
        PageKey[] ofRange = [.. model.Keys.Where(page => page.Packed >= first.Packed && page.Packed <= last.Packed)];
        Assert.That(catalogue.RemoveRange(first, last), Is.EqualTo(ofRange.Length));
        foreach (PageKey page in ofRange) model.Remove(page);
    }
}
