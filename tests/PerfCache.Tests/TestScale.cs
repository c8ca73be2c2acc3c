// SPDX-License-Identifier: MIT
namespace PerfCache.Tests;

/// <summary>
/// How much of what takes long a build runs. A debug build checks each index and each assertion, and runs five times
/// slower: so the release build has all seeds, sizes and traces, and the debug build a part of them, which comes by the
/// same code; what assertions have no part in is the release build's alone.
/// </summary>
internal static class TestScale
{
#if DEBUG
    private static bool IsFull => false;
#else
    private static bool IsFull => true;
#endif

    /// <summary>All of them, or the first few.</summary>
    internal static T[] Few<T>(T[] all, int few) => IsFull ? all : all[..few];

    /// <summary>The first in a release build, the second in a debug build.</summary>
    internal static T Of<T>(T full, T reduced) => IsFull ? full : reduced;

    /// <summary>Ends a test of a debug build: what it looks at (the kernel, a browser, a model that shares no code with the
    /// library, whether a bug on purpose is caught) is not the library's assertions, and takes long.</summary>
    internal static void LeaveToRelease()
    {
        if (!IsFull) Assert.Ignore("left to the release build: what it looks at is the same in both");
    }
}
