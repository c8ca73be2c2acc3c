// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Memory;

namespace PerfCache.Frames;

/// <summary>What page data asked of the system, and what it got.</summary>
public sealed record PageMemoryReport
{
    /// <summary>What the page data lies in.</summary>
    public required PageMemoryKind Kind { get; init; }

    /// <summary>Bytes of a page of the cache.</summary>
    public required int PageBytes { get; init; }

    /// <summary>Bytes of address space.</summary>
    public required long ReservedBytes { get; init; }

    /// <summary>Bytes of usable frames: what the meter is charged with for page data.</summary>
    public required long CommittedBytes { get; init; }

    /// <summary>Frames that were given back and not restored.</summary>
    public required uint DiscardedFrames { get; init; }

    /// <summary>
    /// Bytes that this process has in memory now; less than committed where frames were never touched or were taken
    /// by the system. Null: the system does not tell.
    /// </summary>
    public required long? ResidentBytes { get; init; }

    /// <summary>Bytes of these in huge pages. Null: the system does not tell.</summary>
    public required long? HugePageBytes { get; init; }

    /// <summary>Bytes of these that the system may take at any time. Null: the system does not tell.</summary>
    public required long? LazyFreeBytes { get; init; }

    /// <summary>Bytes in huge pages that the administrator had set aside; they are among <see cref="HugePageBytes"/>.
    /// </summary>
    public required long HugePoolBytes { get; init; }

    /// <summary>True when huge pages were asked for.</summary>
    public required bool HugePagesAdvised { get; init; }

    /// <summary>
    /// The system's own setting for huge pages of this kind of memory (always, madvise, never and others). Null: the
    /// system has none, or does not tell.
    /// </summary>
    public required string? SystemHugePages { get; init; }

    /// <summary>What was asked and refused, each once; empty when all was taken.</summary>
    public required IReadOnlyList<RefusedAdvice> Refused { get; init; }

    /// <summary>The report in one line.</summary>
    public override string ToString()
    {
        string refused = string.Join(", ", Refused.Select(each => $"{each.Advice} (error {each.Error})"));
        string asked = HugePagesAdvised ? "asked for" : "not asked for";
        return $"{Name(Kind)} page data, pages of {PageBytes} bytes: {Mebibytes(CommittedBytes)} committed of "
            + $"{Mebibytes(ReservedBytes)} reserved, {Mebibytes(ResidentBytes)} resident, "
            + $"{Mebibytes(HugePageBytes)} of it in huge pages ({asked}; the system's setting is "
            + $"{SystemHugePages ?? "unknown"}), {Mebibytes(LazyFreeBytes)} lazily free, "
            + $"{DiscardedFrames} frames discarded; refused: {(refused.Length == 0 ? "nothing" : refused)}";
    }

    private static string Name(PageMemoryKind kind) => kind switch
    {
        PageMemoryKind.Lendable => "lendable",
        PageMemoryKind.Shared => "shared",
        _ => "resident",
    };

    private static string Mebibytes(long? bytes) =>
        bytes is long known ? (known / 1048576.0).ToString("0.##", CultureInfo.InvariantCulture) + " MiB" : "unknown";
}
