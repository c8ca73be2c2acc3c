// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Conversion;

/// <summary>How a trace is converted.</summary>
public sealed record ConversionOptions
{
    /// <summary>The format to write: one of <see cref="TraceConverter.Formats"/>.</summary>
    public required string Format { get; init; }

    /// <summary>The requests to convert at most.</summary>
    public long Limit { get; init; } = long.MaxValue;

    /// <summary>True to write, instead of ids, numbers in the order of the pages' first requests.</summary>
    public bool Renumber { get; init; }

    /// <summary>The size of every request, in bytes, where the format wants one and the trace has none.</summary>
    public uint SizeOfAll { get; init; } = TraceOptions.DefaultPageBytes;
}

/// <summary>What became of a trace.</summary>
/// <param name="Requests">The requests written.</param>
/// <param name="IsRenumbered">True when numbers stand in place of ids.</param>
/// <param name="Lost">Columns of the trace that the format has no place for.</param>
public readonly record struct Conversion(long Requests, bool IsRenumbered, TraceColumns Lost);

/// <summary>Writes a trace in another format.</summary>
/// <remarks>
/// Formats of bare ids cannot tell files apart, so a trace with files gets numbers, one a page, in the order of first
/// requests: every policy that does not look at neighbours decides as before.
/// </remarks>
public static class TraceConverter
{
    /// <summary>The formats that can be written.</summary>
    public static IReadOnlyList<string> Formats { get; } =
        [TraceFormats.Text, TraceFormats.Csv, TraceFormats.Oracle, "le32", "le64", "be32", "be64"];

    /// <summary>Converts a trace.</summary>
    /// <param name="source">The trace.</param>
    /// <param name="output">Receives the requests; stays open.</param>
    /// <param name="options">What to write.</param>
    /// <param name="progress">Told after each block; null for nobody.</param>
    /// <param name="cancellation">Ends the work; what was written so far is of no use.</param>
    /// <exception cref="ArgumentException">The format is none that can be written.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="TraceFormatException">The input is not what its format promises, or does not fit the other.
    /// </exception>
    public static Conversion Convert(
        ITraceSource source, Stream output, ConversionOptions options, Action<ReplayProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(options);
        using ITraceReader reader = source.Open();
        TraceWriter writer = MakeWriter(output, reader, options);
        bool hasFiles = reader.Columns.HasFlag(TraceColumns.File);
        bool renumbers = options.Renumber || (hasFiles && !writer.Columns.HasFlag(TraceColumns.File));
        TraceColumns wanted = reader.Columns & writer.Columns;
        if (renumbers) wanted = (wanted & ~TraceColumns.Notes) | (reader.Columns & TraceColumns.File);
        TraceBlock block = new(wanted);
        uint[] numbers = new uint[renumbers ? block.Capacity : 0];
        ulong[] ids = new ulong[numbers.Length];
        using IdMap? map = renumbers ? new IdMap(PageNumbering.Dense, hasFiles) : null;
        long requests = 0;
        while (requests < options.Limit && reader.Read(block))
        {
            cancellation.ThrowIfCancellationRequested();
            int count = block.Count = (int)Math.Min(block.Count, options.Limit - requests);
            if (map is null)
            {
                writer.Write(block, block.Ids.AsSpan(0, count));
            }
            else
            {
                map.Map(block.Ids.AsSpan(0, count), hasFiles ? block.Files.AsSpan(0, count) : default, numbers);
                for (int i = 0; i < count; i++) ids[i] = numbers[i];
                writer.Write(block, ids.AsSpan(0, count));
            }

            requests += count;
            progress?.Invoke(new ReplayProgress(reader.Name, Counting: false, reader.Progress, requests));
        }

        writer.End();
        // Next positions follow from the requests; nothing is lost with them.
        TraceColumns lost = reader.Columns & ~writer.Columns & ~TraceColumns.Next;
        if (renumbers) lost |= reader.Columns & TraceColumns.Notes;
        return new Conversion(requests, renumbers, lost);
    }

    private static TraceWriter MakeWriter(Stream output, ITraceReader reader, ConversionOptions options) =>
        options.Format switch
        {
            TraceFormats.Text => new TextTraceWriter(output, reader),
            TraceFormats.Csv => new CsvTraceWriter(output, reader.Columns),
            TraceFormats.Oracle => new OracleTraceWriter(output, reader.Format, options.SizeOfAll),
            "le32" or "le64" or "be32" or "be64" => new IdTraceWriter(output, options.Format, reader.Name),
            _ => throw new ArgumentException(
                $"'{options.Format}' cannot be written; choose from {string.Join(' ', Formats)}", nameof(options)),
        };
}
