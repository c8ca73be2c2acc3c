// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Tests.Simulation.Workloads;

internal sealed class WorkloadTests
{
    private static readonly string[] s_all =
    [
        "zipf:objects=1000,alpha=0.9,requests=5000,seed=7", "uniform:objects=1000,requests=5000,seed=7",
        "loop:objects=1000,requests=5000", "scan:objects=5000",
        "scanhot:hot=100,alpha=0.7,scanshare=0.35,requests=5000,seed=7",
        "shift:objects=100,alpha=0.5,period=700,requests=5000,seed=7",
    ];

    private static ulong[] Ids(string text, int spanLength = 4096)
    {
        RequestGenerator generator = Workload.TryParse(text)!.Start();
        var ids = new List<ulong>();
        var span = new ulong[spanLength];
        while (generator.Fill(span) is int count and > 0)
            ids.AddRange(span.AsSpan(0, count));
        Assert.That(generator.Position, Is.EqualTo(generator.Length).And.EqualTo(ids.Count));
        return [.. ids];
    }

    [TestCaseSource(nameof(s_all))]
    public void TheRequestsDoNotDependOnHowTheyAreFetched(string text)
    {
        ulong[] expected = Ids(text);
        Assert.That(expected, Has.Length.EqualTo(5000));
        Assert.That(Ids(text, 1).AsSpan().SequenceEqual(expected), Is.True);
        Assert.That(Ids(text, 333).AsSpan().SequenceEqual(expected), Is.True);
    }

    [TestCaseSource(nameof(s_all))]
    public void AWorkloadIsATrace(string text)
    {
        using ITraceReader reader = TraceSource.Parse(text).Open();
        var block = new TraceBlock(capacity: 4000);
        Assert.That(reader.Progress, Is.Zero);
        Assert.That(reader.Read(block), Is.True);
        Assert.That(reader.Progress, Is.EqualTo(0.8));
        Assert.That(reader.Read(block), Is.True);
        Assert.That(block.Count, Is.EqualTo(1000));
        Assert.That(reader.Read(block), Is.False);
    }

    [TestCase("zipf:objects=1000,requests=100,seed=", true)]
    [TestCase("uniform:objects=1000,requests=100,seed=", true)]
    [TestCase("shift:objects=1000,requests=100,seed=", true)]
    public void AnotherSeedIsAnotherWorkload(string text, bool differs) =>
        Assert.That(Ids(text + "1").SequenceEqual(Ids(text + "2")), Is.EqualTo(!differs));

    /// <summary>The first requests of seed 1 are part of the contract: reports name a seed and mean
    /// these.</summary>
    [TestCase("uniform:objects=1000,requests=5,seed=1", "702 520 574 391 697")]
    [TestCase("zipf:objects=1000,requests=5,seed=1", "462 677 52 334 106")]
    [TestCase("zipf:objects=1000,requests=5,seed=1,scatter=false", "3 10 574 391 697")]
    [TestCase("zipf:objects=5000000,requests=5,seed=1", "4676476 4865837 3429065 1259286 4556209")]
    [TestCase("scanhot:hot=1000,requests=5,seed=1", "366 638 1000 334 106")]
    [TestCase("shift:objects=1000,period=3,requests=5,seed=1", "366 638 52 1334 1106")]
    public void ASeedMeansTheseRequests(string text, string expected) =>
        Assert.That(string.Join(' ', Ids(text)), Is.EqualTo(expected));

    [Test]
    public void LoopAndScan()
    {
        Assert.That(Ids("loop:objects=3,requests=7"), Is.EqualTo(new ulong[] { 0, 1, 2, 0, 1, 2, 0 }));
        Assert.That(Ids("scan:objects=4"), Is.EqualTo(new ulong[] { 0, 1, 2, 3 }));
        Assert.That(Ids("scan:objects=4,requests=2"), Is.EqualTo(new ulong[] { 0, 1 }));
    }

    [Test]
    public void TheScanOfScanHotComesOnceAndMakesItsShare()
    {
        ulong[] ids = Ids("scanhot:hot=1000,scanshare=0.35,requests=200000");
        ulong[] scan = [.. ids.Where(id => id >= 1000)];
        Assert.That(scan, Is.EqualTo(Enumerable.Range(1000, scan.Length).Select(id => (ulong)id)));
        Assert.That(scan.Length / 200_000.0, Is.EqualTo(0.35).Within(0.005));
        Assert.That(ids.Where(id => id < 1000).Distinct().Count(), Is.EqualTo(1000));
    }

    [Test]
    public void ShiftReplacesTheWholeWorkingSet()
    {
        ulong[] ids = Ids("shift:objects=50,period=1000,requests=3000");
        for (int set = 0; set < 3; set++)
            Assert.That(ids.AsSpan(set * 1000, 1000).ToArray().Distinct().Order(),
                Is.EqualTo(Enumerable.Range(set * 50, 50).Select(id => (ulong)id)));
    }

    [Test]
    public void DefaultsAreWhatTheHelpSays()
    {
        foreach (WorkloadInfo info in Workload.Kinds)
        {
            Workload bare = Workload.TryParse(info.Name + ":")!;
            Workload spelledOut = Workload.TryParse($"{info.Name}:{info.Parameters}")!;
            Assert.That(bare.Kind, Is.EqualTo(info.Name));
            Assert.That(bare.Requests, Is.EqualTo(spelledOut.Requests).And.GreaterThan(0));
        }
    }

    [TestCase("zipf")]
    [TestCase("zipf.txt")]
    [TestCase("Zipf:objects=1")]
    [TestCase(":")]
    public void OtherTextsAreNoWorkload(string text) => Assert.That(Workload.TryParse(text), Is.Null);

    [TestCase("zipf:size=5", "there is no parameter 'size'")]
    [TestCase("zipf:objects=0", "objects=0 is not a whole number from 1 to 1099511627776")]
    [TestCase("zipf:objects=-3", "objects=-3 is not a whole number from 1 to 1099511627776")]
    [TestCase("zipf:objects=ten", "objects=ten is not a whole number")]
    [TestCase("zipf:objects=99999999999999999999", "is not a whole number")]
    [TestCase("zipf:alpha=-1", "alpha=-1 is not a number from 0 to 20")]
    [TestCase("zipf:alpha=NaN", "alpha=NaN is not a number from 0 to 20")]
    [TestCase("zipf:scatter=maybe", "scatter=maybe is neither true nor false")]
    [TestCase("zipf:seed=-1", "seed=-1 is not a number from 0 to 18446744073709551615")]
    [TestCase("zipf:objects", "'objects' is not NAME=VALUE")]
    [TestCase("zipf:objects=1,objects=2", "'objects' is there twice")]
    [TestCase("scan:objects=5,requests=6", "a scan of 5 objects has no more than so many requests")]
    [TestCase("scanhot:scanshare=35", "scanshare=35 is not a number from 0 to 1")]
    [TestCase("shift:objects=1099511627776,period=1,requests=1000000000", "need ids beyond 64 bits")]
    public void WhatIsWrongIsSaidWithTheParameters(string text, string expected)
    {
        string message = Assert.Throws<TraceFormatException>(() => Workload.TryParse(text))!.Message;
        WorkloadInfo info = Workload.Kinds.Single(kind =>
            text.StartsWith(kind.Name + ":", StringComparison.Ordinal));
        Assert.That(message, Does.StartWith($"{text}: ").And.Contain(expected));
        Assert.That(message,
            Does.EndWith($"; the parameters and defaults are {info.Name}:{info.Parameters}"));
    }
}
