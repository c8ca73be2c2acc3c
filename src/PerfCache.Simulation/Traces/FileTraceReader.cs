// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>What the readers of all formats share: they decode one <see cref="TraceInput"/> into
/// blocks.</summary>
internal abstract class FileTraceReader(TraceInput input, string format) : ITraceReader
{
    public string Name => Input.Path;

    public string Format { get; } = format;

    public double Progress => Input.Progress;

    public abstract TraceColumns Columns { get; }

    public virtual IReadOnlyDictionary<int, string> FileNames => NoFileNames.Instance;

    protected TraceInput Input { get; } = input;

    public abstract bool Read(TraceBlock block);

    public void Dispose() => Input.Dispose();

    /// <summary>Writes a page as this format wrote it.</summary>
    internal virtual PageForm Form => PageForm.Page;
}

/// <summary>How a trace writes a page.</summary>
internal enum PageForm
{
    /// <summary>The id in decimal.</summary>
    Page,

    /// <summary>The file number, a space, the id.</summary>
    FileAndPage,

    /// <summary>The id in hexadecimal with 0x before it.</summary>
    Hex,
}
