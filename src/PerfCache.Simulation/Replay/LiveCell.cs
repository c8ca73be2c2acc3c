// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;

namespace PerfCache.Simulation.Replay;

/// <summary>What one thread of a live replay keeps for itself.</summary>
internal sealed class LiveThread
{
    /// <summary>One hit in so many is timed. A prime, so that a trace with a period does not have the same requests
    /// timed every time.</summary>
    public const int HitsPerSample = 61;

    private PageReader[] _readers = new PageReader[1];

    public LatencyHistogram Hits { get; } = new();

    public LatencyHistogram Misses { get; } = new();

    public long Requests { get; set; }

    /// <summary>Requests until the next sample.</summary>
    public int UntilSample { get; set; }

    public ulong Checksum { get; set; }

    /// <summary>When the thread began and ended its part of the round, or 0 if it had none.</summary>
    public (long Began, long Ended) Times { get; set; }

    /// <summary>A reader for each of the files; consecutive reads are told by the thread's own requests.</summary>
    public PageReader[] ReadersOf(ReadOnlySpan<int> files)
    {
        foreach (int file in files)
            if (file >= _readers.Length) Array.Resize(ref _readers, Math.Max(file + 1, _readers.Length * 2));
        return _readers;
    }
}

/// <summary>
/// One policy at one size with page data: the cache that programs embed, fed with page numbers by several threads.
/// </summary>
internal abstract class LiveCell : IDisposable
{
    /// <summary>The seed of computed pages.</summary>
    public const ulong Seed = 1;

    /// <summary>Of an object: the most that page numbers reach.</summary>
    private const ulong PageCountMax = 1UL << 32;

    /// <summary>Room for the index of any trace beside the pages: the number of frames is fixed, so a wide trace must not
    /// be let to take frames away.</summary>
    private const long IndexBytesMax = 1L << 30;

    private static readonly double s_nanosPerTick = 1e9 / Stopwatch.Frequency;

    public abstract PageNumbering Numbering { get; }

    public abstract PageCacheStatistics Statistics { get; }

    public abstract long UsedBytes { get; }

    /// <summary>Makes a cell.</summary>
    /// <exception cref="Memory.NativeMemoryException">The memory cannot be had.</exception>
    public static LiveCell Create(
        PolicyEntry entry, PolicySpec spec, uint frames, LiveOptions live, IPageSource? file)
    {
        PageCacheOptions options = PageCacheOptions.ForFrames(frames, live.PageBytes);
        options = options with
        {
            CapacityBytes = options.CapacityBytes + IndexBytesMax,
            BackgroundReclaim = live.BackgroundReclaim,
            // A thread alone that reclaims for itself does what the replay without data does, hit for hit.
            ActivationBatch = live.Threads == 1 && !live.BackgroundReclaim ? 1 : options.ActivationBatch,
        };
        IPageSource source = file is not null
            ? new LoopedPageSource(file, PageCountMax)
            : new ModelledPageSource(new ModelledPageSourceOptions
            {
                Seed = Seed,
                PageCount = PageCountMax,
                ReadLatency = live.LoadLatency,
            });
        return entry.CreateLive(spec, options, source, live);
    }

    /// <summary>Serves requests in order, for one thread.</summary>
    public abstract void Serve(LiveThread thread, ReadOnlySpan<uint> pages, ReadOnlySpan<int> files);

    /// <summary>Checks the cache's invariants, for tests.</summary>
    public abstract void Validate();

    /// <summary>Gives the cache's memory back.</summary>
    public abstract void Dispose();

    protected static long NanosecondsSince(long start) => (long)((Stopwatch.GetTimestamp() - start) * s_nanosPerTick);
}

/// <summary>A live cell with one rule.</summary>
internal sealed class LiveCell<TRules> : LiveCell where TRules : struct, IFlagRules
{
    private const int LineBytes = 64;

    private readonly PageCache<TRules> _cache;
    private readonly ObjectId _object;
    private readonly PageTouch _touch;
    private readonly bool _verify;
    private readonly int _lineShift;

    internal LiveCell(
        PageNumbering numbering, PageCacheOptions options, TRules rules, IPageSource source, LiveOptions live)
    {
        Numbering = numbering;
        _cache = new PageCache<TRules>(options, rules);
        // Otherwise the first misses would be timed with the system's page faults in them.
        _cache.Prefault();
        _object = _cache.AddObject(source, source.PageCount, dense: true);
        _touch = live.Touch;
        _verify = live.Verify;
        _lineShift = 32 - BitOperations.Log2((uint)(live.PageBytes / LineBytes));
    }

    public override PageNumbering Numbering { get; }

    public override PageCacheStatistics Statistics => _cache.Statistics;

    public override long UsedBytes => _cache.UsedBytes;

    public override void Serve(LiveThread thread, ReadOnlySpan<uint> pages, ReadOnlySpan<int> files)
    {
        PageReader[] readers = thread.ReadersOf(files);
        int untilSample = thread.UntilSample;
        ulong checksum = thread.Checksum;
        for (int i = 0; i < pages.Length; i++)
        {
            uint page = pages[i];
            bool isSample = --untilSample < 0;
            if (isSample) untilSample = LiveThread.HitsPerSample - 1;
            long start = isSample ? Stopwatch.GetTimestamp() : 0;
            long missedAt;
            using (PageLease lease = _cache.Get(_object, page, ref readers[files.IsEmpty ? 0 : files[i]], out missedAt))
            {
                if (_touch != PageTouch.None) checksum += Read(lease.Span, page);
                if (_verify) Verify(lease.Span, page);
            }

            if (missedAt != 0) thread.Misses.Record(NanosecondsSince(missedAt));
            else if (isSample) thread.Hits.Record(NanosecondsSince(start));
        }

        thread.UntilSample = untilSample;
        thread.Checksum = checksum;
        thread.Requests += pages.Length;
    }

    public override void Validate() => _cache.Validate();

    public override void Dispose() => _cache.Dispose();

    /// <summary>Reads a word, or all of them.</summary>
    private ulong Read(ReadOnlySpan<byte> bytes, uint page)
    {
        if (_touch == PageTouch.All) return Sum(MemoryMarshal.Cast<byte, Vector<ulong>>(bytes));
        // Not the first line of every page: those would compete for few places of the processor's cache.
        int line = (int)(page * 0x9E3779B1u >> _lineShift);
        return MemoryMarshal.Read<ulong>(bytes[(line * LineBytes)..]);
    }

    private static ulong Sum(ReadOnlySpan<Vector<ulong>> words)
    {
        Vector<ulong> sum = Vector<ulong>.Zero;
        foreach (Vector<ulong> word in words) sum += word;
        return Vector.Sum(sum);
    }

    private static void Verify(ReadOnlySpan<byte> bytes, uint page)
    {
        if (ModelledPageSource.Verify(Seed, page, bytes)) return;
        throw new InvalidDataException(
            $"page {page} was handed out with bytes that are not its own: the cache mixed pages up; please report it");
    }
}
