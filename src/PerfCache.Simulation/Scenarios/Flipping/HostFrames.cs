// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>
/// Numbers of frames: the upper bits are the node, so where a frame lies costs a shift and no memory. Frame 0 is
/// none, so a node's numbers begin at 1.
/// </summary>
internal readonly struct FrameNumbers
{
    private readonly int _shift;

    internal FrameNumbers(long framesOfNodeMax)
    {
        _shift = 1;
        while ((1L << _shift) <= framesOfNodeMax + 1) _shift++;
        if (_shift > 28) throw new ArgumentOutOfRangeException(nameof(framesOfNodeMax), framesOfNodeMax, "too many frames");
    }

    internal FrameId Frame(int node, long index) => new(((uint)node << _shift) + (uint)index + 1);

    internal int NodeOf(FrameId frame) => (int)(frame.Value >> _shift);
}

/// <summary>
/// Frames of one owner and one use, by node, each node a stack. A random one of all costs one random number and a
/// comparison a node.
/// </summary>
internal sealed class FramesByNode
{
    private readonly FrameNumbers _numbers;
    private readonly FrameId[][] _frames;
    private readonly int[] _counts;

    internal FramesByNode(FrameNumbers numbers, int nodes)
    {
        _numbers = numbers;
        _frames = new FrameId[nodes][];
        for (int node = 0; node < nodes; node++) _frames[node] = new FrameId[16];
        _counts = new int[nodes];
    }

    internal int Count { get; private set; }

    internal int CountOn(int node) => _counts[node];

    internal void Add(FrameId frame)
    {
        int node = _numbers.NodeOf(frame);
        int index = _counts[node]++;
        if (index == _frames[node].Length) Array.Resize(ref _frames[node], index * 2);
        _frames[node][index] = frame;
        Count++;
    }

    internal void AddRange(int node, long first, long count)
    {
        int index = _counts[node];
        if (index + count > _frames[node].Length) Array.Resize(ref _frames[node], (int)(index + count));
        for (long i = 0; i < count; i++) _frames[node][index + i] = _numbers.Frame(node, first + i);
        _counts[node] += (int)count;
        Count += (int)count;
    }

    internal bool TryTakeFrom(int node, out FrameId frame)
    {
        if (_counts[node] == 0)
        {
            frame = FrameId.None;
            return false;
        }

        frame = _frames[node][--_counts[node]];
        Count--;
        return true;
    }

    internal FrameId TakeRandom(ref SeededRandom random)
    {
        int index = (int)random.NextBelow((ulong)Count);
        int node = 0;
        while (index >= _counts[node]) index -= _counts[node++];
        FrameId[] frames = _frames[node];
        FrameId frame = frames[index];
        frames[index] = frames[--_counts[node]];
        Count--;
        return frame;
    }

    /// <summary>The frame at a place, places being counted over all nodes.</summary>
    internal FrameId At(int index)
    {
        int node = 0;
        while (index >= _counts[node]) index -= _counts[node++];
        return _frames[node][index];
    }

    internal ReadOnlySpan<FrameId> On(int node) => _frames[node].AsSpan(0, _counts[node]);
}

/// <summary>Free frames of a guest, in the order in which they were freed as far as random takes leave it.</summary>
internal sealed class FreeFrames
{
    private readonly FrameNumbers _numbers;
    private readonly int[] _countOn;
    private FrameId[] _frames;
    private int _cursor;

    internal FreeFrames(FrameNumbers numbers, int nodes, int capacity)
    {
        _numbers = numbers;
        _countOn = new int[nodes];
        _frames = new FrameId[Math.Max(16, capacity)];
    }

    internal int Count { get; private set; }

    internal int CountOn(int node) => _countOn[node];

    internal void Add(FrameId frame)
    {
        if (Count == _frames.Length) Array.Resize(ref _frames, Count * 2);
        _frames[Count++] = frame;
        _countOn[_numbers.NodeOf(frame)]++;
    }

    internal FrameId TakeLast()
    {
        FrameId frame = _frames[--Count];
        _countOn[_numbers.NodeOf(frame)]--;
        return frame;
    }

    internal FrameId TakeRandom(ref SeededRandom random)
    {
        int index = (int)random.NextBelow((ulong)Count);
        FrameId frame = _frames[index];
        _frames[index] = _frames[--Count];
        _countOn[_numbers.NodeOf(frame)]--;
        return frame;
    }

    /// <summary>Takes a frame that is not on a node, wherever it lies in the order; there must be one.</summary>
    internal FrameId TakeNotOn(int node)
    {
        while (true)
        {
            if (_cursor >= Count) _cursor = 0;
            FrameId frame = _frames[_cursor];
            int at = _numbers.NodeOf(frame);
            if (at == node)
            {
                _cursor++;
                continue;
            }

            _frames[_cursor] = _frames[--Count];
            _countOn[at]--;
            return frame;
        }
    }

    internal ReadOnlySpan<FrameId> All => _frames.AsSpan(0, Count);
}
