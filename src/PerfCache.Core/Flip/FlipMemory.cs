// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Flip;

/// <summary>The frames that one domain begins with.</summary>
/// <param name="Node">The node that they come from: the domain's home.</param>
/// <param name="Frames">How many.</param>
public readonly record struct FlipHome(int Node, uint Frames);

/// <summary>
/// The page memory of domains that flip frames within one process: one range of addresses, each domain's part placed on
/// its home node. A frame keeps its address for ever; what changes is who owns it, and, when it is moved, its node.
/// </summary>
/// <remarks>
/// The node of each frame is kept in a byte, so that policies may ask at any time; the system is asked when memory is
/// placed and after each move, because a move may report success for a page that stayed, and failure for one that went.
/// Isolation is a mode of use: <see cref="TryFence"/> takes every access to an extent away while it changes hands, so
/// that a late write of the former owner faults instead of spoiling the new owner's page. One system call for an extent,
/// hence extents of 2 MiB: for single pages it costs more than a copy.
/// <para>H1: the frames of home h are <see cref="First"/>(h) and the following, as many as it was made with.</para>
/// Reading is thread-safe; a frame is moved or fenced by its owner.
/// </remarks>
public sealed unsafe class FlipMemory : IDisposable
{
    /// <summary>Frames of an extent that is fenced at once, for pages of 4 KiB: 2 MiB.</summary>
    public const uint ExtentFrames = 512;

    private readonly PageMemory _pages;
    private readonly INumaSystem _system;
    private readonly uint[] _first;
    private readonly byte[] _nodes;

    /// <summary>Maps memory, places it, and touches every page.</summary>
    /// <param name="homes">The domains' parts, in order.</param>
    /// <param name="system">What places and moves memory, or its model.</param>
    /// <param name="meter">The meter to charge.</param>
    /// <exception cref="NativeMemoryException">The memory cannot be had, or not on that node.</exception>
    public FlipMemory(IReadOnlyList<FlipHome> homes, INumaSystem system, MemoryMeter meter)
    {
        ArgumentNullException.ThrowIfNull(homes);
        ArgumentNullException.ThrowIfNull(system);
        _system = system;
        _first = new uint[homes.Count];
        uint count = 0;
        for (int i = 0; i < homes.Count; i++)
        {
            ArgumentOutOfRangeException.ThrowIfZero(homes[i].Frames);
            _first[i] = count + 1;
            count = checked(count + homes[i].Frames);
        }

        FrameCount = count;
        _nodes = new byte[count + 1];
        // Ordinary pages: a huge one could not be on two nodes, and frames move one by one.
        _pages = new PageMemory(count, system.PageBytes, meter, new PageMemoryOptions { HugePages = HugePageUse.Never });
        try
        {
            _pages.EnsureFrames(count);
            for (int i = 0; i < homes.Count; i++) Place(_first[i], homes[i]);
        }
        catch
        {
            _pages.Dispose();
            throw;
        }
    }

    /// <summary>All frames: 1 to this number.</summary>
    public uint FrameCount { get; }

    /// <summary>Bytes of a page.</summary>
    public int PageBytes => _pages.PageBytes;

    /// <summary>Why placement means nothing here; null where it is real or modelled.</summary>
    public string? Reason => _system.Reason;

    /// <summary>The first frame of a home's part.</summary>
    public FrameId First(int home) => new(_first[home]);

    /// <summary>The bytes of a frame.</summary>
    public Span<byte> Page(FrameId frame)
    {
        Check(frame);
        return _pages.Page(frame);
    }

    /// <summary>The node that a frame was on when the system was asked last.</summary>
    public int NodeOf(FrameId frame) => Volatile.Read(ref _nodes[frame.Value]);

    /// <summary>Moves frames to a node; their bytes and addresses stay.</summary>
    /// <returns>How many of them are there now.</returns>
    public int Move(ReadOnlySpan<FrameId> frames, int node)
    {
        if (frames.IsEmpty || _system.Reason is not null) return 0;
        nint[] addresses = Addresses(frames);
        int[] statuses = new int[frames.Length];
        int[] targets = new int[frames.Length];
        Array.Fill(targets, node);
        _ = _system.Move(addresses, targets, statuses);
        // What counts is where the pages are, not what the call says of them.
        if (_system.Query(0, addresses, statuses) != 0) return 0;
        return Record(frames, statuses, node);
    }

    /// <summary>Asks the system where frames are.</summary>
    /// <returns>How many are on a node.</returns>
    public int Refresh(ReadOnlySpan<FrameId> frames, int node)
    {
        int[] statuses = new int[frames.Length];
        return _system.Query(0, Addresses(frames), statuses) == 0 ? Record(frames, statuses, node) : 0;
    }

    /// <summary>Takes all access to frames that lie one behind the other away, or gives it back.</summary>
    /// <returns>False where the system cannot; all is as before then.</returns>
    public bool TryFence(FrameId first, uint count, bool fenced)
    {
        Check(first);
        ArgumentOutOfRangeException.ThrowIfZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, FrameCount + 1 - first.Value);
        return OsMemory.SetAccess(_pages.Address(first), (nuint)count * (nuint)PageBytes, isAllowed: !fenced) == 0;
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _pages.Dispose();

    private void Place(uint first, FlipHome home)
    {
        FrameId[] frames = [.. Enumerable.Range((int)first, (int)home.Frames).Select(frame => new FrameId((uint)frame))];
        nint address = (nint)_pages.Address(frames[0]);
        long bytes = (long)home.Frames * PageBytes;
        if (_system.Reason is null)
        {
            int error = _system.Bind(address, bytes, NumaPlacement.Preferred(home.Node));
            if (error != 0)
                throw new NativeMemoryException($"flip memory: {bytes} bytes cannot be bound to node {home.Node} (error {error})");
        }

        foreach (FrameId frame in frames) _pages.Page(frame)[0] = 0;
        // A model has no memory behind the addresses, so it is told what was touched.
        if (_system is ModelledNumaSystem modelled && modelled.Touch(address, bytes, home.Node) != 0)
            throw new NativeMemoryException($"flip memory: the modelled node {home.Node} has no {bytes} bytes left");
        for (int i = 0; i < frames.Length; i++) _nodes[frames[i].Value] = (byte)home.Node;
        if (_system.Reason is null) Refresh(frames, home.Node);
    }

    private nint[] Addresses(ReadOnlySpan<FrameId> frames)
    {
        nint[] addresses = new nint[frames.Length];
        for (int i = 0; i < frames.Length; i++)
        {
            Check(frames[i]);
            addresses[i] = (nint)_pages.Address(frames[i]);
        }

        return addresses;
    }

    private int Record(ReadOnlySpan<FrameId> frames, int[] statuses, int node)
    {
        int there = 0;
        for (int i = 0; i < frames.Length; i++)
        {
            if (statuses[i] >= 0) Volatile.Write(ref _nodes[frames[i].Value], (byte)statuses[i]);
            there += statuses[i] == node ? 1 : 0;
        }

        return there;
    }

    private void Check(FrameId frame)
    {
        if (frame.IsNone || frame.Value > FrameCount)
            throw new ArgumentOutOfRangeException(nameof(frame), $"{frame} is none of the {FrameCount} frames");
    }
}
