// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache.Sources;

/// <summary>The pages of a file.</summary>
/// <remarks>
/// Page p is the bytes from <c>p * PageBytes</c> on. The source believes in one length: that of the file when
/// it was opened or <see cref="Refresh"/>ed last, or the end of the farthest write since where it may grow.
/// The last page is short where that length is no multiple of the page; bytes that somebody else appended are
/// not seen before the next Refresh, and a file that somebody else cut is an error, not a page of zeros.
/// <para>
/// <b>Writing the end.</b> A file that may not grow keeps its length: of a whole page given for the short
/// last page only the file's bytes are written, and pages beyond are refused. A file that may grow takes what
/// it is given: a whole page for the last one makes the file longer, and a shorter last buffer ends the file
/// where it ends. Nothing is ever cut off, and pages skipped are holes, which read as zeros.
/// </para>
/// <para>
/// <b>Direct I/O</b> moves whole sectors between the device and aligned memory. So a file opened that way is
/// opened twice: whole pages go past the kernel's page cache, while a short tail, and the rest of a read that
/// stopped between two sectors, go through it. The kernel keeps the two coherent. <see cref="IsDirect"/> says
/// what was got.
/// </para>
/// <para>
/// Reads and writes that move less than asked for are continued, and those that a signal interrupts are
/// repeated. After a failed write the pages on disk may hold old bytes, new ones or both. After a failed
/// flush Linux forgets which pages were not written: write them all again, a second flush alone proves
/// nothing. Thread-safe.
/// </para>
/// </remarks>
public sealed partial class FilePageSource : IPageSource, IDisposable
{
    // Sectors are 512 or 4096 bytes. A page size is a multiple of both, and so the contract's buffers are
    // aligned.
    private const int SectorBytesMax = PageMemory.PageBytesMin;

    private readonly SafeFileHandle _buffered;
    private readonly SafeFileHandle? _direct;
    private readonly Lock _lengthLock = new();
    private long _lengthBytes;

    /// <summary>The file's path, as it was given.</summary>
    public string Path { get; }

    /// <summary>Bytes of a page.</summary>
    public int PageBytes { get; }

    /// <summary>The length of the file as the source knows it.</summary>
    public long LengthBytes => Volatile.Read(ref _lengthBytes);

    /// <inheritdoc/>
    public ulong PageCount => ((ulong)LengthBytes + (ulong)PageBytes - 1) / (ulong)PageBytes;

    /// <inheritdoc/>
    /// <remarks>False: the platform reads files on threads of its pool. <see cref="ReadAsync"/> works all the
    /// same, and frees the caller's thread at the price of another one.</remarks>
    public bool IsAsync => false;

    /// <inheritdoc/>
    public bool CanWrite { get; }

    /// <summary>True when writes beyond the end make the file longer.</summary>
    public bool CanGrow { get; }

    /// <summary>True when whole pages go past the kernel's page cache.</summary>
    public bool IsDirect => _direct is not null;

    /// <summary>Why they do not although it was asked for; otherwise null.</summary>
    public string? DirectIoRefusal { get; }

    /// <inheritdoc/>
    public int ValidBytes(ulong page, int pageBytes)
    {
        long rest = page >= PageCount ? 0 : LengthBytes - ((long)page * PageBytes);
        // Behind the end there is nothing: what is written there is a page.
        return rest <= 0 ? pageBytes : (int)Math.Min(rest, pageBytes);
    }

    /// <summary>Asks for the file's length again.</summary>
    /// <returns>The number of pages that there are now.</returns>
    public ulong Refresh()
    {
        CheckOpen();
        // Under the lock: a write that lengthened the file before the question is in the answer, and one
        // after it raises the answer.
        lock (_lengthLock) Volatile.Write(ref _lengthBytes, RandomAccess.GetLength(_buffered));
        return PageCount;
    }

    /// <inheritdoc/>
    public unsafe int Read(ulong page, Span<byte> destination)
    {
        CheckOpen();
        if (destination.Length != PageBytes) throw NotAPage(destination.Length, nameof(destination));
        int expected = (int)BytesFrom(page, PageBytes);
        if (expected == 0) return 0;
        long offset = (long)page * PageBytes;
        fixed (byte* address = destination) CheckAligned((nuint)address, nameof(destination));
        int done = 0;
        try
        {
            while (done < expected)
            {
                int got = RandomAccess.Read(HandleAt(offset + done), destination[done..], offset + done);
                if (got == 0) throw EndedEarly(offset, expected, done);
                done += got;
            }
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw Failed("reading", offset, expected, e);
        }

        return expected;
    }

    /// <inheritdoc/>
    public ValueTask<long> ReadAsync(
        ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(destinations);
        CheckOpen();
        for (int i = 0; i < destinations.Count; i++)
        {
            Memory<byte> page = destinations[i];
            if (page.Length != PageBytes) throw NotAPage(page.Length, nameof(destinations));
            CheckAligned(page, nameof(destinations));
        }

        long expected = BytesFrom(firstPage, (long)destinations.Count * PageBytes);
        if (expected == 0) return new ValueTask<long>(0);
        return ReadFileAsync((long)firstPage * PageBytes, destinations, expected, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask WriteAsync(
        ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(pages);
        CheckOpen();
        if (!CanWrite)
        {
            throw new IOException(
                $"cannot write page {firstPage} of '{Path}': it is open for reading only; "
                + $"open it without {nameof(FilePageSourceOptions.ReadOnly)}");
        }

        if (pages.Count == 0) return default;
        long given = CheckPages(pages);
        if (firstPage > (ulong)((long.MaxValue - given) / PageBytes))
        {
            throw new ArgumentOutOfRangeException(
                nameof(firstPage), firstPage, $"'{Path}': no file is as long as that page is far");
        }

        long offset = (long)firstPage * PageBytes;
        long length = LengthBytes;
        if (!CanGrow)
        {
            if (firstPage + (ulong)pages.Count > PageCount)
            {
                throw new IOException(
                    $"cannot write pages {firstPage} to {firstPage + (ulong)pages.Count - 1} of '{Path}': "
                    + $"it has {PageCount} pages and may not grow; "
                    + $"open it with {nameof(FilePageSourceOptions.CanGrow)}");
            }

            given = Math.Min(given, length - offset);
        }

        if (given % PageBytes != 0 && offset + given < length)
            throw NotAPage(pages[^1].Length, nameof(pages));
        return WriteFileAsync(offset, pages, given, cancellation);
    }

    /// <inheritdoc/>
    /// <remarks>On a thread of the pool; once begun it is not cancelled.</remarks>
    public async ValueTask FlushAsync(CancellationToken cancellation)
    {
        CheckOpen();
        if (!CanWrite) return;
        try
        {
            // Both handles are one file: its pages in the kernel's cache, its length and the device's own
            // cache.
            await Task.Run(() => RandomAccess.FlushToDisk(_buffered), cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw WithNumber(
                new IOException(
                    $"flushing '{Path}' ({LengthBytes} bytes) failed: {e.Message}; "
                    + "what was written since the last flush may be lost: write it again", e));
        }
    }

    /// <summary>Closes the file. What was written and not flushed is the operating system's
    /// business.</summary>
    public void Dispose()
    {
        _direct?.Dispose();
        _buffered.Dispose();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<long> ReadFileAsync(
        long offset, IReadOnlyList<Memory<byte>> destinations, long expected, CancellationToken cancellation)
    {
        long done = 0;
        try
        {
            // One call as a rule. The kernel takes at most 1024 buffers and 2 GiB at once, and may stop
            // earlier.
            IReadOnlyList<Memory<byte>> rest = destinations;
            while (done < expected)
            {
                SafeFileHandle handle = HandleAt(offset + done);
                long got = await RandomAccess.ReadAsync(handle, rest, offset + done, cancellation)
                    .ConfigureAwait(false);
                if (got == 0) throw EndedEarly(offset, expected, done);
                done += got;
                if (done < expected) rest = PageBuffers.Behind(destinations, done);
            }
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw Failed("reading", offset, expected, e);
        }

        return expected;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteFileAsync(
        long offset, IReadOnlyList<ReadOnlyMemory<byte>> pages, long bytes, CancellationToken cancellation)
    {
        try
        {
            // The platform continues a short write by itself.
            int tail = _direct is null ? 0 : (int)(bytes % PageBytes);
            if (bytes > tail)
            {
                IReadOnlyList<ReadOnlyMemory<byte>> front = PageBuffers.Before(pages, bytes - tail);
                await RandomAccess.WriteAsync(_direct ?? _buffered, front, offset, cancellation)
                    .ConfigureAwait(false);
            }

            if (tail > 0)
            {
                ReadOnlyMemory<byte> last = pages[(int)(bytes / PageBytes)][..tail];
                await RandomAccess.WriteAsync(_buffered, last, offset + bytes - tail, cancellation)
                    .ConfigureAwait(false);
            }
        }
        catch (Exception e) when (IsFailure(e))
        {
            throw Failed("writing", offset, bytes, e);
        }

        if (offset + bytes <= LengthBytes) return;
        lock (_lengthLock) Volatile.Write(ref _lengthBytes, Math.Max(_lengthBytes, offset + bytes));
    }

    // How many of the bytes asked for there are.
    private long BytesFrom(ulong page, long bytes)
    {
        long length = LengthBytes;
        return page >= PageCount ? 0 : Math.Clamp(length - ((long)page * PageBytes), 0, bytes);
    }

    private SafeFileHandle HandleAt(long offset) =>
        _direct is null || offset % SectorBytesMax != 0 ? _buffered : _direct;

    private long CheckPages(IReadOnlyList<ReadOnlyMemory<byte>> pages)
    {
        for (int i = 0; i < pages.Count; i++)
        {
            int length = pages[i].Length;
            bool isPage = length == PageBytes || (i == pages.Count - 1 && length > 0 && length < PageBytes);
            if (!isPage) throw NotAPage(length, nameof(pages));
            CheckAligned(pages[i], nameof(pages));
        }

        return ((long)(pages.Count - 1) * PageBytes) + pages[^1].Length;
    }

    private unsafe void CheckAligned(ReadOnlyMemory<byte> buffer, string parameter)
    {
        if (_direct is null) return;
        using MemoryHandle pinned = buffer.Pin();
        CheckAligned((nuint)pinned.Pointer, parameter);
    }

    // Some devices take any address and others none but whole sectors; the answer should not depend on the
    // device.
    private void CheckAligned(nuint address, string parameter)
    {
        if (_direct is null || address % SectorBytesMax == 0) return;
        throw new ArgumentException(
            $"'{Path}': direct I/O needs buffers at multiples of {SectorBytesMax} bytes, "
            + $"this one is {address % SectorBytesMax} bytes behind one; "
            + $"use page memory, or open the file with {nameof(DirectIo)}.{nameof(DirectIo.Off)}",
            parameter);
    }

    private void CheckOpen()
    {
        if (!_buffered.IsClosed) return;
        throw new ObjectDisposedException(nameof(FilePageSource), $"'{Path}' was closed");
    }

    private ArgumentException NotAPage(int length, string parameter) => new(
        $"'{Path}': {length} bytes where a page of {PageBytes} belongs; "
        + "only the end of the file may be shorter",
        parameter);

    // The platform tells a file that would be too long by an argument out of range.
    private static bool IsFailure(Exception e) =>
        e is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException;

    private IOException Failed(string verb, long offset, long bytes, Exception e) =>
        e is EndOfStreamException ended
            ? ended
            : WithNumber(new IOException(
                $"{verb} {bytes} bytes at offset {offset} of '{Path}' failed: {ReasonOf(e)}; {AdviceFor(e)}",
                e));

    // The operating system's error number, for those who tell a full disk from a broken one.
    private static IOException WithNumber(IOException failure)
    {
        failure.HResult = failure.InnerException!.HResult;
        return failure;
    }

    private EndOfStreamException EndedEarly(long offset, long bytes, long done) => new(
        $"reading {bytes} bytes at offset {offset} of '{Path}' found {done}: "
        + "the file was cut after it was opened; "
        + $"call {nameof(Refresh)} and invalidate the pages beyond its end");

    private static string ReasonOf(Exception e) =>
        e is ArgumentOutOfRangeException ? "the file would become too long" : e.Message;

    private string AdviceFor(Exception e) => e switch
    {
        ArgumentOutOfRangeException => "raise the limit of file sizes, or use another file system",
        { HResult: OsFile.NoSpace or OsFile.QuotaExceeded } => "free some space and write the pages again",
        { HResult: OsFile.InvalidArgument } when IsDirect =>
            "the device asks for other units in direct I/O: "
            + $"open the file with {nameof(DirectIo)}.{nameof(DirectIo.Off)}",
        _ => "check the device and try again",
    };
}
