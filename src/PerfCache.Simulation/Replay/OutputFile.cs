// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Replay;

/// <summary>
/// A result file that is either complete or not there: the bytes go to a file beside it, which takes the
/// name at <see cref="Commit"/> and is removed otherwise. Opening it before a long run also shows early that
/// it can be written. A device such as <c>/dev/stdout</c> has no beside and is written directly.
/// </summary>
public sealed class OutputFile : IDisposable
{
    private readonly string _target;
    private readonly string? _partial;
    private readonly FileStream _stream;
    private bool _done;

    private OutputFile(string path, string target, string? partial)
    {
        Path = path;
        _target = target;
        _partial = partial;
        _stream = new FileStream(partial ?? target, partial is null ? FileMode.Open : FileMode.Create,
            FileAccess.Write, FileShare.Read, 128 * 1024);
    }

    /// <summary>The path as the user gave it.</summary>
    public string Path { get; }

    /// <summary>Where to write.</summary>
    public Stream Stream => _stream;

    /// <summary>Opens a file for writing.</summary>
    /// <exception cref="IOException">The file cannot be written; the message is a complete line.</exception>
    public static OutputFile Create(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            if (path.Length == 0) throw new IOException("the name is empty");
            if (Directory.Exists(path)) throw new IOException("it is a folder");
            string full = System.IO.Path.GetFullPath(path);
            bool isDevice = full.StartsWith("/dev/", StringComparison.Ordinal)
                || full.StartsWith("/proc/", StringComparison.Ordinal);
            if (isDevice) return new OutputFile(path, full, null);

            // Renaming over a symbolic link would replace the link, not the file that it names.
            string target = File.Exists(full)
                ? File.ResolveLinkTarget(full, returnFinalTarget: true)?.FullName ?? full
                : full;
            if (File.Exists(target)) File.OpenHandle(target, FileMode.Open, FileAccess.Write).Dispose();
            return new OutputFile(path, target, $"{target}.{Environment.ProcessId}.partial");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path + "x")) ?? "/";
            string reason = !Directory.Exists(folder) ? "the folder does not exist"
                : e is UnauthorizedAccessException ? "access is denied" : e.Message;
            throw new IOException($"cannot write '{path}': {reason}", e);
        }
    }

    /// <summary>Ends the file and gives it its name.</summary>
    public void Commit()
    {
        _stream.Dispose();
        if (_partial is not null) File.Move(_partial, _target, overwrite: true);
        _done = true;
    }

    /// <summary>Removes what was written unless it was committed.</summary>
    public void Dispose()
    {
        if (_done) return;
        _done = true;
        try
        {
            _stream.Dispose();
        }
        catch (IOException)
        {
            // The disk that refused the last bytes refuses the rest of the buffer too; the file goes anyway.
        }

        if (_partial is not null) File.Delete(_partial);
    }
}
