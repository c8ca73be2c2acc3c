// SPDX-License-Identifier: MIT
namespace PerfCache.Tests;

/// <summary>
/// How much of what takes long a build runs. A debug build checks each index and runs five times slower, and both builds
/// run all tests: so the release build has all seeds, sizes and traces, and the debug build a part of them, which comes by
/// the same code.
/// </summary>
internal static class TestScale
{
#if DEBUG
    private const bool IsFull = false;
#else
    private const bool IsFull = true;
#endif

    /// <summary>All of them, or the first few.</summary>
    internal static T[] Few<T>(T[] all, int few) => IsFull ? all : all[..few];

    /// <summary>The first in a release build, the second in a debug build.</summary>
    internal static T Of<T>(T full, T reduced) => IsFull ? full : reduced;
}
