// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Traces;

/// <summary>One request with all its columns; the absent ones are zero.</summary>
internal readonly record struct Request(
    ulong Id, int File = 0, uint Size = 0, long Time = 0, bool IsWrite = false, long Next = 0);

/// <summary>Makes traces out of bytes in memory and reads them to the end.</summary>
internal static class TraceBytes
{
    internal const TraceColumns AllColumns =
        TraceColumns.File | TraceColumns.Size | TraceColumns.Time | TraceColumns.Write | TraceColumns.Next;

    internal static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>Little-endian fields after each other: byte, ushort, uint, int, ulong, long.</summary>
    internal static byte[] Fields(params object[] fields)
    {
        var bytes = new MemoryStream();
        var buffer = new byte[8];
        foreach (object field in fields)
        {
            ulong value = field switch
            {
                byte number => number,
                ushort number => number,
                uint number => number,
                int number => (uint)number,
                ulong number => number,
                long number => (ulong)number,
                _ => throw new ArgumentException($"no field of {field.GetType()}"),
            };
            int length = field switch { byte => 1, ushort => 2, uint or int => 4, _ => 8 };
            BinaryPrimitives.WriteUInt64LittleEndian(buffer, value);
            bytes.Write(buffer, 0, length);
        }
        return bytes.ToArray();
    }

    internal static byte[] Join(params byte[][] parts) => [.. parts.SelectMany(part => part)];

    internal static byte[] Gzip(byte[] content)
    {
        var compressed = new MemoryStream();
        using (var encoder = new GZipStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
            encoder.Write(content);
        return compressed.ToArray();
    }

    internal static byte[] Zstd(byte[] content)
    {
        if (!ZstdLibrary.IsPresent(ZstdLibrary.FileName))
            Assert.Ignore("libzstd is not installed");
        var compressed = new byte[content.Length + content.Length / 8 + 1024];
        nuint length = ZSTD_compress(
            compressed, (nuint)compressed.Length, content, (nuint)content.Length, compressionLevel: 3);
        Assert.That(ZstdLibrary.IsError(length), Is.False);
        return compressed[..(int)length];
    }

    /// <summary>A trace of these bytes under this name.</summary>
    internal static ITraceSource Source(byte[] bytes, TraceOptions options, string name = "made-up") =>
        new FileTraceSource(name, options with { OpenFile = _ => new MemoryStream(bytes, writable: false) });

    internal static List<Request> Read(
        byte[] bytes, string format, int capacity = TraceBlock.DefaultCapacity,
        int bufferBytes = TraceInput.DefaultBufferBytes) =>
        Read(bytes, new TraceOptions { Format = format, BufferBytes = bufferBytes }, capacity);

    internal static List<Request> Read(
        byte[] bytes, TraceOptions options, int capacity = TraceBlock.DefaultCapacity) =>
        Read(Source(bytes, options), capacity);

    /// <summary>Reads a trace to its end, or to so many requests.</summary>
    internal static List<Request> Read(
        ITraceSource source, int capacity = TraceBlock.DefaultCapacity, int requestsMax = int.MaxValue)
    {
        using ITraceReader reader = source.Open();
        var block = new TraceBlock(AllColumns, capacity);
        TraceColumns has = reader.Columns;
        var requests = new List<Request>();
        while (requests.Count < requestsMax && reader.Read(block))
        {
            Assert.That(block.Count, Is.InRange(1, capacity));
            for (int i = 0; i < block.Count; i++)
                requests.Add(new Request(
                    block.Ids[i],
                    has.HasFlag(TraceColumns.File) ? block.Files[i] : 0,
                    has.HasFlag(TraceColumns.Size) ? block.Sizes[i] : 0,
                    has.HasFlag(TraceColumns.Time) ? block.Times[i] : 0,
                    has.HasFlag(TraceColumns.Write) && block.Writes[i],
                    has.HasFlag(TraceColumns.Next) ? block.Nexts[i] : 0));
        }
        if (requests.Count < requestsMax)
            Assert.That(block.Count, Is.Zero, "the end of a trace leaves no requests in the block");
        return requests;
    }

    internal static ulong[] Ids(byte[] bytes, string format) =>
        [.. Read(bytes, format).Select(request => request.Id)];

    internal static ulong[] Ids(byte[] bytes, TraceOptions options) =>
        [.. Read(bytes, options).Select(request => request.Id)];

    /// <summary>The line that reading these bytes fails with.</summary>
    internal static string Error(byte[] bytes, string format) =>
        Error(bytes, new TraceOptions { Format = format });

    internal static string Error(byte[] bytes, TraceOptions options, string name = "made-up") =>
        Error(() => Read(Source(bytes, options, name)));

    /// <summary>The message of a <see cref="TraceFormatException"/>, which must be one line.</summary>
    internal static string Error(Action action)
    {
        string message = Assert.Throws<TraceFormatException>(() => action())!.Message;
        Assert.That(message, Does.Not.Contain('\n'));
        return message;
    }

    [DllImport(ZstdLibrary.FileName), DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nuint ZSTD_compress(
        byte[] target, nuint capacity, byte[] source, nuint length, int compressionLevel);
}
