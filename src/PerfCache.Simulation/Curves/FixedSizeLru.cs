// SPDX-License-Identifier: MIT
using System.Numerics;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Curves;

/// <summary>
/// The LRU curve from a sample of at most so many pages, however many the trace has: SHARDS with a fixed size
/// (Waldspurger and others, FAST 2015, section 3.2).
/// <para>
/// The sample holds the pages with the smallest hashes seen. When a page comes that is one too many, the page with the
/// largest hash leaves and its hash becomes the filter's bound, so the rate falls as the trace shows more pages. A
/// request counts with the weight 1 / R of the rate at its time, and its distance is scaled by the same; that is what
/// scaling all earlier counts at every change of the rate comes to. As in <see cref="StackLru"/> a lack of weight is
/// counted as hits of distance 1: misses are divided by all requests, not by the sum of the weights.
/// </para>
/// <para>
/// Memory: about 100 bytes a page of the sample, and a fixed table of weights by distance, whose cells grow with the
/// distance (64 for each doubling, so a distance is known to 1.6 %). A request in the sample costs a look-up in a
/// dictionary and one on the stack, a new page an entry in a heap besides; every other request costs what the filter
/// costs.
/// </para>
/// </summary>
internal sealed class FixedSizeLru : LruTaker
{
    private readonly SpatialFilter _filter;
    private readonly int _sizeMax;
    private readonly Dictionary<(ulong Id, int File), uint> _numbers = [];
    private readonly PriorityQueue<(ulong Id, int File), uint> _largestHashFirst =
        new(Comparer<uint>.Create((one, other) => other.CompareTo(one)));

    private readonly Stack<uint> _freeNumbers = new();
    private readonly StackDistances _stack = new();
    private readonly WeightedDistances _weights = new();
    private readonly ulong[] _picked = new ulong[TraceBlock.DefaultCapacity];
    private readonly int[] _pickedFiles;
    private long _sampledRequests;

    /// <summary>Makes a taker.</summary>
    /// <param name="hasFiles">Whether requests come with file numbers.</param>
    /// <param name="sizeMax">The most pages in the sample, at least 1.</param>
    /// <param name="filter">The filter to begin with; its rate is lowered.</param>
    public FixedSizeLru(bool hasFiles, int sizeMax, SpatialFilter filter)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sizeMax, 1);
        _sizeMax = sizeMax;
        _filter = filter;
        _pickedFiles = hasFiles ? new int[TraceBlock.DefaultCapacity] : [];
    }

    public override double Rate => _filter.Rate;

    public override long SampledRequests => _sampledRequests;

    public override long SampledPages => _stack.Pages;

    // An entry of the dictionary is 32 bytes and a bucket, one of the heap 24, and both double as they grow.
    public override long Bytes => (100L * _numbers.Count) + _stack.Bytes + _weights.Bytes
        + (8L * _picked.Length) + (4L * _pickedFiles.Length);

    public override void Add(ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files)
    {
        Requests += ids.Length;
        int count = _filter.Pick(ids, files, _picked, _pickedFiles);
        for (int i = 0; i < count; i++) Take(_picked[i], files.IsEmpty ? 0 : _pickedFiles[i]);
    }

    public override double[] Misses(IReadOnlyList<long> frames)
    {
        double[] misses = _weights.Within(frames);
        for (int i = 0; i < misses.Length; i++) misses[i] = Math.Clamp(_weights.Total - misses[i], 0, Requests);
        return misses;
    }

    public override void Dispose() => _stack.Dispose();

    private void Take(ulong id, int file)
    {
        if (!_numbers.TryGetValue((id, file), out uint number))
        {
            // The bound may have fallen since the request was picked.
            uint hash = _filter.Hash(id, file);
            if (hash > _filter.HashMax) return;
            if (_numbers.Count == _sizeMax && !MakeRoom(hash)) return;
            number = _freeNumbers.Count > 0 ? _freeNumbers.Pop() : (uint)_numbers.Count;
            _numbers.Add((id, file), number);
            _largestHashFirst.Enqueue((id, file), hash);
        }

        uint distance = 0;
        _stack.Measure(new ReadOnlySpan<uint>(in number), new Span<uint>(ref distance));
        _sampledRequests++;
        double weight = 1 / _filter.Rate;
        if (distance == 0) _weights.AddFirst(weight);
        // The middle of the range of distances that this one stands for.
        else _weights.Add((distance - 0.5) * weight, weight);
    }

    /// <summary>
    /// Lowers the bound below the largest hash, that of the newcomer included, and drops the pages above it.
    /// </summary>
    /// <returns>False when the newcomer is the one that is too many.</returns>
    private bool MakeRoom(uint hash)
    {
        _largestHashFirst.TryPeek(out _, out uint largest);
        uint bound = Math.Max(largest, hash);
        // A bound of 0 would leave a rate of nothing; one page in 2^32 is the least there is.
        _filter.Lower(bound == 0 ? 0 : bound - 1);
        while (_largestHashFirst.TryPeek(out (ulong Id, int File) page, out largest) && largest >= bound)
        {
            _largestHashFirst.Dequeue();
            _numbers.Remove(page, out uint number);
            _stack.Forget(number);
            _freeNumbers.Push(number);
        }

        return hash < bound;
    }
}

/// <summary>
/// Weights by distance in cells that grow with it: 64 cells for each doubling, from a distance of 64 on; below that one
/// cell for each.
/// </summary>
internal sealed class WeightedDistances
{
    private const int CellBits = 6;
    private const int CellsOfDoubling = 1 << CellBits;

    // A distance is below 2^33 pages times 2^32 of the smallest rate; nothing real comes near.
    private readonly double[] _cells = new double[CellsOfDoubling * 60];

    /// <summary>All weight, that of first requests included.</summary>
    public double Total { get; private set; }

    /// <summary>Bytes in use.</summary>
    public long Bytes => 8L * _cells.Length;

    /// <summary>Adds a request without a distance.</summary>
    public void AddFirst(double weight) => Total += weight;

    /// <summary>Adds a request.</summary>
    public void Add(double distance, double weight)
    {
        Total += weight;
        _cells[CellOf(distance)] += weight;
    }

    /// <summary>The weight within each of ascending limits; a cell spreads its weight evenly.</summary>
    public double[] Within(IReadOnlyList<long> limits)
    {
        double[] sums = new double[limits.Count];
        double sum = 0;
        int next = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            int cell = CellOf(limits[i]);
            while (next < cell) sum += _cells[next++];
            (double start, double width) = RangeOf(cell);
            sums[i] = sum + (_cells[cell] * (limits[i] - start) / width);
        }

        return sums;
    }

    private static int CellOf(double distance)
    {
        if (distance < CellsOfDoubling) return (int)distance;
        int power = BitOperations.Log2((ulong)distance);
        double within = (distance / Math.ScaleB(1, power)) - 1;
        return ((power - CellBits + 1) * CellsOfDoubling) + (int)(within * CellsOfDoubling);
    }

    private static (double Start, double Width) RangeOf(int cell)
    {
        if (cell < CellsOfDoubling) return (cell, 1);
        int power = (cell / CellsOfDoubling) + CellBits - 1;
        double width = Math.ScaleB(1, power - CellBits);
        return (Math.ScaleB(1, power) + ((cell % CellsOfDoubling) * width), width);
    }
}
