// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Cli.Bench;

/// <summary>
/// The workload of the ratios: the requests of the <c>zipf:</c> generator, made beforehand as page numbers, so that
/// <c>perfcache replay</c> can be given the same.
/// </summary>
internal static class FloorWorkload
{
    /// <summary>Makes <paramref name="requestCount"/> requests for <paramref name="pageCount"/> pages.</summary>
    public static uint[] Zipf(int pageCount, int requestCount, double alpha, ulong seed)
    {
        string text = string.Create(CultureInfo.InvariantCulture,
            $"zipf:objects={pageCount},alpha={alpha},requests={requestCount},seed={seed}");
        RequestGenerator generator = Workload.TryParse(text)!.Start();
        uint[] requests = new uint[requestCount];
        ulong[] ids = new ulong[FloorRatios.BlockLength];
        for (int start = 0; start < requests.Length;)
        {
            int count = generator.Fill(ids);
            for (int i = 0; i < count; i++) requests[start + i] = checked((uint)ids[i]);
            start += count;
        }

        return requests;
    }
}
