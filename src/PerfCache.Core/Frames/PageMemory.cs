// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.CompilerServices;
using PerfCache.Memory;

namespace PerfCache.Frames;

/// <summary>The page data of frames: one page of bytes a frame, at an address that never changes.</summary>
/// <remarks>
/// Address space for the most frames there may ever be is reserved once; memory is committed from the first frame on
/// as the cache grows. Frame f's page is at <c>base + (f - 1) * PageBytes</c>: row 0 of the frame table is no frame and
/// has no page.
/// </remarks>
public sealed unsafe class PageMemory : IDisposable
{
    /// <summary>The smallest page.</summary>
    public const int PageBytesMin = 4096;

    /// <summary>The largest page.</summary>
    public const int PageBytesMax = 64 * 1024;

    private readonly NativeColumn<byte> _bytes;
    private readonly byte* _base;
    private readonly int _shift;

    /// <summary>Reserves address space for the pages of <paramref name="frameMax"/> frames and commits none.</summary>
    /// <param name="frameMax">The most frames there will ever be.</param>
    /// <param name="pageBytes">Bytes of a page: a power of two from 4 KiB to 64 KiB.</param>
    /// <param name="meter">The meter to charge.</param>
    /// <exception cref="NativeMemoryException">The address space cannot be had.</exception>
    public PageMemory(uint frameMax, int pageBytes, MemoryMeter meter)
    {
        ArgumentOutOfRangeException.ThrowIfZero(frameMax);
        if (!IsPageSize(pageBytes))
        {
            throw new ArgumentOutOfRangeException(
                nameof(pageBytes), pageBytes, "a page is a power of two from 4096 to 65536 bytes");
        }

        PageBytes = pageBytes;
        FrameMax = frameMax;
        _shift = BitOperations.Log2((uint)pageBytes);
        _bytes = new NativeColumn<byte>("page data", (long)frameMax << _shift, meter);
        // Biased by one page, so that a row of the frame table needs no subtraction.
        _base = _bytes.View.Address - pageBytes;
    }

    /// <summary>Bytes of a page.</summary>
    public int PageBytes { get; }

    /// <summary>The most frames there will ever be.</summary>
    public uint FrameMax { get; }

    /// <summary>Bytes that are committed.</summary>
    public long CommittedBytes => _bytes.CommittedBytes;

    /// <summary>True for a power of two from 4 KiB to 64 KiB.</summary>
    public static bool IsPageSize(int pageBytes) =>
        pageBytes is >= PageBytesMin and <= PageBytesMax && BitOperations.IsPow2(pageBytes);

    /// <summary>Makes the pages of the first <paramref name="count"/> frames usable; new ones are zero.</summary>
    /// <exception cref="NativeMemoryException">The memory cannot be had; all is as before.</exception>
    public void EnsureFrames(uint count) => _bytes.EnsureLengthExact((long)count << _shift);

    /// <summary>The page of a frame that <see cref="EnsureFrames"/> has covered.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Page(FrameId frame) => new(Address(frame), PageBytes);

    /// <summary>Where the page of a frame begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* Address(FrameId frame) => _base + ((nuint)frame.Value << _shift);

    /// <summary>Gives all memory and address space back.</summary>
    public void Dispose() => _bytes.Dispose();
}
