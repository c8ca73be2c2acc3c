// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.InteropServices;
using PerfCache.Cli.Bench;
using PerfCache.Tests.Repository;

namespace PerfCache.Tests.Bench;

/// <summary>
/// Goal: a floor that cut a corner would flatter or slander everything measured against it, so both floors
/// must be exact LRU. Method: seeded workloads, compared with a list and a dictionary that nobody can get
/// wrong.
/// </summary>
internal sealed unsafe class LruFloorTests
{
    private static readonly (int Pages, int Frames, int Requests, double Alpha, ulong Seed)[] s_workloads =
    [
        (1, 1, 10, 1.0, 1),
        (2, 1, 100, 1.0, 2),
        (3, 2, 1_000, 0.0, 3),
        (10, 3, 10_000, 0.5, 4),
        (10, 10, 1_000, 1.0, 5),
        (10, 50, 1_000, 1.0, 6),
        (1_000, 100, 50_000, 1.0, 7),
        (1_000, 999, 50_000, 0.0, 8),
        (20_000, 1_500, 100_000, 1.2, 9),
    ];

    [TestCaseSource(nameof(Workloads))]
    public void TheManagedFloorMissesWhatANaiveLruMisses(
        int pages, int frames, int requestCount, double alpha, ulong seed)
    {
        uint[] requests = FloorWorkload.Zipf(pages, requestCount, alpha, seed);
        LruFloor floor = new(pages, frames);
        long expected = NaiveLruMisses(requests, frames);

        Assert.That(floor.Run(requests), Is.EqualTo(expected));
        floor.Reset();
        Assert.That(floor.Run(requests), Is.EqualTo(expected), "after Reset the cache must be empty again");
    }

    [Test]
    public void ThePassBoundsItsPages()
    {
        LruFloor floor = new(pageCount: 10, frameCount: 2);
        Assert.That(() => floor.Run([9, 10]), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void TheCFloorMissesWhatANaiveLruMisses()
    {
        string folder = Directory.CreateTempSubdirectory("perfcache-floor-").FullName;
        try
        {
            string library = Path.Combine(folder, "liblru_floor.so");
            CompileCFloor(library);
            nint handle = NativeLibrary.Load(library);
            nint address = NativeLibrary.GetExport(handle, "lru_floor");
            var floor = (delegate* unmanaged<uint*, ulong, uint, uint, ulong>)address;
            foreach ((int pages, int frames, int requestCount, double alpha, ulong seed) in s_workloads)
            {
                uint[] requests = FloorWorkload.Zipf(pages, requestCount, alpha, seed);
                ulong misses;
                fixed (uint* first = requests)
                    misses = floor(first, (ulong)requests.Length, (uint)pages, (uint)frames);
                long expected = NaiveLruMisses(requests, frames);
                Assert.That((long)misses, Is.EqualTo(expected), $"pages {pages}, frames {frames}");
            }

            NativeLibrary.Free(handle);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public void TheWorkloadIsZipfAndScattered()
    {
        const int Pages = 1_000;
        const int Requests = 200_000;
        int[] counts = new int[Pages];
        foreach (uint page in FloorWorkload.Zipf(Pages, Requests, alpha: 1.0, seed: 42)) counts[page]++;
        int hottest = Array.IndexOf(counts, counts.Max());
        int[] byRank = [.. counts.OrderDescending()];
        double harmonic = Enumerable.Range(1, Pages).Sum(rank => 1.0 / rank);

        Assert.That(byRank[0], Is.EqualTo(Requests / harmonic).Within(3).Percent);
        Assert.That(byRank[9], Is.EqualTo(Requests / harmonic / 10).Within(10).Percent);
        Assert.That(hottest, Is.Not.Zero, "ranks must be scattered over the page numbers");
        Assert.That(
            FloorWorkload.Zipf(Pages, 100, 1.0, seed: 42), Is.EqualTo(FloorWorkload.Zipf(Pages, 100, 1.0, seed: 42)));
    }

    private static IEnumerable<object[]> Workloads() =>
        s_workloads.Select(w => new object[] { w.Pages, w.Frames, w.Requests, w.Alpha, w.Seed });

    private static long NaiveLruMisses(uint[] requests, int frames)
    {
        LinkedList<uint> order = new();
        Dictionary<uint, LinkedListNode<uint>> resident = [];
        long misses = 0;
        foreach (uint page in requests)
        {
            if (resident.Remove(page, out LinkedListNode<uint>? found)) order.Remove(found);
            else misses++;
            resident.Add(page, order.AddFirst(page));
            if (order.Count <= frames) continue;
            resident.Remove(order.Last!.Value);
            order.RemoveLast();
        }

        return misses;
    }

    private static void CompileCFloor(string library)
    {
        string source = RepositoryTree.PathOf("native/baselines/lru_floor.c");
        ProcessStartInfo start = new("gcc", ["-std=c17", "-O2", "-shared", "-fPIC", source, "-o", library])
        {
            RedirectStandardError = true,
        };
        Process compiler;
        try
        {
            compiler = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Ignore("gcc is not installed, so the C floor cannot be compiled");
            return;
        }

        using (compiler)
        {
            string complaints = compiler.StandardError.ReadToEnd();
            compiler.WaitForExit();
            Assert.That(compiler.ExitCode, Is.Zero, complaints);
        }
    }
}
