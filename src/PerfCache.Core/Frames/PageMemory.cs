// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using PerfCache.Memory;

namespace PerfCache.Frames;

/// <summary>The page data of frames: one page of bytes a frame, at an address that never changes.</summary>
/// <remarks>
/// Address space for the most frames there may ever be is reserved once; memory is committed from the first frame on
/// as the cache grows. Frame f's page is at <c>base + (f - 1) * PageBytes</c>: row 0 of the frame table is no frame and
/// has no page.
/// <code>
/// EnsureFrames ──► usable ──── Discard ───► discarded: reads as zero, not charged
///                   ▲  │  ◄─── Restore ───
///             write │  │ MarkLazyFree (lendable only)
///                   │  ▼
///              lazily free: bytes may turn to zero until the next write; still usable and charged
/// </code>
/// A cache that becomes smaller discards the frames it gives up, wherever they lie. Their addresses stay good: a reader
/// that is late reads zeros or somebody else's bytes, and finds out by the frame's version; it never faults.
/// <para>P1: frames 1 to <see cref="FrameCount"/> can be read and written at a fixed address; the number only grows.
/// </para>
/// <para>P2: <see cref="DiscardedFrames"/> of them have a bit in the discarded column; no other bit is set.</para>
/// <para>P3: <see cref="CommittedBytes"/> = FrameCount pages, rounded up to pages of the system, less DiscardedFrames
/// pages. The meter is charged with that and with <see cref="BookkeepingBytes"/>, and with nothing after dispose.
/// </para>
/// <para>P4: a frame that is new or was restored reads as zero.</para>
/// <para>P5: while a frame is discarded no huge pages are asked for: the system would fill the hole again to make one.
/// </para>
/// Thread-safe, but for the bytes themselves: who may touch a page is the frame table's business.
/// </remarks>
public sealed unsafe partial class PageMemory : IDisposable
{
    /// <summary>The smallest page.</summary>
    public const int PageBytesMin = 4096;

    /// <summary>The largest page.</summary>
    public const int PageBytesMax = 64 * 1024;

    private const int BitsPerWord = 64;

    // Taken by whoever changes what is committed, discarded or backed; never while a page is read or written.
    private readonly Lock _change = new();
    private readonly PageMemoryOptions _options;
    private readonly NativeRange _range;
    private readonly NativeColumn<ulong> _discarded;
    private readonly byte* _base;
    private readonly int _shift;

    /// <summary>Reserves address space for the pages of <paramref name="frameMax"/> frames and commits none.</summary>
    /// <param name="frameMax">The most frames there will ever be.</param>
    /// <param name="pageBytes">Bytes of a page: a power of two from 4 KiB to 64 KiB.</param>
    /// <param name="meter">The meter to charge.</param>
    /// <param name="options">How the memory is mapped; resident by default.</param>
    /// <exception cref="NativeMemoryException">The address space cannot be had.</exception>
    /// <exception cref="ArgumentException">The options do not go together.</exception>
    public PageMemory(uint frameMax, int pageBytes, MemoryMeter meter, PageMemoryOptions? options = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(frameMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frameMax, FrameId.CountMax);
        if (!IsPageSize(pageBytes))
        {
            throw new ArgumentOutOfRangeException(
                nameof(pageBytes), pageBytes, "a page is a power of two from 4096 to 65536 bytes");
        }

        _options = options ?? new PageMemoryOptions();
        _options.CheckConsistent();
        PageBytes = pageBytes;
        FrameMax = frameMax;
        _shift = BitOperations.Log2((uint)pageBytes);
        bool shared = Kind == PageMemoryKind.Shared;
        nuint alignment = _options.AdviseHugePages && OsMemory.IsReal ? OsMemory.HugePageBytes : OsMemory.PageBytes;
        _range = new NativeRange("page data", (long)frameMax << _shift, alignment, shared, meter)
        {
            UsesHugePool = _options.UsesHugePool,
        };
        try
        {
            _discarded = new NativeColumn<ulong>("discarded frames", WordCount(frameMax), meter);
        }
        catch (NativeMemoryException)
        {
            _range.Dispose();
            throw;
        }

        // Biased by one page, so that a row of the frame table needs no subtraction.
        _base = _range.Address - pageBytes;
        _range.TryAdviseAll(_options.AdviseHugePages ? MemoryAdvice.HugePage : MemoryAdvice.NoHugePage);
        if (_options.AdviseDontFork) _range.TryAdviseAll(MemoryAdvice.DontFork);
        if (_options.AdviseDontDump) _range.TryAdviseAll(MemoryAdvice.DontDump);
    }

    /// <summary>What the page data lies in.</summary>
    public PageMemoryKind Kind => _options.Kind;

    /// <summary>Bytes of a page.</summary>
    public int PageBytes { get; }

    /// <summary>The most frames there will ever be.</summary>
    public uint FrameMax { get; }

    /// <summary>Frames that have a page, the discarded ones included: 1 to this number.</summary>
    public uint FrameCount { get; private set; }

    /// <summary>Frames that were given back and not restored.</summary>
    public uint DiscardedFrames { get; private set; }

    /// <summary>Bytes of the usable frames: what the meter is charged with for page data.</summary>
    public long CommittedBytes => _range.ChargedBytes;

    /// <summary>Bytes that the meter is charged with for knowing which frames are discarded.</summary>
    public long BookkeepingBytes => _discarded.CommittedBytes;

    /// <summary>
    /// The descriptor of the file that shared page data lies in, for handing it to another process: frame f begins at
    /// <c>(f - 1) * PageBytes</c>. Owned by this object; -1 for the other kinds.
    /// </summary>
    public int SharedFile => _range.File;

    /// <summary>True for a power of two from 4 KiB to 64 KiB.</summary>
    public static bool IsPageSize(int pageBytes) =>
        pageBytes is >= PageBytesMin and <= PageBytesMax && BitOperations.IsPow2(pageBytes);

    /// <summary>
    /// What <paramref name="frames"/> usable frames charge to the meter, bookkeeping included: for a cache that has a
    /// bound of bytes to divide.
    /// </summary>
    public static long BytesFor(uint frames, int pageBytes) =>
        RoundUp(frames * (long)pageBytes) + (frames == 0 ? 0 : RoundUp(WordCount(frames) * sizeof(ulong)));

    /// <summary>
    /// Makes the pages of the first <paramref name="count"/> frames usable; new ones are zero. It commits and charges
    /// exactly that, so a cache that grows page by page asks for several at once.
    /// </summary>
    /// <exception cref="NativeMemoryException">The memory cannot be had; no frame is new.</exception>
    public void EnsureFrames(uint count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, FrameMax);
        lock (_change)
        {
            if (count <= FrameCount) return;
            // First, so that giving memory back never needs memory.
            _discarded.EnsureLengthExact(WordCount(count));
            _range.Commit((long)count << _shift);
            FrameCount = count;
        }
    }

    /// <summary>
    /// Says from which nodes the pages of neighbouring frames are to be backed when they are touched for the first time.
    /// The frames need not be usable yet; pages that were touched stay where they are.
    /// </summary>
    /// <remarks>
    /// Where the system's page is larger than a frame's, the part must be whole pages of the system. Parts that are whole
    /// huge pages (2 MiB, counted from frame 1) keep all of theirs; a huge page is never backed from two parts.
    /// </remarks>
    /// <returns>0, or the system's error number, which <see cref="Describe"/> tells too: the memory works, and may be
    /// anywhere.</returns>
    public int Bind(FrameId first, uint count, NumaPlacement placement)
    {
        ArgumentNullException.ThrowIfNull(placement);
        ArgumentOutOfRangeException.ThrowIfZero(first.Value);
        ArgumentOutOfRangeException.ThrowIfZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first.Value + (ulong)count - 1, FrameMax);
        lock (_change) return _range.Bind(Offset(first.Value), (long)count << _shift, placement);
    }

    /// <summary>The page of a frame that <see cref="EnsureFrames"/> has covered.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Page(FrameId frame) => new(Address(frame), PageBytes);

    /// <summary>The frame whose page begins at an address.</summary>
    internal FrameId FrameAt(byte* address) => new((uint)((nuint)(address - _base) >> _shift));

    /// <summary>The number of the system's page in which the page of a frame begins.</summary>
    internal long PageNumberOf(FrameId frame) => (long)((nuint)Address(frame) / OsMemory.PageBytes);

    /// <summary>Where the page of a frame begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* Address(FrameId frame) => _base + ((nuint)frame.Value << _shift);

    /// <summary>Asks for the beginning of a frame's page: its translation and its first line.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Prefetch(FrameId frame)
    {
        if (Sse.IsSupported) Sse.Prefetch0(Address(frame));
    }

    /// <summary>Gives all memory and address space back.</summary>
    public void Dispose()
    {
        lock (_change)
        {
            _range.Dispose();
            _discarded.Dispose();
            FrameCount = 0;
            DiscardedFrames = 0;
        }
    }

    // Row 0 has a bit too, which is never set.
    private static long WordCount(uint frames) => (frames / BitsPerWord) + 1;

    private static long RoundUp(long bytes) =>
        (bytes + (long)OsMemory.PageBytes - 1) / (long)OsMemory.PageBytes * (long)OsMemory.PageBytes;
}
