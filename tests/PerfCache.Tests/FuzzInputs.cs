// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;

namespace PerfCache.Tests;

/// <summary>How many inputs the long fuzz runs take: PERFCACHE_FUZZ_INPUTS, or ten million; and for how long at most:
/// PERFCACHE_FUZZ_SECONDS, or for ever.</summary>
internal sealed class FuzzInputs
{
    private static readonly TimeSpan s_most = TimeSpan.FromSeconds(int.Parse(
        Environment.GetEnvironmentVariable("PERFCACHE_FUZZ_SECONDS") ?? "10000000", CultureInfo.InvariantCulture));

    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private long _taken;

    internal static int Count => int.Parse(
        Environment.GetEnvironmentVariable("PERFCACHE_FUZZ_INPUTS") ?? "10000000", CultureInfo.InvariantCulture);

    /// <summary>Inputs that were tried.</summary>
    internal int Taken => (int)Interlocked.Read(ref _taken);

    /// <summary>How long it has taken so far.</summary>
    internal TimeSpan Elapsed => _watch.Elapsed;

    /// <summary>Counts some inputs, if there is time for them.</summary>
    internal bool TryTake(int inputs)
    {
        if (_watch.Elapsed >= s_most) return false;
        Interlocked.Add(ref _taken, inputs);
        return true;
    }
}
