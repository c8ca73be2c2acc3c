// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using BenchmarkDotNet.Attributes;
using PerfCache.Simulation.Traces;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Benchmarks;

/// <summary>
/// How many requests a second does each kind of reader decode from a plain file in the page cache, and how
/// much of that is the file itself? The baseline reads the le64 file through the same kind of stream and
/// decodes nothing.
/// </summary>
[MemoryDiagnoser]
public class TraceDecodeBenchmarks
{
    private const int Requests = 4_000_000;

    private readonly TraceBlock _block = new();
    private readonly byte[] _buffer = new byte[1 << 20];
    private string _folder = "";

    [GlobalSetup]
    public void WriteTraces()
    {
        _folder = Directory.CreateTempSubdirectory("perfcache-decode-").FullName;
        var ids = new ulong[Requests];
        Workload.TryParse($"zipf:objects=1000000,requests={Requests}")!.Start().Fill(ids);
        Write("le64", 8, (record, i) => BinaryPrimitives.WriteUInt64LittleEndian(record, ids[i]));
        Write("be32", 4, (record, i) => BinaryPrimitives.WriteUInt32BigEndian(record, (uint)ids[i]));
        Write("oracle", 24, (record, i) => BinaryPrimitives.WriteUInt64LittleEndian(record[4..], ids[i]));
        Write("twr", 20, (record, i) =>
        {
            BinaryPrimitives.WriteUInt64LittleEndian(record[4..], ids[i]);
            BinaryPrimitives.WriteUInt32LittleEndian(record[12..], 100);
        });
        WriteLines("text", i => $"{ids[i]}\n");
        WriteLines("files", i => $"{ids[i] % 16} {ids[i]}\n");
        WriteLines("csv", i => $"{i},{ids[i]},512\n");
        WriteLines("address", i => $"l 0x{ids[i] * 64:x} 1\n");
        using FileStream compressed = File.Create(Trace("gzip"));
        using var encoder = new GZipStream(compressed, CompressionLevel.Optimal);
        encoder.Write(File.ReadAllBytes(Trace("text")));
    }

    [GlobalCleanup]
    public void RemoveTraces() => Directory.Delete(_folder, recursive: true);

    [Benchmark(Baseline = true, OperationsPerInvoke = Requests)]
    public long FileAlone()
    {
        using Stream file = TraceStreams.OpenFile(Trace("le64"));
        long bytes = 0;
        while (file.Read(_buffer) is int got and > 0)
            bytes += got;
        return bytes;
    }

    [Benchmark(OperationsPerInvoke = Requests)]
    public ulong Le64() => Decode("le64", "le64");

    [Benchmark(OperationsPerInvoke = Requests)]
    public ulong Be32() => Decode("be32", "be32");

    [Benchmark(OperationsPerInvoke = Requests)]
    public ulong Oracle() => Decode("oracle", "oracle");

    [Benchmark(OperationsPerInvoke = Requests)]
    public ulong Twr() => Decode("twr", "twr");

    [Benchmark(OperationsPerInvoke = Requests)]
    public ulong Text() => Decode("text", "text");

    [Benchmark(OperationsPerInvoke = Requests)]
    public ulong TextWithFiles() => Decode("files", "text");

    [Benchmark(OperationsPerInvoke = Requests)]
    public ulong Csv() => Decode("csv", "csv");

    [Benchmark(OperationsPerInvoke = Requests)]
    public ulong Address() => Decode("address", "address");

    [Benchmark(OperationsPerInvoke = Requests)]
    public ulong TextInGzip() => Decode("gzip", "text");

    [Benchmark(OperationsPerInvoke = Requests)]
    public ulong ZipfGenerator() => Sum(TraceSource.Parse($"zipf:objects=1000000,requests={Requests}"));

    private ulong Decode(string name, string format) =>
        Sum(TraceSource.Parse(Trace(name), new TraceOptions { Format = format, CsvColumns = "id=2" }));

    private ulong Sum(ITraceSource source)
    {
        using ITraceReader reader = source.Open();
        ulong last = 0;
        while (reader.Read(_block))
            last ^= _block.Ids[_block.Count - 1];
        return last;
    }

    private string Trace(string name) => Path.Combine(_folder, name);

    private delegate void RecordWriter(Span<byte> record, int request);

    private void Write(string name, int recordBytes, RecordWriter write)
    {
        var bytes = new byte[Requests * recordBytes];
        for (int i = 0; i < Requests; i++)
            write(bytes.AsSpan(i * recordBytes, recordBytes), i);
        File.WriteAllBytes(Trace(name), bytes);
    }

    private void WriteLines(string name, Func<int, string> line)
    {
        var text = new StringBuilder();
        for (int i = 0; i < Requests; i++)
            text.Append(line(i));
        File.WriteAllText(Trace(name), text.ToString());
    }
}
