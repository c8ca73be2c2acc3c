// SPDX-License-Identifier: MIT
using PerfCache.Cache.Nodes;
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>How a <see cref="PageCache{TRules}"/> is made. Values that make no sense are refused when it is.</summary>
public sealed record PageCacheOptions
{
    /// <summary>The least capacity, in pages' worth of bytes: below, there is nothing to choose victims from.</summary>
    public const int PagesMin = 8;

    /// <summary>The bound in bytes: page data and metadata together never exceed it. Reserved address space does not
    /// count.</summary>
    public required long CapacityBytes { get; init; }

    /// <summary>The bytes to which the cache may be resized later; address space is reserved for it at the start. By
    /// default, and at least, <see cref="CapacityBytes"/>.</summary>
    public long CapacityBytesMax { get; init; }

    /// <summary>Bytes of a page: a power of two from 4 KiB to 64 KiB.</summary>
    public int PageBytes { get; init; } = PageMemory.PageBytesMin;

    /// <summary>The cache's name, in metrics and messages.</summary>
    public string Name { get; init; } = "page cache";

    /// <summary>What kind of memory holds the pages.</summary>
    public PageMemoryOptions Memory { get; init; } = new();

    /// <summary>
    /// True for a thread that keeps frames free ahead of need; a miss that finds none reclaims itself either way.
    /// </summary>
    public bool BackgroundReclaim { get; init; } = true;

    /// <summary>
    /// How many activations (hits that the rule wants to hear of) a stripe gathers before it takes the lock; 1 to 256.
    /// At 1 each is told at once, as in a replay: for one thread.
    /// </summary>
    public int ActivationBatch { get; init; } = 32;

    /// <summary>True to count hits, which costs a store a hit; misses and everything rarer are always counted.</summary>
    public bool CountHits { get; init; }

    /// <summary>
    /// The most pages that sequential reads are served ahead of need, at a time; 0 for no readahead. It costs 2 bytes a
    /// frame.
    /// </summary>
    public int ReadaheadPagesMax { get; init; }

    /// <summary>The NUMA nodes that frames are dealt out to; null for memory that lies wherever the system puts it.
    /// </summary>
    public NodeOptions? Nodes { get; init; }

    /// <summary>How long <see cref="PageCache{TRules, TProbe}.Dispose"/> waits for leases, and a writer or a miss for
    /// those who hold what it needs.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>When and how changed pages go to their source.</summary>
    public WriteBackOptions WriteBack { get; init; } = new();

    /// <summary>Memory beyond the cache's own into which clean pages overflow, and which is asked before their source; null
    /// for none. It belongs to this cache alone; dispose it after the cache.</summary>
    public IOverflowTier? Overflow { get; init; }

    /// <summary>Called for each page that leaves, after the fact and without a lock; it must not throw.</summary>
    public Action<ObjectId, ulong, EvictionReason>? Evicted { get; init; }

    /// <summary>The exact number of frames, or null for as many as fit: what <see cref="ForFrames"/> fixes.</summary>
    internal uint? FrameCount { get; private init; }

    /// <summary>Options of a cache with exactly this many frames, whose bound leaves room for a dense index: to compare it
    /// with a replay.</summary>
    /// <param name="frames">The frames, at least <see cref="PagesMin"/>.</param>
    /// <param name="pageBytes">Bytes of a page.</param>
    public static PageCacheOptions ForFrames(uint frames, int pageBytes = PageMemory.PageBytesMin) => new()
    {
        // Rows, leaves that hold one page each at worst, and what small columns grow by.
        CapacityBytes = (frames * (pageBytes + (long)FrameTable.BytesPerFrame + 320)) + (4 << 20),
        PageBytes = pageBytes,
        FrameCount = frames,
    };

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentException">One line that names the option, its value and what is possible.</exception>
    internal void Check()
    {
        if (!PageMemory.IsPageSize(PageBytes))
            throw Wrong(nameof(PageBytes), PageBytes, "a power of two from 4096 to 65536");
        long least = (long)PagesMin * PageBytes;
        if (CapacityBytes < least) throw Wrong(nameof(CapacityBytes), CapacityBytes, $"at least {least} ({PagesMin} pages)");
        if (CapacityBytesMax != 0 && CapacityBytesMax < CapacityBytes)
            throw Wrong(nameof(CapacityBytesMax), CapacityBytesMax, $"0 or at least CapacityBytes ({CapacityBytes})");
        if (ActivationBatch is < 1 or > ActivationBuffers.BatchMax)
            throw Wrong(nameof(ActivationBatch), ActivationBatch, $"1 to {ActivationBuffers.BatchMax}");
        if (ReadaheadPagesMax is < 0 or > ReadaheadMark.DistanceMax)
            throw Wrong(nameof(ReadaheadPagesMax), ReadaheadPagesMax, $"0 to {ReadaheadMark.DistanceMax}");
        if (Patience < TimeSpan.Zero || Patience > TimeSpan.FromDays(1))
            throw Wrong(nameof(Patience), Patience, "from 0 to one day");
        if (string.IsNullOrWhiteSpace(Name)) throw Wrong(nameof(Name), $"'{Name}'", "a name that is not blank");
        if (Memory is null) throw Wrong(nameof(Memory), "null", "options of page memory");
        if (WriteBack is null) throw Wrong(nameof(WriteBack), "null", "options of write-back");
        WriteBack.Check();
    }

    private static ArgumentException Wrong(string option, object value, string possible) =>
        new($"page cache: {option} is {value}; possible is {possible}", option);
}
