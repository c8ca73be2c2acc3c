// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Recording;

/// <summary>The system calls that move bytes of files.</summary>
public sealed partial class AccessRecorder
{
    /// <summary>The most that one call moves: the kernel's own limit.</summary>
    private const long TransferBytesMax = int.MaxValue;

    /// <summary>No file reaches so far; what says so is no line of strace.</summary>
    private const long PlaceMax = 1L << 60;

    private bool TransferCall(RecordedTask task, string name, in CallArguments call)
    {
        switch (name)
        {
            case "read" or "readv":
                return Read(Argument(task, call, 0), null, call.Result);
            case "pread64" or "preadv" or "preadv2":
                return call.TryNumber(3, out long readAt) && Read(Argument(task, call, 0), Place(readAt), call.Result);
            case "write" or "writev":
                return Write(Argument(task, call, 0), null, call.Result);
            case "pwrite64" or "pwritev" or "pwritev2":
                return call.TryNumber(3, out long writtenAt)
                    && Write(Argument(task, call, 0), Place(writtenAt), call.Result);
            case "sendfile" or "sendfile64":
                Read(Argument(task, call, 1), Pointed(call, 2), call.Result);
                return Write(Argument(task, call, 0), null, call.Result);
            case "copy_file_range":
                Read(Argument(task, call, 0), Pointed(call, 1), call.Result);
                return Write(Argument(task, call, 2), Pointed(call, 3), call.Result);
            case "splice":
                Splice(task, call);
                return true;
            case "lseek":
                Seek(task, call);
                return true;
            case "mmap" or "mmap2":
                Map(task, call);
                return true;
            case "ftruncate":
                if (call.TryNumber(1, out long size) && Argument(task, call, 0) is { } cut) Truncate(cut.File, size);
                return true;
            case "fadvise64" or "readahead":
                Advise(task, call, name == "readahead");
                return true;
            default:
                return false;
        }
    }

    /// <summary>The calls with a place of their own mean the position when it is -1.</summary>
    private static long? Place(long offset) => offset < 0 ? null : offset;

    private static long? Pointed(in CallArguments call, int index) =>
        call.TryPointedNumber(index, out long offset) ? offset : null;

    private bool Read(OpenFile? open, long? place, long bytes)
    {
        if (bytes > TransferBytesMax) return false;
        _writer.CountRead(open, bytes);
        if (open is null) return true;
        long at = place ?? open.Position;
        if (at > PlaceMax) return false;
        if (place is null) open.Position += bytes;
        Grow(open.File, at + bytes);
        if (!open.IsDirect && open.File.IsWanted) _writer.Read(open, at, bytes);
        return true;
    }

    private bool Write(OpenFile? open, long? place, long bytes)
    {
        if (bytes > TransferBytesMax) return false;
        _writer.CountWrite(open, bytes);
        if (open is null) return true;
        RecordedFile file = open.File;
        // The kernel appends even what was given a place.
        long at = open.Appends && file.SizeBytes >= 0 ? file.SizeBytes : place ?? open.Position;
        if (at > PlaceMax) return false;
        if (place is null) open.Position = at + bytes;
        if (!open.IsDirect && file.IsWanted) _writer.Write(open, at, bytes);
        Grow(file, at + bytes);
        return true;
    }

    /// <summary>A file reaches at least so far. Where nobody knows how far it did before, that stays so.</summary>
    private static void Grow(RecordedFile file, long bytes)
    {
        if (file.SizeBytes >= 0) file.SizeBytes = Math.Max(file.SizeBytes, bytes);
    }

    /// <summary>One side is a pipe: its bytes are no system call's reads or writes, only those of the file count.</summary>
    private void Splice(RecordedTask task, in CallArguments call)
    {
        OpenFile? from = Argument(task, call, 0);
        OpenFile? to = Argument(task, call, 2);
        if (from is not null) Read(from, Pointed(call, 1), call.Result);
        if (to is not null) Write(to, Pointed(call, 3), call.Result);
    }

    private void Seek(RecordedTask task, in CallArguments call)
    {
        if (Argument(task, call, 0) is not { } open) return;
        open.Position = call.Result;
        // The end of the file, told by the kernel itself.
        if (call.Has(2, "SEEK_END"u8) && call.TryNumber(1, out long distance) && distance == 0)
            open.File.SizeBytes = call.Result;
    }

    private void Map(RecordedTask task, in CallArguments call)
    {
        if (!call.TryNumber(1, out long bytes) || bytes <= 0 || call.Has(3, "MAP_ANONYMOUS"u8)) return;
        if (!call.TryNumber(5, out long offset) || offset is < 0 or > PlaceMax || Argument(task, call, 4) is not { } open) return;
        if (!open.File.IsWanted) return;
        long size = open.File.SizeBytes;
        if (size >= 0) bytes = Math.Min(bytes, size - offset);
        if (bytes > PlaceMax) return;
        if (bytes <= 0) return;
        bool isRead = call.Has(3, "MAP_POPULATE"u8) || _options.CountsMappings;
        _writer.Map(open, offset, bytes, isRead);
    }

    private void Advise(RecordedTask task, in CallArguments call, bool isReadahead)
    {
        if (!call.TryNumber(1, out long offset) || !call.TryNumber(2, out long bytes)) return;
        if (offset < 0 || bytes < 0 || Argument(task, call, 0) is not { } open || !open.File.IsWanted) return;
        long first = offset / RecordedTraceWriter.PageBytes;
        long end = bytes == 0 ? long.MaxValue : RecordedTraceWriter.PagesOf(SaturatingSum(offset, bytes));
        if (isReadahead || call.Has(3, "POSIX_FADV_WILLNEED"u8)) _writer.Ahead(open, first, end);
        else if (call.Has(3, "POSIX_FADV_DONTNEED"u8)) _writer.Drop(open.File, first, end);
        else if (call.Has(3, "POSIX_FADV_RANDOM"u8)) _writer.Advice(open, "random");
        else if (call.Has(3, "POSIX_FADV_SEQUENTIAL"u8)) _writer.Advice(open, "sequential");
        else if (call.Has(3, "POSIX_FADV_NORMAL"u8)) _writer.Advice(open, "normal");
    }

    private static long SaturatingSum(long offset, long bytes) =>
        offset > long.MaxValue - bytes ? long.MaxValue : offset + bytes;
}
