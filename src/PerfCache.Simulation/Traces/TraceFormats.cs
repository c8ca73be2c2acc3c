// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>One line of the list of formats.</summary>
/// <param name="Name">What <c>--format</c> takes.</param>
/// <param name="Description">What it is, in one line for <c>--help</c>.</param>
public readonly record struct TraceFormatInfo(string Name, string Description);

/// <summary>The trace formats by name.</summary>
public static class TraceFormats
{
    /// <summary>Detect the format from the content and the name.</summary>
    public const string Auto = "auto";

    internal const string Text = "text";
    internal const string Csv = "csv";
    internal const string Oracle = "oracle";
    internal const string Lcs = "lcs";
    internal const string Vscsi = "vscsi";
    internal const string Twr = "twr";
    internal const string Arc = "arc";
    internal const string Lirs = "lirs";
    internal const string Spc = "spc";
    internal const string Msr = "msr";
    internal const string Address = "address";

    /// <summary>Every format, in the order of the help text.</summary>
    public static IReadOnlyList<TraceFormatInfo> Names { get; } =
    [
        new(Auto, "detect the format from the content and the name, or say why that cannot be done"),
        new(Text, "lines of PAGE, or of FILE PAGE [r|w]; '*', '#' and empty lines are skipped"),
        new(Csv, "one request a line; --csv-columns id=5,size=4,time=2 unless a header names them"),
        new(Oracle, "oracleGeneral: 24-byte records of time, id, size, next access"),
        new(Lcs, "records described by a 1,024-byte header"),
        new(Vscsi, "VMware SCSI traces, version 1 or 2; ids are 512-byte blocks, --split makes them pages"),
        new(Twr, "20-byte key-value records; a get of an empty value is skipped"),
        new(Arc, "block ranges 'FIRST COUNT ignored NUMBER', one request a block; --split makes them pages"),
        new(Lirs, "one block number a line, '*' lines skipped"),
        new(Spc, "ASU,LBA,BYTES,r|w,SECONDS lines, cut into pages of --page-bytes"),
        new(Msr, "MSR Cambridge csv (byte offset and length), cut into pages of --page-bytes"),
        new("be32", "4-byte big-endian ids, no header"),
        new("be64", "8-byte big-endian ids, no header"),
        new("le32", "4-byte little-endian ids, no header"),
        new("le64", "8-byte little-endian ids, no header"),
        new(Address, "memory accesses 'l|s 0xHEX ...', the id is the address itself"),
    ];

    /// <summary>Whether <paramref name="name"/> is a format.</summary>
    public static bool IsKnown(string name)
    {
        foreach (TraceFormatInfo format in Names)
            if (format.Name == name)
                return true;
        return false;
    }

    /// <summary>Whether requests of this format are runs of blocks, which <c>--split</c> can cut into
    /// pages.</summary>
    internal static bool HasBlocks(string name) => name is Vscsi or Arc or Spc or Msr;

    /// <summary>The names, comma-separated, for messages.</summary>
    internal static string List() => string.Join(", ", Names.Select(format => format.Name));
}
