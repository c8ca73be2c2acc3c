// SPDX-License-Identifier: MIT
using System.Text;
using PerfCache.Simulation.Replay;

namespace PerfCache.Cli;

/// <summary>
/// The output files of a command: opened before the work, so that a wrong path shows before hours of it, and written
/// after it; those that are not written to the end leave nothing behind.
/// </summary>
internal sealed class OutputFiles : IDisposable
{
    private readonly List<OutputFile> _files = [];

    /// <summary>Opens a file; none for no path.</summary>
    /// <exception cref="OutputPathException">It cannot be opened.</exception>
    public OutputFile? Open(string? path)
    {
        if (path is null) return null;
        try
        {
            _files.Add(OutputFile.Create(path));
            return _files[^1];
        }
        catch (IOException e)
        {
            throw new OutputPathException(e.Message);
        }
    }

    /// <summary>Writes a whole file; nothing for no file.</summary>
    public static void Write(OutputFile? file, Action<TextWriter> write)
    {
        if (file is null) return;
        using (StreamWriter writer = new(file.Stream, new UTF8Encoding(false), leaveOpen: true)) write(writer);
        file.Commit();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (OutputFile file in _files) file.Dispose();
    }
}

/// <summary>
/// An output file that cannot be opened: known before the work, so it counts as wrong usage.
/// </summary>
internal sealed class OutputPathException(string message) : Exception(message);
