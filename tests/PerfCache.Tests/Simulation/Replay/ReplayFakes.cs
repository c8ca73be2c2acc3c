// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>A trace in memory, read in blocks of a size that the test picks.</summary>
internal sealed class MemoryTrace(ulong[] ids, int[]? files = null, bool canReopen = true, int blockLength = 1000)
    : ITraceSource
{
    public int Opened { get; private set; }

    /// <summary>Called before each block with the requests read so far.</summary>
    public Action<int>? OnRead { get; init; }

    public string Name { get; init; } = "memory";

    public bool CanReopen => canReopen;

    public ITraceReader Open()
    {
        if (Opened++ > 0 && !canReopen) throw new InvalidOperationException("opened twice");
        return new Reader(this, ids, files, blockLength);
    }

    public string FormatPage(int file, ulong id) => files is null ? $"{id}" : $"{file} {id}";

    private sealed class Reader(MemoryTrace trace, ulong[] ids, int[]? files, int blockLength) : ITraceReader
    {
        private int _next;

        public string Name => trace.Name;

        public TraceColumns Columns => files is null ? TraceColumns.None : TraceColumns.File;

        public double Progress => (double)_next / ids.Length;

        public bool Read(TraceBlock block)
        {
            trace.OnRead?.Invoke(_next);
            block.Count = Math.Min(Math.Min(blockLength, block.Capacity), ids.Length - _next);
            ids.AsSpan(_next, block.Count).CopyTo(block.Ids);
            if (block.Files.Length > 0) files.AsSpan(_next, block.Count).CopyTo(block.Files);
            _next += block.Count;
            return block.Count > 0;
        }

        public void Dispose() { }
    }
}

/// <summary>A textbook LRU cache over page numbers, slow and plain.</summary>
internal sealed class NaiveLruCell(string policy, long frames, PageNumbering numbering, bool countsRefaults = false)
    : ReplayCell
{
    private readonly LinkedList<uint> _order = new();
    private readonly Dictionary<uint, LinkedListNode<uint>> _nodes = [];
    private readonly HashSet<uint> _evicted = [];
    private long _misses, _refaults, _evictions;

    public static CellFactory Factory { get; } = new(
        spec => spec.Name.StartsWith("linux", StringComparison.Ordinal) ? PageNumbering.PerLeaf : PageNumbering.Dense,
        (spec, frames) => spec.Name.StartsWith("linux", StringComparison.Ordinal)
            ? new NaiveLruCell(spec.Text, frames, PageNumbering.PerLeaf, countsRefaults: true)
            : new NaiveLruCell(spec.Text, frames, PageNumbering.Dense));

    public bool IsDisposed { get; private set; }

    public override string Policy => policy;

    public override long Frames => frames;

    public override PageNumbering Numbering => numbering;

    public override bool CountsRefaults => countsRefaults;

    public override ReplayCounts Counts => new(_misses, countsRefaults ? _refaults : 0, 0, 0, _evictions);

    public override long NativeBytes => frames * 40;

    public override void Replay(ReplayRequests requests, Span<byte> outcomes)
    {
        ReadOnlySpan<uint> pages = requests.Pages;
        for (int i = 0; i < pages.Length; i++)
        {
            bool hit = Touch(pages[i]);
            if (!outcomes.IsEmpty) outcomes[i] = hit ? Hit : Miss;
        }
    }

    private bool Touch(uint page)
    {
        if (_nodes.TryGetValue(page, out LinkedListNode<uint>? node))
        {
            _order.Remove(node);
            _order.AddFirst(node);
            return true;
        }

        _misses++;
        if (_evicted.Contains(page)) _refaults++;
        if (_order.Count == frames)
        {
            _evictions++;
            _evicted.Add(_order.Last!.Value);
            _nodes.Remove(_order.Last.Value);
            _order.RemoveLast();
        }

        _nodes[page] = _order.AddFirst(page);
        return false;
    }

    public override void VisitResident(Action<uint> visit)
    {
        foreach (uint page in _order.Order()) visit(page);
    }

    public override void Dispose() => IsDisposed = true;
}
