// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Curves;

/// <summary>
/// Requests in memory as a trace, 8 bytes each and 4 more where the trace has files: a sample, or all of a trace that
/// can be read once only.
/// <para>
/// The pages of a sample are numbered in the order of their first requests. Their ids would leave the linux-* rules,
/// whose limit on shadows counts leaves of 64 ids, with about one page a leaf where the trace has many. Whole leaves as
/// the unit of sampling would keep how pages share them, but then a hundredth of the pages is a few clumps, and the
/// error several times as large (docs/curves.md has the numbers).
/// </para>
/// </summary>
internal sealed class HeldTrace(string name, bool hasFiles, SpatialFilter? filter = null) : RequestTaker, ITraceSource
{
    private readonly List<(ulong[] Ids, int[] Files)> _blocks = [];
    private readonly IdMap? _map = filter is null ? null : new IdMap(PageNumbering.Dense, hasFiles);
    private readonly uint[] _numbers = filter is null ? [] : new uint[TraceBlock.DefaultCapacity];
    private readonly ulong[] _picked = filter is null ? [] : new ulong[TraceBlock.DefaultCapacity];
    private readonly int[] _pickedFiles = filter is null || !hasFiles ? [] : new int[TraceBlock.DefaultCapacity];

    /// <summary>The requests held.</summary>
    public long HeldRequests { get; private set; }

    /// <summary>The part of the pages whose requests are held.</summary>
    public double Rate => filter?.Rate ?? 1;

    public string Name => name;

    public bool CanReopen => true;

    public override void Add(ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files)
    {
        Requests += ids.Length;
        if (filter is not null)
        {
            int count = filter.Pick(ids, files, _picked, _pickedFiles);
            files = files.IsEmpty ? files : _pickedFiles.AsSpan(0, count);
            _map!.Map(_picked.AsSpan(0, count), files, _numbers);
            for (int i = 0; i < count; i++) _picked[i] = _numbers[i];
            ids = _picked.AsSpan(0, count);
        }

        if (ids.IsEmpty) return;
        HeldRequests += ids.Length;
        _blocks.Add((ids.ToArray(), files.ToArray()));
    }

    public ITraceReader Open() => new Reader(this);

    public string FormatPage(int file, ulong id) => hasFiles
        ? string.Create(CultureInfo.InvariantCulture, $"{file} {id}") : id.ToString(CultureInfo.InvariantCulture);

    public override void Dispose()
    {
        _map?.Dispose();
        _blocks.Clear();
    }

    /// <summary>A held block is no longer than the default one, which is what everybody reads with.</summary>
    private sealed class Reader(HeldTrace trace) : ITraceReader
    {
        private int _block;
        private int _next;

        public string Name => trace.Name;

        public TraceColumns Columns => trace._blocks.Exists(block => block.Files.Length > 0)
            ? TraceColumns.File : TraceColumns.None;

        public double Progress => trace._blocks.Count == 0 ? 1 : (double)_block / trace._blocks.Count;

        public bool Read(TraceBlock block)
        {
            block.Count = 0;
            if (_block == trace._blocks.Count) return false;
            (ulong[] ids, int[] files) = trace._blocks[_block];
            block.Count = Math.Min(block.Capacity, ids.Length - _next);
            ids.AsSpan(_next, block.Count).CopyTo(block.Ids);
            if (block.Files.Length > 0) files.AsSpan(_next, block.Count).CopyTo(block.Files);
            _next += block.Count;
            if (_next == ids.Length) (_block, _next) = (_block + 1, 0);
            return true;
        }

        public void Dispose() { }
    }
}
