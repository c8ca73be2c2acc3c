// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>
/// Goal: what a page is called does not change what a policy does. Method: one workload with ids from 0 and again with
/// ids all over the 64 bits, written to a file, read and replayed: the same counts. For fifo and lru any one-to-one
/// renaming will do; linux-* must keep the pages of a leaf together, because the bound on shadows counts leaves.
/// </summary>
[TestFixture]
public sealed class SparseIdTests
{
    private string _path = "";

    [SetUp]
    public void MakePath() => _path = Path.GetTempFileName();

    [TearDown]
    public void RemoveFile() => File.Delete(_path);

    private static ulong Renamed(string shape, ulong id) => shape switch
    {
        "above 2^40" => (1UL << 40) + (id * 0x10_0000_0007),
        "hashed" => id * 0x9E37_79B9_7F4A_7C15,
        "from the top" => ulong.MaxValue - id,
        "top bits only" => id << 44,
        _ => throw new ArgumentException(shape, nameof(shape)),
    };

    /// <summary>As <see cref="Renamed"/>, but the pages of a leaf stay together, each in its place.</summary>
    private static ulong LeafRenamed(string shape, ulong id) => (Renamed(shape, id >> 6) << 6) | (id & 63);

    [Test]
    public void NamesOfPagesDoNotMatter([Values("above 2^40", "hashed", "from the top", "top bits only")] string shape)
    {
        ulong[] ids = Requests();
        AssertSameCounts("fifo,lru", ids, Array.ConvertAll(ids, id => Renamed(shape, id)));
    }

    [Test]
    public void NamesOfLeavesDoNotMatter([Values("above 2^40", "hashed", "from the top")] string shape)
    {
        ulong[] ids = Requests();
        ulong[] renamed = Array.ConvertAll(ids, id => LeafRenamed(shape, id));
        Assert.That(renamed.Distinct().Count(), Is.EqualTo(ids.Distinct().Count()), "one to one");
        AssertSameCounts("fifo,lru,linux-3.15,linux-6", ids, renamed);
    }

    /// <summary>A hot set, scans through it and a shift: hits, refaults, dropped shadows and deactivations.</summary>
    private static ulong[] Requests()
    {
        List<ulong> ids = [];
        foreach (string workload in new[]
        {
            "zipf:objects=4000,alpha=0.9,requests=40000,seed=7", "loop:objects=2500,requests=10000",
            "scanhot:hot=800,requests=30000,seed=3", "uniform:objects=30000,requests=20000,seed=5",
        })
        {
            RequestGenerator generator = Workload.TryParse(workload)!.Start();
            ulong[] part = new ulong[generator.Length];
            generator.Fill(part);
            ids.AddRange(part);
        }

        return [.. ids];
    }

    private void AssertSameCounts(string policies, ulong[] ids, ulong[] renamed)
    {
        Assert.That(renamed.Max(), Is.GreaterThan(1UL << 40));
        List<ReplayResult> expected = Replay(policies, ids);
        List<ReplayResult> found = Replay(policies, renamed);
        Assert.That(found, Is.EqualTo(expected));
        Assert.That(expected, Has.All.Property(nameof(ReplayResult.Evictions)).GreaterThan(1000));
    }

    private List<ReplayResult> Replay(string policies, ulong[] ids)
    {
        byte[] bytes = new byte[ids.Length * 8];
        for (int i = 0; i < ids.Length; i++) BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * 8), ids[i]);
        File.WriteAllBytes(_path, bytes);
        return [.. TraceReplay.Run(TraceSource.Parse(_path, new TraceOptions { Format = "le64" }), new ReplayOptions
        {
            Policies = PolicySpec.ParseList(policies),
            Sizes = CacheSize.ParseFrames("100,1000,3000"),
        }, null, CancellationToken.None).Select(result => result with { Seconds = 0, ReadSeconds = 0, MapBytes = 0 })];
    }
}
