// SPDX-License-Identifier: MIT
using System.Text;

namespace PerfCache.Simulation.Recording;

/// <summary>The system calls that change what a descriptor or a name means.</summary>
public sealed partial class AccessRecorder
{
    /// <summary>
    /// The calls to trace, for strace's <c>-e trace=</c>. A question mark: not every machine has the call.
    /// </summary>
    public static string TracedCalls { get; } = string.Join(',',
        ((string[])
        [
            "read", "pread64", "readv", "preadv", "preadv2", "write", "pwrite64", "writev", "pwritev", "pwritev2",
            "sendfile", "sendfile64", "copy_file_range", "splice", "open", "openat", "openat2", "creat", "close",
            "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "lseek", "mmap", "mmap2", "fadvise64",
            "readahead", "truncate", "ftruncate", "rename", "renameat", "renameat2", "unlink", "unlinkat", "chdir",
            "fchdir", "fork", "vfork", "clone", "clone3", "unshare", "execve", "execveat", "io_uring_setup",
            "io_setup",
        ]).Select(call => "?" + call));

    private bool Call(int number, RecordedTask task, ReadOnlySpan<byte> name, ReadOnlySpan<byte> text)
    {
        // A call without a result: the task ended in it.
        if (!CallArguments.TryParse(text, out CallArguments call)) return text.IndexOf("= ?"u8) >= 0 || Skip();
        if (call.Result < 0) return true;
        string called = Encoding.ASCII.GetString(name);
        switch (called)
        {
            case "open":
            case "creat":
                Open(task, call, called == "creat" ? "O_TRUNC"u8 : call[1]);
                break;
            case "openat":
            case "openat2":
                if (call.TryDescriptor(0, out int at, out ReadOnlySpan<byte> folder) && at == -1 && !folder.IsEmpty)
                    task.Folder.Path = EscapedText.Decode(folder);
                Open(task, call, call[2]);
                break;
            case "close":
                Close(task, call);
                break;
            case "close_range":
                CloseRange(task, call);
                break;
            case "dup":
                Duplicate(task, call, closesOnExec: false);
                break;
            case "dup2":
            case "dup3":
                Duplicate(task, call, closesOnExec: call.Has(2, "O_CLOEXEC"u8));
                break;
            case "fcntl":
            case "fcntl64":
                Control(task, call);
                break;
            case "clone":
            case "clone3":
            case "fork":
            case "vfork":
                Clone(task, (int)call.Result, HasFlag(text, "CLONE_FILES"u8), HasFlag(text, "CLONE_FS"u8));
                break;
            case "unshare":
                if (call.Has(0, "CLONE_FILES"u8) && task.Table.References > 1)
                {
                    task.Table.References--;
                    task.Table = task.Table.Copy();
                }

                break;
            case "execve":
            case "execveat":
                Execute(task);
                break;
            case "chdir":
                if (call.TryText(0, out string path)) task.Folder.Path = Combine(task.Folder.Path, path);
                break;
            case "fchdir":
                if (call.TryDescriptor(0, out _, out ReadOnlySpan<byte> shown) && !shown.IsEmpty)
                    task.Folder.Path = EscapedText.Decode(shown);
                break;
            case "io_uring_setup":
            case "io_setup":
                _writer.HiddenReaders++;
                break;
            default:
                return NameCall(task, called, call) || TransferCall(task, called, call) || Skip();
        }

        return true;
    }

    private static bool HasFlag(ReadOnlySpan<byte> text, ReadOnlySpan<byte> flag)
    {
        int at = text.IndexOf(flag);
        return at >= 0 && (at + flag.Length == text.Length || text[at + flag.Length] is not ((byte)'_' or (byte)'S'));
    }

    private void Open(RecordedTask task, in CallArguments call, ReadOnlySpan<byte> flags)
    {
        int descriptor = (int)call.Result;
        string path = EscapedText.Decode(call.ResultPath);
        if (!IsRegular(path) || flags.IndexOf("O_PATH"u8) >= 0)
        {
            Release(task.Table.Remove(descriptor));
            return;
        }

        bool truncates = flags.IndexOf("O_TRUNC"u8) >= 0;
        // A file that must not have existed is a new one, even where the removal of the old one was not seen.
        bool isNew = flags.IndexOf("O_EXCL"u8) >= 0 && flags.IndexOf("O_CREAT"u8) >= 0;
        OpenFile file = NewOpenFile(FileOf(path, isNew, truncates), call.ResultPath);
        file.Appends = flags.IndexOf("O_APPEND"u8) >= 0;
        file.IsDirect = HasDirectFlag(flags);
        if (truncates) Truncate(file.File, 0);
        Release(task.Table.Set(descriptor, file, flags.IndexOf("O_CLOEXEC"u8) >= 0));
    }

    // O_DIRECT is the beginning of O_DIRECTORY.
    private static bool HasDirectFlag(ReadOnlySpan<byte> flags)
    {
        for (int at = flags.IndexOf("O_DIRECT"u8); at >= 0; at = flags.IndexOf("O_DIRECT"u8))
        {
            flags = flags[(at + "O_DIRECT"u8.Length)..];
            if (!flags.StartsWith("ORY"u8)) return true;
        }

        return false;
    }

    private void Close(RecordedTask task, in CallArguments call)
    {
        if (call.TryDescriptor(0, out int descriptor, out _)) Release(task.Table.Remove(descriptor));
    }

    private void CloseRange(RecordedTask task, in CallArguments call)
    {
        if (!call.TryNumber(0, out long first) || !call.TryNumber(1, out long last)) return;
        if (call.Has(2, "CLOSE_RANGE_UNSHARE"u8) && task.Table.References > 1)
        {
            task.Table.References--;
            task.Table = task.Table.Copy();
        }

        foreach (int descriptor in task.Table.In(first, last))
        {
            if (call.Has(2, "CLOSE_RANGE_CLOEXEC"u8)) task.Table.SetClosesOnExec(descriptor, true);
            else Release(task.Table.Remove(descriptor));
        }
    }

    /// <summary>The first argument is copied to the descriptor that is the result.</summary>
    private void Duplicate(RecordedTask task, in CallArguments call, bool closesOnExec)
    {
        int copy = (int)call.Result;
        if (!call.TryDescriptor(0, out int descriptor, out ReadOnlySpan<byte> path) || descriptor == copy) return;
        OpenFile? file = Resolve(task, descriptor, path);
        Release(file is null ? task.Table.Remove(copy) : task.Table.Set(copy, file, closesOnExec));
    }

    private void Control(RecordedTask task, in CallArguments call)
    {
        if (call.Has(1, "F_DUPFD"u8)) Duplicate(task, call, closesOnExec: false);
        else if (call.Has(1, "F_DUPFD_CLOEXEC"u8)) Duplicate(task, call, closesOnExec: true);
        else if (call.Has(1, "F_SETFD"u8) && call.TryDescriptor(0, out int descriptor, out _))
            task.Table.SetClosesOnExec(descriptor, call.Has(2, "FD_CLOEXEC"u8));
        else if (call.Has(1, "F_SETFL"u8) && Argument(task, call, 0) is { } file)
            file.Appends = call.Has(2, "O_APPEND"u8);
    }

    /// <summary>The open file that an argument leads to; null for pipes, sockets and devices.</summary>
    private OpenFile? Argument(RecordedTask task, in CallArguments call, int index) =>
        call.TryDescriptor(index, out int descriptor, out ReadOnlySpan<byte> path) ? Resolve(task, descriptor, path) : null;

    private OpenFile? Resolve(RecordedTask task, int descriptor, ReadOnlySpan<byte> shown)
    {
        OpenFile? file = task.Table.Find(descriptor);
        if (file is not null && (shown.IsEmpty || shown.SequenceEqual(file.ShownPath))) return file;
        if (shown.IsEmpty) return null;
        string path = EscapedText.Decode(shown);
        if (!IsRegular(path))
        {
            Release(task.Table.Remove(descriptor));
            return null;
        }

        if (file is not null && Renames(file, path))
        {
            file.ShownPath = shown.ToArray();
            return file;
        }

        // Opened where nobody looked: handed over by another process, or before the recording.
        _writer.UnseenOpens++;
        file = NewOpenFile(FileOf(path, isNew: false), shown);
        Release(task.Table.Set(descriptor, file, closesOnExec: false));
        return file;
    }

    /// <summary>True when the same file is shown by another name.</summary>
    private bool Renames(OpenFile file, string path)
    {
        if (_files.TryGetValue(path, out RecordedFile? known)) return known == file.File;
        if (!file.File.IsUnlinked)
        {
            // By a process that is not recorded, or with the folder that it is in.
            _files.Remove(file.File.Path);
            file.File.Path = path;
            _files[path] = file.File;
        }

        return true;
    }

    private static OpenFile NewOpenFile(RecordedFile file, ReadOnlySpan<byte> shown)
    {
        file.OpenCount++;
        return new OpenFile(file) { ShownPath = shown.ToArray() };
    }

    /// <summary>A descriptor does not lead to this file any more.</summary>
    private void Release(OpenFile? open)
    {
        if (open is null || open.References > 0) return;
        _writer.FreeReader(open);
        RecordedFile file = open.File;
        if (--file.OpenCount > 0) return;
        if (file.IsUnlinked) _writer.Drop(file, 0, long.MaxValue);
        else if (file.Number == 0) _files.Remove(file.Path);
    }
}
