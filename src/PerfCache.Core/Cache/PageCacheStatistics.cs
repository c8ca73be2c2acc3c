// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace PerfCache.Cache;

/// <summary>Counts of what a <see cref="PageCache{TRules}"/> did since it was made.</summary>
public readonly record struct PageCacheStatistics
{
    /// <summary>Look-ups that found their page; 0 unless <see cref="PageCacheOptions.CountHits"/>.</summary>
    public required long Hits { get; init; }

    /// <summary>Look-ups that did not, whether or not the page was then loaded; those who joined a load included.</summary>
    public required long Misses { get; init; }

    /// <summary>Loads that failed.</summary>
    public required long LoadFailures { get; init; }

    /// <summary>Pages that came in.</summary>
    public required long Insertions { get; init; }

    /// <summary>Insertions that found a shadow.</summary>
    public required long Refaults { get; init; }

    /// <summary>Refaults that made their page active at once.</summary>
    public required long RefaultActivations { get; init; }

    /// <summary>Pages that became active, by access or by refault.</summary>
    public required long Activations { get; init; }

    /// <summary>Pages that went back from active to inactive.</summary>
    public required long Deactivations { get; init; }

    /// <summary>Pages evicted by reclaim.</summary>
    public required long Evictions { get; init; }

    /// <summary>Pages removed for another reason.</summary>
    public required long Removals { get; init; }

    /// <summary>Shadows dropped because there were too many.</summary>
    public required long ShadowsDropped { get; init; }

    /// <summary>How often a thread had to wait for the cache's lock.</summary>
    public required long LockWaits { get; init; }

    /// <summary>Frames that reclaim found in use and set aside.</summary>
    public required long HeldFrames { get; init; }

    /// <summary>Pages that are changed and not yet written.</summary>
    public required long DirtyPages { get; init; }

    /// <summary>Pages written to their sources.</summary>
    public required long PagesWritten { get; init; }

    /// <summary>Requests that wrote them: neighbours go together.</summary>
    public required long WriteRequests { get; init; }

    /// <summary>Pages whose write failed, each time anew.</summary>
    public required long WriteFailures { get; init; }

    /// <summary>Pages whose load was begun before anybody asked for them.</summary>
    public required long ReadaheadPages { get; init; }

    /// <summary>Those of them that somebody then asked for; 0 unless
    /// <see cref="PageCacheOptions.ReadaheadPagesMax"/>.</summary>
    public required long ReadaheadHits { get; init; }

    /// <summary>Those of them that left unread, counted when their frame takes another page; 0 unless
    /// <see cref="PageCacheOptions.ReadaheadPagesMax"/>.</summary>
    public required long ReadaheadWasted { get; init; }

    /// <summary>Pages that were not read ahead because frames were short.</summary>
    public required long ReadaheadDropped { get; init; }
}

/// <summary>A counter in stripes, a cache line each, so that threads which count at the same time seldom meet.</summary>
internal sealed class StripedCounter
{
    private const int WordsPerStripe = 8;

    private readonly long[] _words;
    private readonly int _mask;

    internal StripedCounter()
    {
        int stripes = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Min(64, Environment.ProcessorCount));
        _mask = stripes - 1;
        // The first stripe keeps clear of the array's own header.
        _words = new long[(stripes + 1) * WordsPerStripe];
    }

    /// <summary>Adds to the stripe of this processor. Not atomic: two threads that meet may lose a count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(long count) => _words[((Thread.GetCurrentProcessorId() & _mask) + 1) * WordsPerStripe] += count;

    /// <summary>The sum of all stripes.</summary>
    internal long Sum()
    {
        long sum = 0;
        for (int i = WordsPerStripe; i < _words.Length; i += WordsPerStripe) sum += Volatile.Read(ref _words[i]);
        return sum;
    }
}
