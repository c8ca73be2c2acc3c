// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;
using PerfCache.Tests.Judges;

namespace PerfCache.Tests.Simulation.Traces;

/// <summary>
/// The public traces beside the repository against what their own table says of them.
/// </summary>
internal sealed class SharedTraceTests
{
    [TestCase("cloudPhysicsIO.oracleGeneral.bin", "auto", "oracle", 113872, 48974)]
    [TestCase("cloudPhysicsIO.vscsi", "auto", "vscsi", 113872, 48974)]
    [TestCase("cloudPhysicsIO.csv.gz", "auto", "csv", 113872, 48974)]
    [TestCase("cloudPhysicsIO.txt.gz", "auto", "text", 113872, 48974)]
    [TestCase("lirs-sprite.trc.gz", "lirs", "lirs", 133996, 7075)]
    [TestCase("lirs-sprite.oracleGeneral.bin.gz", "auto", "oracle", 133996, 7075)]
    [TestCase("lirs-multi1.trc.gz", "auto", "text", 15858, 2606)]
    [TestCase("lirs-2_pools.trc.gz", "auto", "text", 100000, 9939)]
    [TestCase("lirs-cs.trc.gz", "auto", "text", 6781, 1409)]
    [TestCase("lirs-scan.trc.gz", "auto", "text", 50025, 2001)]
    [TestCase("corda-vaultservice.trace.gz", "be64", "be64", 135702, 90468)]
    [TestCase("cache2k-web07.trace.gz", "be32", "be32", 76118, 20484)]
    [TestCase("cache2k-orm-night-1m.trace.gz", "be32", "be32", 1000000, 41350)]
    [TestCase("address-gcc.trace.gz", "auto", "address", 515683, 35070)]
    [TestCase("arc-P12-100klines.lis.gz", "auto", "arc", 2174770, 652009)]
    public void RequestsAndDistinctPages(
        string name, string format, string detected, int requests, int distinct)
    {
        ITraceSource source = TraceSource.Parse(JudgeFiles.Require("traces", name), new TraceOptions { Format = format });
        using ITraceReader reader = source.Open();
        Assert.That(reader.Format, Is.EqualTo(detected));
        List<ulong> ids = AllIds(reader);
        Assert.That(ids, Has.Count.EqualTo(requests));
        Assert.That(ids.Distinct().Count(), Is.EqualTo(distinct));
    }

    [Test]
    public void OneTraceInFourFormatsIsOneTrace()
    {
        string[] names =
        [
            "cloudPhysicsIO.txt.gz", "cloudPhysicsIO.oracleGeneral.bin", "cloudPhysicsIO.vscsi",
            "cloudPhysicsIO.csv.gz",
        ];
        List<ulong>[] ids = [.. names.Select(name =>
        {
            using ITraceReader reader = TraceSource.Parse(JudgeFiles.Require("traces", name)).Open();
            return AllIds(reader);
        })];
        Assert.That(ids[0].Take(3), Is.EqualTo(new ulong[] { 42932745, 42932746, 42932747 }));
        foreach (List<ulong> others in ids[1..])
            Assert.That(others.SequenceEqual(ids[0]), Is.True);
    }

    [Test]
    public void NextRequestsOfTheDerivedTraceAreWhereItSays()
    {
        ITraceSource source = TraceSource.Parse(JudgeFiles.Require("traces", "lirs-sprite.oracleGeneral.bin.gz"));
        List<Request> requests = TraceBytes.Read(source);
        var last = new Dictionary<ulong, long>();
        for (int i = requests.Count - 1; i >= 0; i--)
        {
            long expected = last.GetValueOrDefault(requests[i].Id, long.MaxValue);
            if (requests[i].Next != expected)
                Assert.Fail($"request {i + 1}: next is {requests[i].Next} and should be {expected}");
            last[requests[i].Id] = i + 1;
        }
    }

    [Test]
    public void ATraceOfFilesHasThem()
    {
        ITraceSource source = TraceSource.Parse(JudgeFiles.Require("kernel-oracle", "traces", "stream.txt.gz"));
        List<Request> requests = TraceBytes.Read(source);
        Assert.That(requests, Has.Count.EqualTo(250_000));
        Assert.That(requests[0], Is.EqualTo(new Request(0, File: 2)));
        Assert.That(source.FormatPage(2, 1), Is.EqualTo("2 1"));
        Assert.That(requests.Select(request => request.File).Distinct().Count(), Is.GreaterThan(16));
    }

    [TestCase("corda-vaultservice.trace.gz")]
    [TestCase("cache2k-web07.trace.gz")]
    [TestCase("cache2k-orm-night-1m.trace.gz")]
    public void HeaderlessStreamsAskForTheirFormat(string name)
    {
        ITraceSource source = TraceSource.Parse(JudgeFiles.Require("traces", name));
        Assert.That(TraceBytes.Error(() => source.Open()), Does.Contain("say --format be32, be64"));
    }

    private static List<ulong> AllIds(ITraceReader reader)
    {
        var block = new TraceBlock();
        var ids = new List<ulong>();
        while (reader.Read(block))
            ids.AddRange(block.Ids.AsSpan(0, block.Count));
        return ids;
    }
}
