// SPDX-License-Identifier: MIT
using PerfCache.Cache;

namespace PerfCache.Tests.Stress;

/// <summary>Stalls at every step of the cache, by a chance that is each thread's own and seeded.</summary>
/// <remarks>
/// A stall waits for others to get on (some pages published, some frames freed) rather than for time: what it
/// shall provoke is that a frame is somebody else's when the thread goes on. It is bounded by turns, because the others
/// may be waiting for this thread. Steps under the cache's lock spin a little only: nobody can get on meanwhile.
/// </remarks>
internal static class StallPoints
{
    private const int TurnsMax = 60;
    private const int StallEvery = 8;

    private static long s_progress;

    [ThreadStatic]
    private static ulong s_random;

    internal static void Seed(ulong seed) => s_random = (seed * 0x9E37_79B9_7F4A_7C15) | 1;

    /// <summary>The next number of this thread's xorshift.</summary>
    internal static uint Next()
    {
        if (s_random == 0) Seed((ulong)Environment.CurrentManagedThreadId);
        s_random ^= s_random << 13;
        s_random ^= s_random >> 7;
        s_random ^= s_random << 17;
        return (uint)(s_random >> 32);
    }

    internal static void At(CacheStep step)
    {
        bool locked = step is CacheStep.Evicted or CacheStep.Published or CacheStep.Redirected;
        if (locked) Interlocked.Increment(ref s_progress);
        uint random = Next();
        if (random % StallEvery != 0) return;
        if (locked) Thread.SpinWait((int)(random >> 24));
        else Stall(random >> 26);
    }

    /// <summary>Waits until the others have taken so many steps, or for some turns.</summary>
    internal static void Stall(uint steps)
    {
        long end = Interlocked.Read(ref s_progress) + steps;
        SpinWait spin = default;
        for (int turn = 0; turn < TurnsMax && Interlocked.Read(ref s_progress) < end; turn++)
            spin.SpinOnce(sleep1Threshold: -1);
    }
}

/// <summary>A probe that stalls; what it leaves out is its own.</summary>
internal interface IStallProbe : ICacheProbe
{
    static void ICacheProbe.At(CacheStep place) => StallPoints.At(place);
}

/// <summary>Stalls, and leaves nothing out.</summary>
internal readonly struct StallProbe : IStallProbe
{
    public static bool Omits(CacheCheck check) => false;
}

/// <summary>A seeded bug: the reader does not look at state and key after it has pinned.</summary>
internal readonly struct NoCheckAfterPin : IStallProbe
{
    public static bool Omits(CacheCheck check) => check == CacheCheck.AfterPin;
}

/// <summary>A seeded bug: the reader does not look at the version after it has copied.</summary>
internal readonly struct NoVersionAfterCopy : IStallProbe
{
    public static bool Omits(CacheCheck check) => check == CacheCheck.VersionAfterCopy;
}

/// <summary>A seeded bug: reclaim does not wait for readers without pins.</summary>
internal readonly struct NoWaitBeforeReuse : IStallProbe
{
    public static bool Omits(CacheCheck check) => check == CacheCheck.WaitBeforeReuse;
}

/// <summary>A seeded bug: a migration does not look at the version after it has copied a page.</summary>
internal readonly struct NoVersionAfterMove : IStallProbe
{
    public static bool Omits(CacheCheck check) => check == CacheCheck.VersionAfterMove;
}

/// <summary>A seeded bug: a migration reuses the old frame of a page although somebody holds it.</summary>
internal readonly struct NoPinsBeforeMove : IStallProbe
{
    public static bool Omits(CacheCheck check) => check == CacheCheck.PinsBeforeMove;
}

/// <summary>A seeded bug: who gives up waiting for a page keeps the pin that was made for it meanwhile.</summary>
internal readonly struct NoPinGivenBack : IStallProbe
{
    public static bool Omits(CacheCheck check) => check == CacheCheck.PinOfWhoGaveUp;
}
