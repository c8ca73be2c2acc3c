// SPDX-License-Identifier: MIT
using Microsoft.Win32.SafeHandles;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache.Sources;

/// <content>Opening: what was asked for, what was got, and the line that says why not.</content>
public sealed partial class FilePageSource
{
    private const FileShare SharedByAll = FileShare.ReadWrite | FileShare.Delete;

    private FilePageSource(
        string path, FilePageSourceOptions options, SafeFileHandle buffered, SafeFileHandle? direct,
        string? refusal)
    {
        Path = path;
        PageBytes = options.PageBytes;
        CanWrite = !options.ReadOnly;
        CanGrow = options.CanGrow;
        DirectIoRefusal = refusal;
        _buffered = buffered;
        _direct = direct;
        _lengthBytes = RandomAccess.GetLength(buffered);
    }

    /// <summary>Opens a file. Others may have it open, and open it later, unless they want it for themselves
    /// alone.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="options">How; null for pages of 4 KiB, read and written through the kernel's page
    /// cache.</param>
    /// <exception cref="IOException">The file cannot be opened as asked; the message is a complete
    /// line.</exception>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public static FilePageSource Open(string path, FilePageSourceOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new FilePageSourceOptions();
        options.Check();
        SafeFileHandle buffered = OpenBuffered(path, options);
        SafeFileHandle? direct = null;
        try
        {
            string? refusal = null;
            if (options.DirectIo != DirectIo.Off) direct = TryOpenDirect(buffered, options, out refusal);
            if (options.DirectIo == DirectIo.Required && direct is null)
            {
                throw new IOException(
                    $"cannot open '{path}' for direct I/O: {refusal}; "
                    + $"open it with {nameof(DirectIo)}.{nameof(DirectIo.IfPossible)}, "
                    + "or put it on another file system");
            }

            return new FilePageSource(path, options, buffered, direct, refusal);
        }
        catch
        {
            direct?.Dispose();
            buffered.Dispose();
            throw;
        }
    }

    private static SafeFileHandle OpenBuffered(string path, FilePageSourceOptions options)
    {
        try
        {
            return File.OpenHandle(
                path, options.Create ? FileMode.OpenOrCreate : FileMode.Open, AccessOf(options), SharedByAll,
                options.KernelReadahead ? FileOptions.None : FileOptions.RandomAccess);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotOpen(path, options, e);
        }
    }

    // A file system may refuse the flag, and it may take the flag and refuse the reads. So one page is read.
    private static SafeFileHandle? TryOpenDirect(
        SafeFileHandle buffered, FilePageSourceOptions options, out string? refusal)
    {
        if (!OsFile.KnowsDirect)
        {
            refusal = "it is known on Linux only";
            return null;
        }

        SafeFileHandle? direct = null;
        try
        {
            direct = OsFile.OpenAgain(buffered, AccessOf(options), FileOptions.None);
            int error = OsFile.SetDirect(direct);
            refusal = error == 0 ? null : $"the file system refuses ({OsFile.Describe(error)})";
            if (error == 0)
            {
                using PageMemory probe = new(1, options.PageBytes, MemoryMeter.Process);
                probe.EnsureFrames(1);
                RandomAccess.Read(direct, probe.Page(new FrameId(1)), 0);
                return direct;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            refusal = $"the file system refuses ({e.Message})";
        }

        direct?.Dispose();
        return null;
    }

    private static FileAccess AccessOf(FilePageSourceOptions options) =>
        options.ReadOnly ? FileAccess.Read : FileAccess.ReadWrite;

    private static IOException CannotOpen(string path, FilePageSourceOptions options, Exception e)
    {
        string purpose = options.ReadOnly ? "reading" : "reading and writing";
        if (Directory.Exists(path))
            return new IOException($"cannot open '{path}' for {purpose}: it is a folder; name a file", e);
        return e switch
        {
            FileNotFoundException => new FileNotFoundException(
                $"cannot open '{path}' for {purpose}: there is no such file; "
                + $"check the path, or set {nameof(FilePageSourceOptions.Create)}", path, e),
            DirectoryNotFoundException => new DirectoryNotFoundException(
                $"cannot open '{path}' for {purpose}: its folder does not exist; check the path", e),
            UnauthorizedAccessException => new IOException(
                $"cannot open '{path}' for {purpose}: permission is denied; "
                + (options.ReadOnly
                    ? "run as a user who may read it"
                    : $"run as a user who may write it, or set {nameof(FilePageSourceOptions.ReadOnly)}"), e),
            _ => new IOException(
                $"cannot open '{path}' for {purpose}: {e.Message}; check the path and the disk", e),
        };
    }
}
