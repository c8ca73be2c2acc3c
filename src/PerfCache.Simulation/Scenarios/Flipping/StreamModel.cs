// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Workloads;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>One kernel of STREAM in one guest.</summary>
/// <param name="Kernel">copy, scale, add or triad.</param>
/// <param name="RemoteShare">The remote part of the pages that its arrays got.</param>
/// <param name="BeforeMegabytes">MB/s on local pages, bound by latency.</param>
/// <param name="AfterMegabytes">MB/s on the pages it got, bound by latency.</param>
/// <param name="BlendedLoss">The part of its speed that it loses where it is bound by bandwidth, and remote pages are
/// waited for one after the other.</param>
/// <param name="OverlappedLoss">The same where local and remote transfers go on at once.</param>
public readonly record struct StreamResult(string Kernel, double RemoteShare, double BeforeMegabytes,
    double AfterMegabytes, double BlendedLoss, double OverlappedLoss)
{
    /// <summary>The part of its speed that the latency-bound kernel loses.</summary>
    public double LatencyLoss => 1 - (AfterMegabytes / BeforeMegabytes);
}

/// <summary>
/// Work whose speed follows the memory that it touches. Bound by latency: a core keeps a number of misses under way, and
/// each takes the latency of its page's node. Bound by bandwidth: bytes cross the memory's bus or the link, one after
/// the other or both at once. Real programs are somewhere between; STREAM itself, which prefetches well, is nearer
/// to bandwidth, a database nearer to latency.
/// </summary>
internal sealed class StreamModel
{
    private const int LineBytes = 64;

    private static readonly (string Kernel, int Arrays)[] s_kernels = [("copy", 2), ("scale", 2), ("add", 3), ("triad", 3)];

    private readonly double _latencyNanos;
    private readonly double _ratio;
    private readonly double _missesInFlight;
    private readonly double _localBytes;
    private readonly double _remoteBytes;
    private readonly long _arrayPages;

    internal StreamModel(FlipScenario scenario)
    {
        _latencyNanos = scenario.Value("local-latency-ns");
        _ratio = scenario.Value("latency-ratio");
        _missesInFlight = scenario.Value("misses-in-flight");
        _localBytes = scenario.Value("local-bandwidth");
        _remoteBytes = scenario.Value("remote-bandwidth");
        _arrayPages = Math.Max(16, (long)(scenario.Value("stream-mib") * 256 / scenario.Scale));
    }

    /// <summary>The speed of latency-bound work with a remote part, local speed being 1.</summary>
    internal double SpeedByLatency(double remoteShare) => 1 / (1 + (remoteShare * (_ratio - 1)));

    /// <summary>The speed of bandwidth-bound work, one transfer after the other.</summary>
    internal double SpeedByBandwidth(double remoteShare) =>
        1 / (1 - remoteShare + (remoteShare * _localBytes / _remoteBytes));

    /// <summary>The speed of bandwidth-bound work, local and remote at once.</summary>
    internal double SpeedOverlapped(double remoteShare) =>
        1 / Math.Max(1, Math.Max(1 - remoteShare, remoteShare * _localBytes / _remoteBytes));

    /// <summary>Runs the four kernels on three arrays, whose pages are any of the guest's.</summary>
    internal StreamResult[] Run(FlipGuest guest, int home, SeededRandom random)
    {
        double[] shares = new double[3];
        ulong pages = (ulong)(guest.ProgramFrames + guest.Cache.Count + guest.Free.Count);
        for (int array = 0; array < shares.Length; array++)
        {
            long remote = 0;
            for (long i = 0; i < _arrayPages; i++) remote += guest.NodeAt((long)random.NextBelow(pages)) == home ? 0 : 1;
            shares[array] = (double)remote / _arrayPages;
        }

        return [.. s_kernels.Select(kernel => Result(kernel.Kernel, kernel.Arrays, shares))];
    }

    private StreamResult Result(string kernel, int arrays, double[] shares)
    {
        // Kernels of two arrays use the first and the last, as STREAM's copy goes from a to c.
        double share = arrays == 2 ? (shares[0] + shares[2]) / 2 : shares.Average();
        double before = LineBytes * _missesInFlight / _latencyNanos * 1000;
        return new StreamResult(kernel, share, before, before * SpeedByLatency(share), 1 - SpeedByBandwidth(share),
            1 - SpeedOverlapped(share));
    }
}
