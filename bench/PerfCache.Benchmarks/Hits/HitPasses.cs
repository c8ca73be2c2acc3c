// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PerfCache.Cache;
using PerfCache.Frames;
using LinuxCache = PerfCache.Cache.PageCache<PerfCache.Policies.Replacement.LinuxRules<
    PerfCache.Policies.Replacement.Linux6>>;
using LinuxReader = PerfCache.Cache.CacheReader<PerfCache.Policies.Replacement.LinuxRules<
    PerfCache.Policies.Replacement.Linux6>, PerfCache.Cache.NoProbe>;

namespace PerfCache.Benchmarks.Hits;

/// <summary>
/// Looks up pages that are all there, in blocks: a block's loop is called often, so tiered compilation brings it to its
/// last tier, with its profile, as it does a program's own loops.
/// </summary>
/// <param name="requests">Each thread's pages.</param>
/// <param name="rounds">How often a pass goes through them.</param>
internal abstract class HitPass(uint[][] requests, int rounds)
{
    private const int BlockLength = 2048;

    /// <summary>Keeps what was read in use.</summary>
    internal static long Sink { get; set; }

    internal long Run(int thread)
    {
        uint[] pages = requests[thread];
        long hits = 0;
        for (int round = 0; round < rounds; round++)
        {
            for (int start = 0; start < pages.Length; start += BlockLength)
                hits += Block(thread, pages.AsSpan(start, Math.Min(BlockLength, pages.Length - start)));
        }

        long asked = (long)pages.Length * rounds;
        if (hits != asked) throw new InvalidOperationException($"{GetType().Name}: {hits} hits of {asked} requests");
        return hits;
    }

    /// <summary>Looks each page up.</summary>
    /// <returns>The number of hits.</returns>
    protected abstract int Block(int thread, ReadOnlySpan<uint> pages);
}

/// <summary>The rival of hits: a look-up in the framework's own table.</summary>
internal sealed class DictionaryPass(ConcurrentDictionary<long, long> table, uint[][] requests, int rounds)
    : HitPass(requests, rounds)
{
    protected override int Block(int thread, ReadOnlySpan<uint> pages)
    {
        ConcurrentDictionary<long, long> local = table;
        int hits = 0;
        foreach (uint page in pages)
            if (local.TryGetValue(page, out _)) hits++;
        return hits;
    }
}

/// <summary>Look up, validate, tell the rule.</summary>
internal sealed class TouchPass(LinuxCache cache, ObjectId owner, uint[][] requests, int rounds)
    : HitPass(requests, rounds)
{
    protected override int Block(int thread, ReadOnlySpan<uint> pages)
    {
        LinuxCache local = cache;
        ObjectId localOwner = owner;
        int hits = 0;
        foreach (uint page in pages)
            if (local.Touch(localOwner, page)) hits++;
        return hits;
    }
}

/// <summary>Look up, pin, validate, tell the rule, unpin.</summary>
internal sealed class LeasePass(LinuxCache cache, ObjectId owner, uint[][] requests, int rounds)
    : HitPass(requests, rounds)
{
    protected override int Block(int thread, ReadOnlySpan<uint> pages)
    {
        LinuxCache local = cache;
        ObjectId localOwner = owner;
        int hits = 0;
        foreach (uint page in pages)
        {
            if (!local.TryGet(localOwner, page, out PageLease lease)) continue;
            hits++;
            lease.Dispose();
        }

        return hits;
    }
}

/// <summary>The same with an epoch instead of a pin.</summary>
internal sealed class EpochPass(LinuxReader[] readers, ObjectId owner, uint[][] requests, int rounds)
    : HitPass(requests, rounds)
{
    protected override int Block(int thread, ReadOnlySpan<uint> pages)
    {
        LinuxReader reader = readers[thread];
        ObjectId localOwner = owner;
        int hits = 0;
        foreach (uint page in pages)
        {
            if (!reader.TryGet(localOwner, page, out EpochLease lease)) continue;
            hits++;
            lease.Dispose();
        }

        return hits;
    }
}

/// <summary>The rival of reads: arrays in the framework's own table.</summary>
internal sealed class ArrayPass(
    ConcurrentDictionary<long, byte[]> table, int bytes, uint[][] requests, int rounds) : HitPass(requests, rounds)
{
    private readonly byte[] _destination = new byte[4096];

    protected override int Block(int thread, ReadOnlySpan<uint> pages)
    {
        ConcurrentDictionary<long, byte[]> local = table;
        int hits = 0;
        long sum = 0;
        foreach (uint page in pages)
        {
            if (!local.TryGetValue(page, out byte[]? found)) continue;
            hits++;
            if (bytes == PageReads.Part) sum += PageReads.Sum(found.AsSpan(PageReads.Offset(page), PageReads.Part));
            else found.AsSpan().CopyTo(_destination);
        }

        Sink = sum;
        return hits;
    }
}

/// <summary>Reads 64 bytes of each page in place, under an epoch.</summary>
internal sealed class EpochReadPass(LinuxReader[] readers, ObjectId owner, uint[][] requests, int rounds)
    : HitPass(requests, rounds)
{
    protected override int Block(int thread, ReadOnlySpan<uint> pages)
    {
        LinuxReader reader = readers[thread];
        int hits = 0;
        long sum = 0;
        foreach (uint page in pages)
        {
            if (!reader.TryGet(owner, page, out EpochLease lease)) continue;
            hits++;
            sum += PageReads.Sum(lease.Span.Slice(PageReads.Offset(page), PageReads.Part));
            lease.Dispose();
        }

        Sink = sum;
        return hits;
    }
}

/// <summary>Copies each page out.</summary>
internal sealed class CopyPass(LinuxCache cache, ObjectId owner, uint[][] requests, int rounds)
    : HitPass(requests, rounds)
{
    private readonly byte[] _destination = new byte[4096];

    protected override int Block(int thread, ReadOnlySpan<uint> pages)
    {
        int hits = 0;
        foreach (uint page in pages)
            if (cache.TryCopy(owner, page, 0, _destination)) hits++;
        return hits;
    }
}

/// <summary>Several touches a call.</summary>
internal sealed class BatchPass(LinuxCache cache, ObjectId owner, int batch, uint[][] requests, int rounds)
    : HitPass(requests, rounds)
{
    private readonly ulong[] _pages = new ulong[batch];
    private readonly bool[] _found = new bool[batch];

    protected override int Block(int thread, ReadOnlySpan<uint> pages)
    {
        int hits = 0;
        for (int start = 0; start < pages.Length; start += batch)
        {
            int length = Math.Min(batch, pages.Length - start);
            for (int i = 0; i < length; i++) _pages[i] = pages[start + i];
            hits += cache.TouchMany(owner, _pages.AsSpan(0, length), _found.AsSpan(0, length));
        }

        return hits;
    }
}

/// <summary>Leases of several pages a call, and 64 bytes of each, at one place.</summary>
internal sealed class BatchReadPass(LinuxCache cache, ObjectId owner, int batch, uint[][] requests, int rounds)
    : HitPass(requests, rounds)
{
    private const int Offset = 2 * PageReads.Part;

    private readonly ulong[] _pages = new ulong[batch];
    private readonly PageLease[] _leases = new PageLease[batch];

    protected override int Block(int thread, ReadOnlySpan<uint> pages)
    {
        int hits = 0;
        long sum = 0;
        for (int start = 0; start < pages.Length; start += batch)
        {
            int length = Math.Min(batch, pages.Length - start);
            for (int i = 0; i < length; i++) _pages[i] = pages[start + i];
            hits += cache.TryGetMany(owner, _pages.AsSpan(0, length), _leases.AsSpan(0, length), Offset);
            for (int i = 0; i < length; i++)
            {
                sum += PageReads.Sum(_leases[i].Span.Slice(Offset, PageReads.Part));
                _leases[i].Dispose();
            }
        }

        Sink = sum;
        return hits;
    }
}

/// <summary>What is read of a page.</summary>
internal static class PageReads
{
    /// <summary>A cache line.</summary>
    internal const int Part = 64;

    /// <summary>The line that is read: another one in each page, so that they do not share a set of the processor's cache.
    /// </summary>
    internal static int Offset(uint page) => (int)(page % 63) * Part;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static long Sum(ReadOnlySpan<byte> part)
    {
        long sum = 0;
        foreach (long word in MemoryMarshal.Cast<byte, long>(part)) sum += word;
        return sum;
    }
}
