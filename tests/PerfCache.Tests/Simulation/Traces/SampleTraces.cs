// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Traces;

/// <summary>A small valid trace in every format, for the tests that ask the same of all of them.</summary>
internal static class SampleTraces
{
    /// <summary>Format names, with <c>/split</c> behind those that are to be read so.</summary>
    internal static readonly string[] Names =
    [
        "text", "text/files", "lirs", "address", "csv", "arc", "arc/split", "spc", "msr", "oracle",
        "lcs", "vscsi",
        "vscsi/2", "vscsi/split", "twr", "be32", "be64", "le32", "le64",
    ];

    internal static TraceOptions Options(
        string name, int bufferBytes = TraceInput.DefaultBufferBytes) => new()
        {
            Format = name.Split('/')[0],
            Split = name.EndsWith("/split", StringComparison.Ordinal),
            CsvColumns = name == "csv" ? "id=1,size=2,time=3" : null,
            BufferBytes = bufferBytes,
        };

    internal static byte[] Bytes(string name) => name switch
    {
        "text/files" =>
            Lines(i => i % 7 == 0 ? $"# file {i} /a/{i}" : $"{i % 3} {i * i}{(i % 4 == 0 ? " w" : "")}"),
        "text" or "lirs" => Lines(i => i % 7 == 0 ? "*" : $"{i * 12345L * i}"),
        "address" => Lines(i => $"{(i % 3 == 0 ? 's' : 'l')} 0x{i * 64:x} {i}"),
        "csv" => Lines(i => $"{i},{i * 100},{i / 3}.5"),
        "arc" or "arc/split" => Lines(i => $"{i * 10} {i % 9} 0 {i}"),
        "spc" => Lines(i => $"{i % 2},{i * 5},{i % 5 * 4096},{(i % 2 == 0 ? 'w' : 'R')},{i}.25"),
        "msr" => Lines(i =>
            $"{i},h{i / 10},{i % 2},{(i % 2 == 0 ? "Read" : "Write")},{i * 512},{i % 5 * 4096},1"),
        "oracle" => Records(i => RecordTraceTests.Oracle((uint)i, (ulong)i % 5, 1, i + 5)),
        "vscsi" or "vscsi/split" =>
            Records(i => RecordTraceTests.Vscsi1((ulong)i, (uint)i * 512, (ulong)i, 0x2a)),
        "vscsi/2" => Records(i => RecordTraceTests.Vscsi2((ulong)i, (uint)i * 512, (ulong)i, 0x28)),
        "twr" => Records(i => RecordTraceTests.Twr((uint)i, (ulong)i, 8, (uint)i % 4, (uint)i % 5)),
        "lcs" => RecordTraceTests.Lcs("<QI", [1, 2, 0, 0, 0, 0, 0, 0, 0], 30,
            [.. Enumerable.Range(1, 30).Select(i => TraceBytes.Fields((ulong)i, (uint)i))]),
        _ => TraceBytes.Join([.. Enumerable.Range(1, 30).Select(i => TraceBytes.Fields((ulong)i * 1001))]),
    };

    private static byte[] Lines(Func<int, string> line) =>
        TraceBytes.Text(string.Join('\n', Enumerable.Range(1, 30).Select(line)));

    private static byte[] Records(Func<int, byte[]> record) =>
        TraceBytes.Join([.. Enumerable.Range(1, 30).Select(record)]);
}
