// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Workloads;

/// <summary><c>zipf</c>: object of rank r with probability in proportion to 1 / r^alpha.</summary>
internal sealed class ZipfGenerator(ZipfSampler sampler, ulong seed, long requests)
    : RequestGenerator(requests)
{
    private SeededRandom _random = new(seed);

    private protected override void Generate(Span<ulong> ids) => sampler.Fill(ref _random, ids);
}

/// <summary><c>uniform</c>: every object alike.</summary>
internal sealed class UniformGenerator(ulong objects, ulong seed, long requests) : RequestGenerator(requests)
{
    private SeededRandom _random = new(seed);

    private protected override void Generate(Span<ulong> ids)
    {
        SeededRandom random = _random;
        foreach (ref ulong id in ids)
            id = random.NextBelow(objects);
        _random = random;
    }
}

/// <summary><c>loop</c>: 0, 1, ... objects-1, and again from 0; a <c>scan</c> is one turn of it.</summary>
internal sealed class LoopGenerator(ulong objects, long requests) : RequestGenerator(requests)
{
    private protected override void Generate(Span<ulong> ids)
    {
        ulong next = (ulong)Position % objects;
        foreach (ref ulong id in ids)
        {
            id = next++;
            if (next == objects)
                next = 0;
        }
    }
}

/// <summary>
/// <c>scanhot</c>: requests to a hot set, ids 0 .. hot-1, between which a one-time scan goes on through
/// hot, hot+1, ... with a fixed probability a request. Both draws are made for every request, each by its
/// own generator, so that the hot draws are the same for every share of the scan.
/// </summary>
internal sealed class ScanHotGenerator(
    ZipfSampler hotSampler, ulong hot, double scanShare, ulong seed, long requests)
    : RequestGenerator(requests)
{
    private SeededRandom _hotRandom = new(seed);
    private SeededRandom _choiceRandom = new(SeededRandom.Mix(seed + SeededRandom.Weyl));
    private ulong _scanned;

    private protected override void Generate(Span<ulong> ids)
    {
        hotSampler.Fill(ref _hotRandom, ids);
        foreach (ref ulong id in ids)
            if (_choiceRandom.NextUnit() < scanShare)
                id = hot + _scanned++;
    }
}

/// <summary><c>shift</c>: draws from a working set of which nothing is left after every so many requests:
/// set k has the ids k * objects and up.</summary>
internal sealed class ShiftGenerator(
    ZipfSampler sampler, ulong objects, long period, ulong seed, long requests)
    : RequestGenerator(requests)
{
    private SeededRandom _random = new(seed);

    private protected override void Generate(Span<ulong> ids)
    {
        long position = Position;
        while (!ids.IsEmpty)
        {
            (long set, long within) = Math.DivRem(position, period);
            int count = (int)Math.Min(ids.Length, period - within);
            sampler.Fill(ref _random, ids[..count], (ulong)set * objects);
            ids = ids[count..];
            position += count;
        }
    }
}
