// SPDX-License-Identifier: MIT
using System.Text;
using PerfCache.Simulation.Recording;

namespace PerfCache.Tests.Simulation.Recording;

/// <summary>Feeds lines of strace to a recorder and keeps what it writes.</summary>
internal sealed class RecordedLines : IDisposable
{
    private readonly MemoryStream _trace = new();
    private readonly RecordedTraceWriter _writer;

    internal RecordedLines(RecordOptions? options = null, Dictionary<string, long>? fileBytes = null)
    {
        _writer = new RecordedTraceWriter(_trace);
        Recorder = new AccessRecorder(
            _writer, options ?? new RecordOptions { Folder = "/w" }, path => fileBytes?.GetValueOrDefault(path, -1) ?? -1);
    }

    internal AccessRecorder Recorder { get; }

    internal RecordSummary Summary => _writer.Summary;

    /// <summary>The trace without its first line and the notes on what is new: requests, calls, parts and drops.</summary>
    internal string Requests => string.Join('\n', Lines.Where(line => line[0] != '#'
        || line.StartsWith("# call", StringComparison.Ordinal) || line.StartsWith("# part", StringComparison.Ordinal)
        || line.StartsWith("# drop", StringComparison.Ordinal)));

    /// <summary>All lines of the trace but the first.</summary>
    internal IReadOnlyList<string> Lines
    {
        get
        {
            _writer.Flush();
            return Encoding.UTF8.GetString(_trace.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries)[1..];
        }
    }

    internal byte[] Bytes
    {
        get
        {
            _writer.Flush();
            return _trace.ToArray();
        }
    }

    internal RecordedLines Feed(string lines)
    {
        foreach (string line in lines.Split('\n')) Recorder.Line(Encoding.Latin1.GetBytes(line.Trim('\r')));
        return this;
    }

    public void Dispose() => _writer.Dispose();
}
