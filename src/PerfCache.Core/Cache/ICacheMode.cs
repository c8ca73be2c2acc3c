// SPDX-License-Identifier: MIT
namespace PerfCache.Cache;

/// <summary>
/// What a cache pays for besides its rule, chosen by a type parameter: each property is a constant, so what a mode
/// switches off is not in the machine code at all. Rules never see the mode.
/// </summary>
public interface ICacheMode
{
    /// <summary>True when several threads may call the cache: its verbs take the cache's lock.</summary>
    static abstract bool Locks { get; }

    /// <summary>True when requests are counted (<see cref="CacheStatistics.Requests"/>); the rarer events always are.</summary>
    static abstract bool Counts { get; }
}

/// <summary>Metadata only, one thread: replay and simulation.</summary>
public readonly struct ReplayMode : ICacheMode
{
    /// <inheritdoc/>
    public static bool Locks => false;

    /// <inheritdoc/>
    public static bool Counts => true;
}

/// <summary>Metadata only, many threads under one lock: a directory of pages that live elsewhere.</summary>
public readonly struct SharedMode : ICacheMode
{
    /// <inheritdoc/>
    public static bool Locks => true;

    /// <inheritdoc/>
    public static bool Counts => true;
}
