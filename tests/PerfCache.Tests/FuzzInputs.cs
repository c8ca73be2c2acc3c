// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Tests;

/// <summary>How many inputs the long fuzz runs take: PERFCACHE_FUZZ_INPUTS, or ten million.</summary>
internal static class FuzzInputs
{
    internal static int Count => int.Parse(
        Environment.GetEnvironmentVariable("PERFCACHE_FUZZ_INPUTS") ?? "10000000", CultureInfo.InvariantCulture);
}
