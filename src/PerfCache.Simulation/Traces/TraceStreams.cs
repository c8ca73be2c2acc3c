// SPDX-License-Identifier: MIT
using Microsoft.Win32.SafeHandles;

namespace PerfCache.Simulation.Traces;

/// <summary>Opens files and standard input and undoes their compression, which is told by the first bytes and
/// never by the name.</summary>
internal static class TraceStreams
{
    /// <summary>Opens a file for one pass from front to back, without a buffer of its own.</summary>
    internal static Stream OpenFile(string path) => new FileStream(path, new FileStreamOptions
    {
        Mode = FileMode.Open,
        Access = FileAccess.Read,
        Share = FileShare.ReadWrite | FileShare.Delete,
        BufferSize = 0,
        Options = FileOptions.SequentialScan,
    });

    /// <summary>Opens descriptor 0; the console class stays out of the library.</summary>
    internal static Stream OpenStandardInput() =>
        new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0);

    /// <summary>Opens the source of a trace; every failure is one line.</summary>
    internal static RawTraceStream OpenRaw(string path, TraceOptions options)
    {
        bool isStandardInput = path == TraceSource.StandardInput;
        string name = TraceInput.OneLine(isStandardInput ? "standard input" : path);
        if (!isStandardInput && Directory.Exists(path))
            throw new TraceFormatException($"{name}: is a directory; name one trace file in it");
        try
        {
            Stream source = isStandardInput ? options.OpenStandardInput() : options.OpenFile(path);
            return new RawTraceStream(name, source);
        }
        catch (Exception failure) when (failure is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TraceFormatException($"{name}: no such file; check the path", failure);
        }
        catch (UnauthorizedAccessException failure)
        {
            throw new TraceFormatException(
                $"{name}: permission to read it is denied; check its mode and owner", failure);
        }
        catch (Exception failure) when (failure is IOException or ArgumentException or NotSupportedException)
        {
            throw new TraceFormatException($"{name}: cannot be opened: {TraceInput.OneLine(failure.Message)}",
                failure);
        }
    }

    /// <summary>Puts the decoder that the first bytes ask for in front of <paramref name="raw"/>.</summary>
    internal static Stream Decode(string name, RawTraceStream raw, TraceOptions options) => raw.Head switch
    {
        [0x1f, 0x8b, ..] => new CheckedGzipStream(name, raw),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => new ZstdStream(name, raw, options.ZstdLibraryName),
        _ => raw,
    };
}
