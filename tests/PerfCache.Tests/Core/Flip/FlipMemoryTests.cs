// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Flip;

/// <summary>
/// Goal: each domain's frames are its own and on its node, what counts is where the system says that a page is, and a fence
/// takes access from its frames alone. Method: a system that says what the test tells it and remembers what it was asked;
/// for fences, the kernel reads the pages on the test's behalf, so that a forbidden one is an error and no fault.
/// </summary>
[TestFixture]
internal sealed class FlipMemoryTests
{
    private const int NoSuchNode = 22;

    private MemoryMeter _meter = null!;
    private ToldSystem _system = null!;

    [SetUp]
    public void Make() => (_meter, _system) = (new MemoryMeter(), new ToldSystem());

    [TearDown]
    public void NothingIsLeft() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void TheHomesLieOneBehindTheOtherEachOnItsNode()
    {
        using FlipMemory memory = new([new FlipHome(1, 3), new FlipHome(0, 5)], _system, _meter);
        Assert.That((memory.FrameCount, memory.First(0).Value, memory.First(1).Value), Is.EqualTo((8u, 1u, 4u)));
        Assert.That((memory.PageBytes, memory.Reason), Is.EqualTo((4096, (string?)null)));
        for (uint frame = 1; frame <= 8; frame++) memory.Page(new FrameId(frame)).Fill((byte)frame);
        for (uint frame = 1; frame <= 8; frame++)
        {
            Assert.That(memory.Page(new FrameId(frame)).IndexOfAnyExcept((byte)frame), Is.EqualTo(-1), $"frame {frame}");
            Assert.That(memory.NodeOf(new FrameId(frame)), Is.EqualTo(frame <= 3 ? 1 : 0), $"frame {frame}");
        }

        Assert.That(
            _system.Bound.Select(bound => (bound.Bytes, bound.Node)), Is.EqualTo(new[] { (3 * 4096L, 1), (5 * 4096L, 0) }));
        Assert.That(_system.Bound[1].Address - _system.Bound[0].Address, Is.EqualTo((nint)(3 * 4096)));
        Assert.That(_meter.OutstandingBytes, Is.AtLeast(8 * 4096));
        memory.Dispose();
        Assert.That(_meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void WhatIsNoHomeOrNoFrameIsRefused()
    {
        Assert.That(() => new FlipMemory(null!, _system, _meter), Throws.ArgumentNullException);
        Assert.That(() => new FlipMemory([new FlipHome(0, 1)], null!, _meter), Throws.ArgumentNullException);
        Assert.That(
            () => new FlipMemory([new FlipHome(0, 1), new FlipHome(0, 0)], _system, _meter),
            Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(
            () => new FlipMemory([new FlipHome(0, uint.MaxValue), new FlipHome(0, 2)], _system, _meter),
            Throws.TypeOf<OverflowException>());
        using FlipMemory memory = new([new FlipHome(0, 8)], _system, _meter);
        Assert.That(memory.Page(new FrameId(8)).Length, Is.EqualTo(4096));
        foreach (FrameId frame in (FrameId[])[FrameId.None, new FrameId(9)])
        {
            string message = $"{frame} is none of the 8 frames";
            Assert.That(
                () => memory.Page(frame).Length,
                Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains(message));
            Assert.That(() => memory.Refresh([frame], 0), Throws.TypeOf<ArgumentOutOfRangeException>());
            Assert.That(() => memory.TryFence(frame, 1, true), Throws.TypeOf<ArgumentOutOfRangeException>());
        }

        Assert.That(() => memory.TryFence(new FrameId(4), 0, true), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => memory.TryFence(new FrameId(4), 6, true), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void ANodeThatCannotBeBoundIsNamedAndNothingIsKept()
    {
        _system.BindError = NoSuchNode;
        Assert.That(
            () => new FlipMemory([new FlipHome(7, 2)], _system, _meter), Throws.TypeOf<NativeMemoryException>().With.Message
                .EqualTo("flip memory: 8192 bytes cannot be bound to node 7 (error 22)"));
        Assert.That(_meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void AModelWithoutPagesLeftIsNamedAndNothingIsKept()
    {
        NumaTopology topology = NumaTopology.Read().Emulate(NumaDistances.OfMatrix([[10, 20], [20, 10]]));
        ModelledNumaSystem full = new(topology, _ => 3);
        Assert.That(
            () => new FlipMemory([new FlipHome(1, 7)], full, _meter), Throws.TypeOf<NativeMemoryException>().With.Message
                .EqualTo("flip memory: the modelled node 1 has no 28672 bytes left"));
        Assert.That(_meter.OutstandingBytes, Is.Zero);
        using FlipMemory memory = new([new FlipHome(1, 5)], new ModelledNumaSystem(topology, _ => 3), _meter);
        FrameId[] frames = Frames(5);
        Assert.That(frames.Count(frame => memory.NodeOf(frame) == 1), Is.EqualTo(3), "the others found no room there");
        Assert.That(memory.Refresh(frames, 0), Is.EqualTo(2));
    }

    [Test]
    public void WhereMemoryIsPlainNothingIsAskedOfTheSystem()
    {
        _system.Reason = "one node";
        using FlipMemory memory = new([new FlipHome(3, 4)], _system, _meter);
        Assert.That((memory.Reason, memory.NodeOf(new FrameId(4))), Is.EqualTo(("one node", 3)));
        Assert.That(memory.Move(Frames(4), 1), Is.Zero);
        Assert.That((_system.Bound.Count, _system.Moves, _system.Queries), Is.EqualTo((0, 0, 0)));
    }

    [Test]
    public void WhatCountsIsWhereAPageIsAndNotWhatTheMoveSays()
    {
        using FlipMemory memory = new([new FlipHome(0, 4)], _system, _meter);
        FrameId[] frames = Frames(4);
        _system.Stays = 2;
        Assert.That(memory.Move(frames, 1), Is.EqualTo(3), "the call said that all went");
        Assert.That(frames.Select(memory.NodeOf), Is.EqualTo(new[] { 1, 1, 0, 1 }));
        Assert.That(memory.Move([frames[2], frames[0]], 0), Is.EqualTo(2));
        Assert.That(frames.Select(memory.NodeOf), Is.EqualTo(new[] { 0, 1, 0, 1 }));
        (int moves, int queries) = (_system.Moves, _system.Queries);
        Assert.That(memory.Move([], 1), Is.Zero);
        Assert.That((_system.Moves, _system.Queries), Is.EqualTo((moves, queries)), "none is no question");
    }

    [Test]
    public void ARefreshTellsWhereFramesAreNow()
    {
        using FlipMemory memory = new([new FlipHome(0, 4)], _system, _meter);
        FrameId[] frames = Frames(4);
        nint first = _system.Bound[0].Address;
        _system.NodeOfPage[first + 4096] = 2;
        _system.NodeOfPage[first + (2 * 4096)] = NumaStatus.NotTouched;
        Assert.That(frames.Select(memory.NodeOf), Is.All.EqualTo(0), "nobody has asked yet");
        Assert.That((memory.Refresh(frames, 0), memory.Refresh(frames, 2), memory.Refresh(frames, 5)), Is.EqualTo((2, 1, 0)));
        Assert.That(frames.Select(memory.NodeOf), Is.EqualTo(new[] { 0, 2, 0, 0 }), "what is nowhere stays where it was");
        _system.NodeOfPage[first] = 3;
        _system.QueryError = 1;
        Assert.That((memory.Refresh(frames, 0), memory.Move(frames, 3)), Is.EqualTo((0, 0)), "the answer means nothing");
        Assert.That(memory.NodeOf(frames[0]), Is.Zero);
    }

    [Test]
    [Platform("Linux")]
    public void AFenceTakesAccessFromItsFramesAlone()
    {
        using FlipMemory memory = new([new FlipHome(0, 8)], _system, _meter);
        foreach (FrameId frame in Frames(8)) memory.Page(frame).Fill((byte)frame.Value);
        Assert.That(memory.TryFence(new FrameId(3), 2, fenced: true), Is.True);
        Assert.That(Readable(memory), Is.EqualTo(new uint[] { 1, 2, 5, 6, 7, 8 }));
        Assert.That(memory.TryFence(new FrameId(4), 5, fenced: true), Is.True, "to the last one");
        Assert.That(Readable(memory), Is.EqualTo(new uint[] { 1, 2 }));
        Assert.That(memory.TryFence(new FrameId(1), 8, fenced: false), Is.True);
        Assert.That(Readable(memory), Is.EqualTo(new uint[] { 1, 2, 3, 4, 5, 6, 7, 8 }));
        foreach (FrameId frame in Frames(8)) Assert.That(memory.Page(frame)[4095], Is.EqualTo((byte)frame.Value));
    }

    private static FrameId[] Frames(int count) => [.. Enumerable.Range(1, count).Select(frame => new FrameId((uint)frame))];

    /// <summary>The frames that the kernel can read.</summary>
    private static List<uint> Readable(FlipMemory memory)
    {
        List<uint> readable = [];
        using FileStream file = new(
            Path.GetRandomFileName(), FileMode.CreateNew, FileAccess.Write, FileShare.None, 0, FileOptions.DeleteOnClose);
        for (uint frame = 1; frame <= memory.FrameCount; frame++)
        {
            try
            {
                RandomAccess.Write(file.SafeFileHandle, memory.Page(new FrameId(frame)), 0);
                readable.Add(frame);
            }
            catch (IOException)
            {
                // A bad address.
            }
        }

        return readable;
    }

    /// <summary>Moves all pages but one, says that all went, and tells where they are.</summary>
    private sealed class ToldSystem : INumaSystem
    {
        internal Dictionary<nint, int> NodeOfPage { get; } = [];

        internal List<(nint Address, long Bytes, int Node)> Bound { get; } = [];

        internal int Moves { get; private set; }

        internal int Queries { get; private set; }

        internal int BindError { get; set; }

        internal int QueryError { get; set; }

        /// <summary>Which of the addresses of the next move stays, or -1.</summary>
        internal int Stays { get; set; } = -1;

        public string? Reason { get; set; }

        public int PageBytes => 4096;

        public int Bind(nint address, long bytes, NumaPlacement placement)
        {
            if (BindError != 0) return BindError;
            int node = placement.Nodes.Numbers.Single();
            Bound.Add((address, bytes, node));
            for (long at = 0; at < bytes; at += PageBytes) NodeOfPage[address + (nint)at] = node;
            return 0;
        }

        public int Query(int process, ReadOnlySpan<nint> addresses, Span<int> statuses)
        {
            Queries++;
            for (int i = 0; i < addresses.Length; i++) statuses[i] = NodeOfPage[addresses[i]];
            return QueryError;
        }

        public int Move(ReadOnlySpan<nint> addresses, ReadOnlySpan<int> targets, Span<int> statuses)
        {
            Moves++;
            for (int i = 0; i < addresses.Length; i++)
            {
                statuses[i] = targets[i];
                if (i != Stays) NodeOfPage[addresses[i]] = targets[i];
            }

            Stays = -1;
            return 0;
        }
    }
}
