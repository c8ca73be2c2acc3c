// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Engine;

/// <summary>A heap of bare times, the earliest first; equal times are not told apart.</summary>
internal sealed class DeadlineHeap
{
    private long[] _times = new long[16];

    /// <summary>The times held.</summary>
    internal int Count { get; private set; }

    /// <summary>The earliest; there must be one.</summary>
    internal long First => Count > 0 ? _times[0] : throw new InvalidOperationException("the heap is empty");

    /// <summary>Adds a time.</summary>
    internal void Add(long time)
    {
        if (Count == _times.Length) Array.Resize(ref _times, Count * 2);
        int index = Count++;
        while (index > 0 && _times[(index - 1) / 2] > time)
        {
            _times[index] = _times[(index - 1) / 2];
            index = (index - 1) / 2;
        }

        _times[index] = time;
    }

    /// <summary>Removes the earliest and returns it.</summary>
    internal long RemoveFirst()
    {
        long first = First;
        long last = _times[--Count];
        int index = 0;
        while (true)
        {
            int child = index * 2 + 1;
            if (child >= Count) break;
            if (child + 1 < Count && _times[child + 1] < _times[child]) child++;
            if (_times[child] >= last) break;
            _times[index] = _times[child];
            index = child;
        }

        _times[index] = last;
        return first;
    }
}
