// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Numa;

namespace PerfCache.GuestTests;

/// <summary>Moves end where they should, contents stay, and failures are told as they are.</summary>
internal static class MoveChecks
{
    internal static IReadOnlyList<GuestCheck> All { get; } =
    [
        new("moved-pages-are-on-their-target-with-their-contents", GuestKind.Any, _ => Moved()),
        new("a-huge-page-is-moved-by-one-address", GuestKind.Any, _ => HugePages()),
        new("a-status-that-lies-about-huge-pages-is-corrected", GuestKind.Any, _ => LyingStatus()),
        new("the-engine-brings-a-domain-home", GuestKind.Any, _ => Home()),
        new("a-page-is-whole-while-it-is-written-and-moved", GuestKind.Any, _ => UnderWriter()),
        new("what-cannot-be-moved-has-a-status-of-its-own", GuestKind.Any, _ => BadPages()),
        new("a-full-target-is-a-normal-failure-and-room-ends-it", GuestKind.Any, FullTarget),
    ];

    private static INumaSystem Machine => NumaSystem.OfThisMachine;

    private static int[] MemoryNodes => [.. NumaTopology.Read().MemoryNodes.Numbers];

    private static void Moved()
    {
        int[] nodes = MemoryNodes;
        using GuestMemory memory = new(1500);
        Expect.Equal(memory.Bind(NumaPlacement.Preferred(nodes[0])), 0, "error of the binding");
        memory.Touch(seed: 7);
        foreach (int node in nodes.Reverse())
        {
            int[] statuses = new int[memory.Pages];
            int[] targets = [.. Enumerable.Repeat(node, memory.Pages)];
            Expect.Equal(Machine.Move(memory.Addresses, targets, statuses), 0, "error of the move");
            Expect.Each<int>(statuses, _ => node, "statuses");
            Expect.Each<int>(memory.Nodes(), _ => node, "asked afterwards");
            memory.ExpectContents(7, $"after the move to node {node}");
        }
    }

    private static void HugePages()
    {
        int[] nodes = MemoryNodes;
        using GuestMemory memory = HugeMemory(nodes[0], hugePages: 4);
        int[] statuses = new int[4];
        Expect.Equal(Machine.Move(memory.HugeAddresses, [nodes[1], nodes[1], nodes[0], nodes[1]], statuses), 0, "error");
        Expect.Sequence(statuses, [nodes[1], nodes[1], nodes[0], nodes[1]], "statuses");
        Expect.Each<int>(memory.Nodes(), page => page / 512 == 2 ? nodes[0] : nodes[1], "each page of the huge pages");
        memory.ExpectContents(3, "after the move");
    }

    private static void LyingStatus()
    {
        // All 512 addresses of each huge page: the first moves it whole, and of one of the others the kernel says that
        // it is busy. Asked, all are on their target.
        int[] nodes = MemoryNodes;
        using GuestMemory memory = HugeMemory(nodes[0], hugePages: 2);
        int[] statuses = new int[memory.Pages];
        int[] targets = [.. Enumerable.Repeat(nodes[1], memory.Pages)];
        Expect.Equal(Machine.Move(memory.Addresses, targets, statuses), 0, "error of the move");
        int busy = statuses.Count(status => status == NumaStatus.Busy);
        Expect.Each<int>(memory.Nodes(), _ => nodes[1], "asked afterwards");
        Console.Out.WriteLine($"note: {busy} of {memory.Pages} statuses say busy of pages that were moved");

        // The same by the engine, from the other side: nothing counts as failed.
        using NumaEngine engine = new();
        MoveResult result = Run(engine, new MovePlan([new PageRun(memory.Address, memory.Bytes, nodes[0])]));
        Expect.Equal(result.Statistics.MovedPages, memory.Pages, "pages moved by the engine");
        Expect.Equal(result.Statistics.FailedPages.Count, 0, $"failures: {result.Statistics}");
        Expect.Equal(result.Statistics.Batches, 1, "batches: one address for each huge page");
        Expect.Each<int>(memory.Nodes(), _ => nodes[0], "after the engine");
    }

    private static void Home()
    {
        int[] nodes = MemoryNodes;
        using GuestMemory ordinary = new(3000);
        using GuestMemory huge = HugeMemory(nodes[0], hugePages: 3);
        Expect.Equal(ordinary.Bind(NumaPlacement.Interleave(nodes)), 0, "error of the binding");
        ordinary.Touch(seed: 5);
        using NumaEngine engine = new();
        NumaDomain domain = engine.AddDomain("guest", nodes[1]);
        NumaMemoryRange range = engine.AddRange(domain, ordinary.Address, ordinary.Bytes);
        engine.AddRange(domain, huge.Address, huge.Bytes);
        PlacementReport before = engine.Residency(domain);
        Expect.Equal(before.ResidentPages, ordinary.Pages + huge.Pages, $"pages on nodes: {before}");
        long away = before.FallbackPages;
        MovePlan plan = engine.PlanHome(domain);
        Expect.Equal(plan.Bytes, away * GuestMemory.PageBytes, "bytes of the plan");
        MoveResult result = Run(engine, plan);
        Expect.Equal(result.Statistics.MovedPages, away, $"moved: {result.Statistics}");
        Expect.Equal(engine.Residency(domain).FallbackPages, 0, $"away afterwards: {engine.Residency(domain)}");
        Expect.Each<int>(ordinary.Nodes(), _ => nodes[1], "ordinary pages");
        ordinary.ExpectContents(5, "after the way home");
        huge.ExpectContents(3, "after the way home");
        Expect.Equal(engine.Plan(range, nodes[1]).Bytes, 0, "bytes to move when all are home");
    }

    private static unsafe void UnderWriter()
    {
        int[] nodes = MemoryNodes;
        using GuestMemory memory = new(600);
        memory.Touch();
        using NumaEngine engine = new();
        bool stop = false;
        long rounds = 0;
        Thread writer = new(() =>
        {
            // Two words of a page are always equal, but for the moment between the two stores.
            for (long value = 1; !Volatile.Read(ref stop); value++)
            {
                for (int page = 0; page < memory.Pages; page++)
                {
                    long* words = (long*)(memory.Address + page * (nint)GuestMemory.PageBytes);
                    Expect.Equal(words[511], words[1], $"words of page {page}");
                    words[1] = value;
                    words[511] = value;
                }

                Volatile.Write(ref rounds, value);
            }
        });
        writer.Start();
        for (int turn = 0; turn < 6; turn++)
        {
            int target = nodes[turn % 2];
            MoveResult result = Run(engine, new MovePlan([new PageRun(memory.Address, memory.Bytes, target)]));
            Expect.Equal(
                result.Statistics.MovedPages + result.Statistics.FailedPages.Values.Sum(), memory.Pages,
                $"turn {turn}: {result.Statistics}");
        }

        Volatile.Write(ref stop, true);
        Expect.That(writer.Join(TimeSpan.FromSeconds(30)), "the writer ends");
        Expect.That(Volatile.Read(ref rounds) > 0, "the writer wrote");
    }

    private static void BadPages()
    {
        int[] nodes = MemoryNodes;
        using GuestMemory memory = new(4);
        // The system maps nothing so low. Memory that was given back would not do: somebody else gets its addresses.
        nint unmapped = GuestMemory.PageBytes;
        int[] statuses = new int[2];
        Expect.Equal(Machine.Query(0, [memory.Address, unmapped], statuses), 0, "error of the query");
        Expect.Sequence(statuses, [NumaStatus.NotTouched, NumaStatus.NotMapped], "untouched and unmapped");
        memory.Touch();
        Expect.Equal(
            Machine.Move([memory.Address], [999], statuses.AsSpan(0, 1)), -NumaStatus.NoSuchNode, "error for node 999");
        using NumaEngine engine = new();
        Expect.That(
            Expect.Throws<ArgumentException>(() => engine.AddDomain("lost", 9)).Contains("no node 9", StringComparison.Ordinal),
            "the complaint about node 9");
        MoveResult result = Run(engine, new MovePlan([new PageRun(unmapped, GuestMemory.PageBytes, nodes[1])]));
        Expect.Equal(result.Statistics.FailedPages.GetValueOrDefault(NumaStatus.NotMapped), 1, $"{result.Statistics}");
    }

    private static void FullTarget(GuestKind kind)
    {
        int[] nodes = MemoryNodes;
        int small = nodes[^1];
        using GuestMemory memory = new(6000);
        Expect.Equal(memory.Bind(NumaPlacement.Preferred(nodes[0])), 0, "error of the binding");
        memory.Touch(seed: 11);
        using NumaEngine engine = new(new NumaEngineOptions
        {
            Limits = new MoveLimits { RetriesMax = 1, BackOffMost = TimeSpan.FromMilliseconds(20) },
        });
        MovePlan plan = new([new PageRun(memory.Address, memory.Bytes, small)]);
        MoveResult full;
        using (PageMemory hog = FullNode.Fill(small, kind))
        {
            full = Run(engine, plan);
            Expect.That(full.Error == 0 && !full.IsCanceled, "the run ends as any other");
            Expect.That(full.Statistics.FailedPages.Values.Sum() > 0, $"some pages found no room: {full.Statistics}");
            Expect.Equal(
                full.Statistics.MovedPages + full.Statistics.FailedPages.Values.Sum(), memory.Pages,
                $"pages moved and failed: {full.Statistics}");
            Expect.Equal(
                memory.Nodes().LongCount(node => node == small), full.Statistics.MovedPages, "pages that are there");
            memory.ExpectContents(11, "after a move in part");
        }

        MoveResult room = Run(engine, plan);
        Expect.Equal(room.Statistics.MovedPages, memory.Pages, $"with room: {room.Statistics}");
        memory.ExpectContents(11, "after the move");
        Console.Out.WriteLine($"note: full: {full.Statistics}");
    }

    private static GuestMemory HugeMemory(int node, int hugePages)
    {
        GuestMemory memory = new(hugePages * 512, hugePages: true);
        Expect.Equal(memory.Bind(NumaPlacement.Bind(node)), 0, "error of the binding");
        memory.Touch(seed: 3);
        Expect.Each<int>(memory.Nodes(), _ => node, "bound");
        Expect.Equal(
            RangeUsage.TryMeasure((nuint)memory.Address, (nuint)memory.Bytes)?.HugePageBytes, memory.Bytes,
            "bytes in huge pages");
        return memory;
    }

    private static MoveResult Run(NumaEngine engine, MovePlan plan)
    {
        Task<MoveResult> run = engine.MoveAsync(plan);
        Expect.That(run.Wait(TimeSpan.FromSeconds(60)), "the run ends");
        return run.Result;
    }
}
