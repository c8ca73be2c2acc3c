// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Tests;

/// <summary>
/// Seeds of the random tests: fixed, printed when a test fails (NUnit shows the output), and overridable by
/// PERFCACHE_SEED to repeat or vary a run.
/// </summary>
internal static class TestSeed
{
    internal static Random Random(int seed)
    {
        string? text = Environment.GetEnvironmentVariable("PERFCACHE_SEED");
        if (text is not null) seed = int.Parse(text, CultureInfo.InvariantCulture);
        TestContext.Out.WriteLine($"seed {seed} (PERFCACHE_SEED overrides it)");
        return new Random(seed);
    }
}
