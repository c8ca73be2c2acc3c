// SPDX-License-Identifier: MIT
namespace PerfCache.Cli.Bench;

/// <summary>
/// The workload of the ratios: Zipf-distributed requests, exact (inversion of the cumulative weights, no
/// approximation), ranks scattered over the page numbers by a seeded shuffle so that popular pages do not
/// share cache lines. The same seed gives the same requests on every machine.
/// </summary>
internal static class FloorWorkload
{
    /// <summary>Makes <paramref name="requestCount"/> requests for <paramref name="pageCount"/>
    /// pages.</summary>
    public static uint[] Zipf(int pageCount, int requestCount, double alpha, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pageCount, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(requestCount);
        double[] weightUpTo = new double[pageCount];
        uint[] pageOfRank = new uint[pageCount];
        double total = 0;
        for (int rank = 0; rank < pageCount; rank++)
        {
            weightUpTo[rank] = total += Math.Pow(rank + 1.0, -alpha);
            pageOfRank[rank] = (uint)rank;
        }

        for (int rank = pageCount - 1; rank > 0; rank--)
        {
            int other = (int)(NextRandom(ref seed) % ((ulong)rank + 1));
            (pageOfRank[rank], pageOfRank[other]) = (pageOfRank[other], pageOfRank[rank]);
        }

        uint[] requests = new uint[requestCount];
        for (int i = 0; i < requests.Length; i++)
        {
            double weight = (NextRandom(ref seed) >> 11) * (1.0 / (1UL << 53)) * total;
            requests[i] = pageOfRank[FirstAbove(weightUpTo, weight)];
        }

        return requests;
    }

    private static int FirstAbove(double[] weightUpTo, double weight)
    {
        int low = 0;
        int high = weightUpTo.Length - 1;
        while (low < high)
        {
            int middle = low + (high - low) / 2;
            if (weightUpTo[middle] > weight) high = middle;
            else low = middle + 1;
        }

        return low;
    }

    // SplitMix64: a generator of our own, so that seeds outlive changes of the runtime's.
    private static ulong NextRandom(ref ulong state)
    {
        ulong z = state += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
