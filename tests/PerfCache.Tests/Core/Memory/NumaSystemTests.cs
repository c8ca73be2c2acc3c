// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Memory;

/// <summary>
/// Goal: on any machine memory works, placed or plain, and why it is plain is said once. Method: the real calls on this
/// machine, and the same in a thread whose calls a filter of the kernel refuses. Where pages land on several nodes is
/// checked in emulated machines (Guests/GuestTests.cs).
/// </summary>
internal sealed unsafe class NumaSystemTests : FolderFixture
{
    private const int NotPermitted = 1;
    private const int NoSuchCall = 38;

    [TestCase(NotPermitted, "mbind is refused (error 1): a container's seccomp filter forbids it; allow ")]
    [TestCase(NoSuchCall, "mbind does not exist (error 38): a kernel without NUMA, or a filter of system calls")]
    public void Where_a_filter_refuses_the_calls_memory_is_plain_and_one_reason_is_kept(int error, string reason)
    {
        SkipUnlessLinuxOnX64();
        (string? found, int bound, int boundOfRange, string refused)? result = null;
        Exception? failure = null;
        Thread filtered = new(() =>
        {
            try
            {
                CallFilter.RefuseInThisThread(CallFilter.MbindOnX64, error);
                NumaSystem system = new(TwoNodes());
                using PageMemory memory = new(4, 4096, new MemoryMeter());
                memory.EnsureFrames(4);
                memory.Page(new FrameId(1)).Fill(1);
                result = (system.Reason, system.Bind((nint)memory.Address(new FrameId(1)), 4096, NumaPlacement.Bind(0)),
                    memory.Bind(new FrameId(2), 1, NumaPlacement.Bind(0)), memory.Describe().Refused[^1].Advice);
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        filtered.Start();
        Assert.That(filtered.Join(TimeSpan.FromSeconds(20)), Is.True);
        if (failure is PlatformNotSupportedException) Assert.Ignore(failure.Message);
        Assert.That(failure, Is.Null);
        Assert.That(result!.Value.found, Does.StartWith(reason));
        Assert.That(result.Value.bound, Is.EqualTo(NoSuchCall), "plain memory is never bound");
        Assert.That(result.Value.boundOfRange, Is.EqualTo(error).Or.EqualTo(NoSuchCall));
        Assert.That(result.Value.refused, Is.EqualTo("mbind bind:0"));
    }

    [Test]
    public void The_reason_is_the_first_that_holds()
    {
        NumaTopology two = TwoNodes();
        NumaTopology none = NumaTopology.Read(PathOf("nothing"));
        Assert.Multiple(() =>
        {
            Assert.That(NumaSystem.ReasonOf(false, false, "mbind", 38, two), Does.StartWith("only Linux's memory"));
            Assert.That(NumaSystem.ReasonOf(true, false, "mbind", 38, two), Does.Contain("known for x64 and arm64"));
            Assert.That(NumaSystem.ReasonOf(true, true, "move_pages", 5, two), Is.EqualTo("move_pages failed (error 5)"));
            Assert.That(NumaSystem.ReasonOf(true, true, "", 0, none), Is.EqualTo(none.Reason).And.Not.Null);
            Assert.That(NumaSystem.ReasonOf(true, true, "", 0, two), Is.Null);
        });
    }

    [Test]
    public void On_this_machine_pages_are_told_bound_or_not()
    {
        SkipUnlessCallsWork();
        int node = NumaTopology.Read().AllowedMemoryNodes.Numbers[^1];
        using PageMemory memory = new(600, 4096, new MemoryMeter(), new PageMemoryOptions { HugePages = HugePageUse.Never });
        memory.EnsureFrames(600);
        Assert.That(memory.Residency(new FrameId(1), 600).UntouchedPages, Is.EqualTo(600));
        PlacementReport report = memory.Place(new FrameId(101), 400, NumaPlacement.Bind(node), NodeFullPolicy.Fail);
        Assert.Multiple(() =>
        {
            Assert.That(report.PagesOnNode, Is.EqualTo(new Dictionary<int, long> { [node] = 400 }));
            Assert.That((report.FallbackPages, report.IsSampled, report.Error), Is.EqualTo((0, false, 0)));
            Assert.That(memory.Residency(new FrameId(1), 600).UntouchedPages, Is.EqualTo(200));
            Assert.That(memory.Bind(new FrameId(1), 600, NumaPlacement.Bind(1023)), Is.EqualTo(OsMemory.InvalidArgument));
            Assert.That(memory.Describe().Refused, Has.Member(new RefusedAdvice("mbind bind:1023", OsMemory.InvalidArgument)));
        });
    }

    [Test]
    public void A_thread_is_pinned_until_the_pin_is_disposed()
    {
        SkipUnlessCallsWork();
        NumaTopology topology = NumaTopology.Read();
        int cpu = topology.AllowedCpus.Numbers[^1];
        NumaCalls.GetAffinity(0, out NumberList before);
        using (ThreadPin pin = ThreadPin.ToCpus(cpu))
        {
            NumaCalls.GetAffinity(0, out NumberList during);
            Assert.That(during.Numbers, Is.EqualTo(new[] { cpu }));
            pin.Dispose();
            NumaCalls.GetAffinity(0, out NumberList after);
            Assert.That(after.Numbers, Is.EqualTo(before.Numbers), "and disposing twice changes nothing");
        }

        Assert.Multiple(() =>
        {
            Assert.That(() => ThreadPin.ToCpus(), Throws.ArgumentException);
            Assert.That(() => ThreadPin.ToCpus(-1), Throws.ArgumentException);
            Assert.That(() => ThreadPin.ToCpus(8191), Throws.ArgumentException.With.Message.Contains("may run on none of"));
            Assert.That(() => ThreadPin.ToNode(topology, 900), Throws.InstanceOf<ArgumentOutOfRangeException>());
        });
    }

    [Test]
    public void A_threads_placement_is_restored()
    {
        SkipUnlessCallsWork();
        int node = NumaTopology.Read().AllowedMemoryNodes.Numbers[0];
        NumaCalls.GetPolicy(out int modeBefore, out _);
        using (ThreadPlacement.Set(NumaPlacement.Preferred(node)))
        {
            NumaCalls.GetPolicy(out int mode, out NumberList nodes);
            Assert.That((mode, nodes.ToString()), Is.EqualTo((1, $"{node}")));
        }

        NumaCalls.GetPolicy(out int modeAfter, out _);
        Assert.That(modeAfter, Is.EqualTo(modeBefore));
        Assert.That(
            () => ThreadPlacement.Set(NumaPlacement.Bind(1023)),
            Throws.InvalidOperationException.With.Message.Contains("bind:1023"));
    }

    [Test]
    public void A_placement_needs_nodes_that_can_be()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => NumaPlacement.Bind(), Throws.ArgumentException);
            Assert.That(() => NumaPlacement.Preferred(-1), Throws.ArgumentException);
            Assert.That(() => NumaPlacement.Interleave(0, 1024), Throws.ArgumentException);
            Assert.That(NumaPlacement.Interleave(3, 1, 2, 1).ToString(), Is.EqualTo("interleave:1-3"));
            Assert.That(NumaPlacement.Local.ToString(), Is.EqualTo("local"));
            Assert.That(NumaPlacement.Preferred(0, 2).KernelMode, Is.EqualTo(5));
        });
    }

    [Test]
    public void A_sample_of_an_interleaved_range_tells_each_nodes_share()
    {
        NumaTopology topology = NumaTopology.Read(new MachineFiles(Folder).WithTiers().Root);
        ModelledNumaSystem system = new(topology, _ => 1 << 20);
        const long Pages = 1 << 18;
        Assert.That(system.Bind(1 << 30, Pages * 4096, NumaPlacement.Interleave(0, 1, 2, 3)), Is.Zero);
        system.Touch(1 << 30, Pages * 4096, fromNode: 0);
        PlacementReport report = PlacementReport.Measure(system, 1 << 30, Pages * 4096, NumaPlacement.Bind(0), 4096);
        Assert.That((report.Pages, report.AskedPages, report.IsSampled), Is.EqualTo((Pages, 4096, true)));
        for (int node = 0; node < 4; node++) Assert.That(report.ShareOn(node), Is.EqualTo(0.25).Within(0.03));
        Assert.That(report.ToString(), Does.StartWith("262,144 pages, by a sample of 4,096: ").And.Contains("not where"));
        PlacementReport all = PlacementReport.Measure(system, 1 << 30, Pages * 4096, NumaPlacement.Bind(0), int.MaxValue);
        Assert.That((all.FallbackPages, all.IsSampled), Is.EqualTo((Pages * 3 / 4, false)));
    }

    [Test]
    public void A_modelled_node_that_is_full_falls_back_by_distance()
    {
        NumaTopology topology = NumaTopology.Read(new MachineFiles(Folder).WithTiers().Root);
        ModelledNumaSystem system = new(topology, _ => 10);
        system.Bind(0, 1 << 20, NumaPlacement.Preferred(0));
        Assert.That(system.Touch(0, 25 * 4096, fromNode: 1), Is.Zero);
        PlacementReport report = PlacementReport.Measure(system, 0, 25 * 4096, NumaPlacement.Preferred(0));
        Assert.That(
            report.PagesOnNode, Is.EqualTo(new Dictionary<int, long> { [0] = 10, [1] = 5, [2] = 10 }), "17 is nearer than 21");
        system.Bind(1 << 30, 1 << 20, NumaPlacement.Bind(0));
        Assert.That(system.Touch(1 << 30, 4096, fromNode: 0), Is.EqualTo(1), "a bound page takes no other node");
        Assert.That(system.Bind(1 << 30, 4096, NumaPlacement.Bind(9)), Is.EqualTo(OsMemory.InvalidArgument));
    }

    private NumaTopology TwoNodes() => NumaTopology.Read(new MachineFiles(PathOf("two")).WithGap().Root);

    private static void SkipUnlessCallsWork()
    {
        if (!NumaCalls.AreKnown || NumaCalls.Probe().Error != 0)
            Assert.Ignore($"the calls do not work here: {NumaSystem.OfThisMachine.Reason}");
    }

    private static void SkipUnlessLinuxOnX64()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            Assert.Ignore("the filter is written for Linux on x64");
        SkipUnlessCallsWork();
    }
}
