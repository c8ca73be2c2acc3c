// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Recording;
using PerfCache.Simulation.Reports;

namespace PerfCache.Cli.Record;

/// <summary>What was recorded, for people on standard error or as a line of JSON on standard output.</summary>
internal sealed class RecordReport(
    RecordRequest request, RecordSummary summary, long skippedLines, int exitCode, TimeSpan elapsed)
{
    /// <summary>Prints it.</summary>
    public void Write(CliContext context)
    {
        if (request.Json)
        {
            context.Out.WriteLine(Json());
            context.Out.Flush();
        }
        else
        {
            foreach (string line in Lines()) context.Error.WriteLine("perfcache record: " + line);
        }

        foreach (string line in Warnings()) context.Error.WriteLine("perfcache record: " + line);
    }

    private IEnumerable<string> Lines()
    {
        yield return $"{request.Output}: {Number(summary.Requests)} page requests ({Number(summary.Writes)} writes), "
            + $"{Number(summary.DistinctPages)} distinct pages ({Bytes(summary.DistinctPages * 4096)}) "
            + $"in {Number(summary.Files)} files";
        yield return $"{Number(summary.ReadCalls)} calls read {Bytes(summary.ReadBytes)} ({Bytes(summary.FileReadBytes)} "
            + $"from files), {Number(summary.WriteCalls)} wrote {Bytes(summary.WrittenBytes)} "
            + $"({Bytes(summary.FileWrittenBytes)} to files); exit code {exitCode}";
        foreach (RecordedFileUse file in summary.TopFiles)
        {
            yield return $"  {Number(file.Requests),12} requests  {Bytes(file.ReadBytes),10} read  "
                + $"{Bytes(file.WrittenBytes),10} written  {file.Path}";
        }
    }

    private IEnumerable<string> Warnings()
    {
        if (summary.Mappings > 0)
        {
            yield return $"{Number(summary.Mappings)} ranges of files ({Bytes(summary.MappedBytes)}) were mapped; "
                + (request.CountsMappings
                    ? "each of their pages counts as read once (--mapped)"
                    : "what is read through mappings is not in the trace (--mapped gives the upper bound)");
        }

        if (summary.DirectBytes > 0)
            yield return $"{Bytes(summary.DirectBytes)} passed the page cache by (O_DIRECT) and are not in the trace";
        if (summary.HiddenReaders > 0)
            yield return "the program uses io_uring or aio; what it reads through them is not in the trace";
        if (summary.UnseenOpens > 0)
        {
            yield return $"{Number(summary.UnseenOpens)} files were not seen being opened; their positions are counted "
                + "from 0";
        }

        if (skippedLines > 0) yield return $"{Number(skippedLines)} lines of strace were not understood and are skipped";
    }

    private string Json()
    {
        return JsonLine.Of(json =>
        {
            json.WriteString("trace", request.Output);
            json.WriteStartArray("command");
            foreach (string word in request.Command) json.WriteStringValue(word);
            json.WriteEndArray();
            json.WriteNumber("exitCode", exitCode);
            json.WriteNumber("seconds", Math.Round(elapsed.TotalSeconds, 3));
            json.WriteNumber("requests", summary.Requests);
            json.WriteNumber("reads", summary.Reads);
            json.WriteNumber("writes", summary.Writes);
            json.WriteNumber("distinctPages", summary.DistinctPages);
            json.WriteNumber("readCalls", summary.ReadCalls);
            json.WriteNumber("writeCalls", summary.WriteCalls);
            json.WriteNumber("readBytes", summary.ReadBytes);
            json.WriteNumber("writtenBytes", summary.WrittenBytes);
            json.WriteNumber("fileReadBytes", summary.FileReadBytes);
            json.WriteNumber("fileWrittenBytes", summary.FileWrittenBytes);
            json.WriteNumber("directBytes", summary.DirectBytes);
            json.WriteNumber("mappings", summary.Mappings);
            json.WriteNumber("mappedBytes", summary.MappedBytes);
            json.WriteNumber("unseenOpens", summary.UnseenOpens);
            json.WriteNumber("hiddenReaders", summary.HiddenReaders);
            json.WriteNumber("skippedLines", skippedLines);
            json.WriteNumber("files", summary.Files);
            json.WriteStartArray("topFiles");
            foreach (RecordedFileUse file in summary.TopFiles)
            {
                json.WriteStartObject();
                json.WriteNumber("file", file.Number);
                json.WriteString("path", file.Path);
                json.WriteNumber("requests", file.Requests);
                json.WriteNumber("readBytes", file.ReadBytes);
                json.WriteNumber("writtenBytes", file.WrittenBytes);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Bytes(long bytes) => bytes switch
    {
        < 10 << 10 => Number(bytes) + " B",
        < 10 << 20 => Fixed(bytes, 10) + " KiB",
        < 10L << 30 => Fixed(bytes, 20) + " MiB",
        _ => Fixed(bytes, 30) + " GiB",
    };

    private static string Fixed(long bytes, int shift) =>
        ((double)bytes / (1L << shift)).ToString("0.0", CultureInfo.InvariantCulture);
}
