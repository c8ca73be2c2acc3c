// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>How to read a trace: what <c>--format</c>, <c>--page-bytes</c>, <c>--split</c> and
/// <c>--csv-columns</c> say. Generators ignore all of it.</summary>
public sealed record TraceOptions
{
    /// <summary>The page size unless told otherwise.</summary>
    public const int DefaultPageBytes = 4096;

    /// <summary>The largest page size that is not a typing error.</summary>
    public const int PageBytesMax = 1 << 30;

    /// <summary>A name of <see cref="TraceFormats.Names"/>.</summary>
    public string Format { get; init; } = TraceFormats.Auto;

    /// <summary>The page size at which <c>spc</c>, <c>msr</c> and, with <see cref="Split"/>, other block
    /// formats cut a request into pages.</summary>
    public int PageBytes { get; init; } = DefaultPageBytes;

    /// <summary>Cut the requests of a block format into pages; an error for formats that have no
    /// blocks.</summary>
    public bool Split { get; init; }

    /// <summary>Where a csv trace keeps its columns: <c>id=5,size=4,time=2</c> (from 1, or header names),
    /// or null to take them from the header.</summary>
    public string? CsvColumns { get; init; }

    /// <summary>Bytes that a reader fetches at a time; tests make it tiny to cut records anywhere.</summary>
    internal int BufferBytes { get; init; } = TraceInput.DefaultBufferBytes;

    /// <summary>The library that decodes zstd; tests name one that does not exist.</summary>
    internal string ZstdLibraryName { get; init; } = ZstdLibrary.FileName;

    /// <summary>Opens a file for sequential reading; tests put failing streams here.</summary>
    internal Func<string, Stream> OpenFile { get; init; } = TraceStreams.OpenFile;

    /// <summary>Opens standard input; tests put their own bytes here.</summary>
    internal Func<Stream> OpenStandardInput { get; init; } = TraceStreams.OpenStandardInput;
}
