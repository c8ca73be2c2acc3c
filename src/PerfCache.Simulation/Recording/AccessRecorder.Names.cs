// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Recording;

/// <summary>Names of files: which file has which, and what becomes of files that lose theirs.</summary>
public sealed partial class AccessRecorder
{
    private static readonly string[] s_outside = ["/dev/", "/proc/", "/sys/", "/memfd:", "/SYSV", "/anon_hugepage"];

    private readonly Dictionary<string, RecordedFile> _files = [];

    /// <summary>True when a descriptor's name is that of a regular file on a disk.</summary>
    private static bool IsRegular(string path) =>
        path.Length > 1 && path[0] == '/'
        && !s_outside.Any(outside => path.StartsWith(outside, StringComparison.Ordinal));

    /// <summary>The file that has a name now.</summary>
    private RecordedFile FileOf(string path, bool isNew, bool isEmpty = false)
    {
        if (_files.TryGetValue(path, out RecordedFile? file))
        {
            if (!isNew) return file;
            Unlink(file);
        }

        long size = isNew || isEmpty ? 0 : _fileBytes(EscapedText.ToUtf8(path));
        bool isWanted = _options.Only is not { } only || EscapedText.ToUtf8(path).StartsWith(only, StringComparison.Ordinal);
        file = new RecordedFile(path, size) { IsWanted = isWanted };
        _files[path] = file;
        return file;
    }

    private bool NameCall(RecordedTask task, string name, in CallArguments call)
    {
        switch (name)
        {
            case "rename" when TryPath(task, call, -1, 0, out string from) && TryPath(task, call, -1, 1, out string to):
                Rename(from, to, exchanges: false);
                return true;
            case "renameat" or "renameat2"
                when TryPath(task, call, 0, 1, out string from) && TryPath(task, call, 2, 3, out string to):
                Rename(from, to, call.Has(4, "RENAME_EXCHANGE"u8));
                return true;
            case "unlink" when TryPath(task, call, -1, 0, out string path):
                UnlinkName(path);
                return true;
            case "unlinkat" when TryPath(task, call, 0, 1, out string path):
                UnlinkName(path);
                return true;
            case "truncate" when TryPath(task, call, -1, 0, out string path) && call.TryNumber(1, out long size):
                if (_files.TryGetValue(path, out RecordedFile? file)) Truncate(file, size);
                return true;
            default:
                return false;
        }
    }

    /// <summary>The absolute path of an argument, which may be relative to a folder in another argument.</summary>
    private static bool TryPath(RecordedTask task, in CallArguments call, int folderIndex, int index, out string path)
    {
        string folder = task.Folder.Path;
        if (folderIndex >= 0 && call.TryDescriptor(folderIndex, out _, out ReadOnlySpan<byte> shown) && !shown.IsEmpty)
            folder = EscapedText.Decode(shown);
        if (!call.TryText(index, out path)) return false;
        path = Combine(folder, path);
        return true;
    }

    /// <summary>Joins a folder and a path, and leaves out what says "here" and "above". Symbolic links are not known
    /// here.</summary>
    internal static string Combine(string folder, string path)
    {
        List<string> parts = [];
        string whole = path.StartsWith('/') ? path : folder + "/" + path;
        foreach (string part in whole.Split('/'))
        {
            if (part == ".." && parts.Count > 0) parts.RemoveAt(parts.Count - 1);
            else if (part is not ("" or "." or "..")) parts.Add(part);
        }

        return "/" + string.Join('/', parts);
    }

    private void Rename(string from, string to, bool exchanges)
    {
        if (from == to) return;
        _files.Remove(to, out RecordedFile? replaced);
        if (_files.Remove(from, out RecordedFile? file))
        {
            file.Path = to;
            _files[to] = file;
        }
        else
        {
            RenameFolder(from, to);
        }

        if (replaced is null) return;
        if (exchanges)
        {
            replaced.Path = from;
            _files[from] = replaced;
        }
        else
        {
            Unlink(replaced);
        }
    }

    /// <summary>The name was no known file's: if it was a folder's, the files in it have other names now.</summary>
    private void RenameFolder(string from, string to)
    {
        string prefix = from + "/";
        foreach (string path in _files.Keys.Where(path => path.StartsWith(prefix, StringComparison.Ordinal)).ToArray())
        {
            _files.Remove(path, out RecordedFile? file);
            file!.Path = to + path[from.Length..];
            _files[file.Path] = file;
        }
    }

    private void UnlinkName(string path)
    {
        if (_files.Remove(path, out RecordedFile? file)) Unlink(file);
    }

    private void Unlink(RecordedFile file)
    {
        file.IsUnlinked = true;
        if (file.OpenCount == 0) _writer.Drop(file, 0, long.MaxValue);
    }

    private void Truncate(RecordedFile file, long size)
    {
        long pages = RecordedTraceWriter.PagesOf(size);
        bool isShorter = file.SizeBytes < 0 || size < file.SizeBytes;
        file.SizeBytes = size;
        if (isShorter) _writer.Drop(file, pages, long.MaxValue);
    }
}
