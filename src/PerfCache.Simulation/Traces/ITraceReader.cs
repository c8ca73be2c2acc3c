// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>A stream of requests. Not thread-safe; one owner at a time.</summary>
public interface ITraceReader : IDisposable
{
    /// <summary>The name to print: the path as the user gave it, or the generator's text.</summary>
    string Name { get; }

    /// <summary>The format being read (for <c>auto</c>: the one detected), or the generator's name.</summary>
    string Format => "";

    /// <summary>The names of files that the trace has told so far, by file number; mostly empty.</summary>
    IReadOnlyDictionary<int, string> FileNames => NoFileNames.Instance;

    /// <summary>The optional columns that this trace has.</summary>
    TraceColumns Columns { get; }

    /// <summary>
    /// How far the reader is, from 0 to 1 (bytes of the file consumed, or requests generated), or a
    /// negative number when the length is unknown (standard input).
    /// </summary>
    double Progress { get; }

    /// <summary>
    /// Fills <paramref name="block"/> with the next requests and sets its <see cref="TraceBlock.Count"/>.
    /// </summary>
    /// <returns>False at the end of the trace, with a count of 0; a block that is not full does not mean
    /// the end.</returns>
    /// <exception cref="TraceFormatException">The input is not what its format promises.</exception>
    bool Read(TraceBlock block);
}

/// <summary>A trace that can be opened any number of times, each reader starting at the first
/// request.</summary>
public interface ITraceSource
{
    /// <summary>The name to print: the path as the user gave it, or the generator's text.</summary>
    string Name { get; }

    /// <summary>False for standard input: only one reader can be opened.</summary>
    bool CanReopen { get; }

    /// <summary>Opens a reader at the first request.</summary>
    /// <exception cref="TraceFormatException">The trace cannot be opened or is not in the format
    /// named.</exception>
    ITraceReader Open();

    /// <summary>
    /// Writes a page as the trace itself wrote it: <c>PAGE</c>, <c>FILE PAGE</c>, or <c>0xHEX</c> for
    /// address traces. Ask after the first <see cref="Open"/>: only then is it known whether a text trace
    /// has files.
    /// </summary>
    /// <param name="file">The file number of the request; ignored where the trace has none.</param>
    /// <param name="id">The page id.</param>
    string FormatPage(int file, ulong id);
}

/// <summary>The one empty dictionary that readers without file names share.</summary>
internal static class NoFileNames
{
    internal static readonly IReadOnlyDictionary<int, string> Instance = new Dictionary<int, string>();
}
