// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Memory;

/// <summary>What the system says of a range of addresses.</summary>
/// <param name="ResidentBytes">Bytes that are backed by memory.</param>
/// <param name="HugePageBytes">Bytes of these that are mapped by huge pages.</param>
/// <param name="LazyFreeBytes">Bytes of these that the system may take at any time.</param>
internal readonly record struct RangeUsage(long ResidentBytes, long HugePageBytes, long LazyFreeBytes)
{
    private const string HugePageSettings = "/sys/kernel/mm/transparent_hugepage/";

    /// <summary>True when memory that asks for huge pages gets them. Looked at once.</summary>
    internal static bool GivesHugePages { get; } =
        OsMemory.IsReal && HugePageSetting(shared: false) is "always" or "madvise";

    /// <summary>Measures a range, or returns null where the system does not tell.</summary>
    internal static RangeUsage? TryMeasure(nuint first, nuint bytes)
    {
        if (!OsMemory.IsReal) return null;
        try
        {
            using StreamReader smaps = new("/proc/self/smaps");
            return Parse(smaps, first, first + bytes);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The system's setting for huge pages: always, madvise or never (advise and others for shared memory);
    /// null where the system has none.</summary>
    internal static string? HugePageSetting(bool shared)
    {
        try
        {
            string setting = File.ReadAllText(HugePageSettings + (shared ? "shmem_enabled" : "enabled"));
            int open = setting.IndexOf('[', StringComparison.Ordinal);
            int close = setting.IndexOf(']', StringComparison.Ordinal);
            return open >= 0 && close > open ? setting[(open + 1)..close] : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>
    /// Adds up the entries of a text in the form of /proc/self/smaps that lie within [first, end). The system splits a
    /// range into several entries where protection or advice differ.
    /// </summary>
    /// <returns>Null when an entry with resident bytes lies partly outside: its figures cannot be divided.</returns>
    internal static RangeUsage? Parse(TextReader smaps, nuint first, nuint end)
    {
        RangeUsage sum = default;
        bool overlaps = false;
        bool within = false;
        while (smaps.ReadLine() is string line)
        {
            if (TryParseAddresses(line, out nuint entryFirst, out nuint entryEnd))
            {
                overlaps = entryFirst < end && entryEnd > first;
                within = entryFirst >= first && entryEnd <= end;
            }
            else if (overlaps && TryParseField(line, out ReadOnlySpan<char> name, out long bytes) && bytes > 0)
            {
                if (name is "Rss")
                {
                    if (!within) return null;
                    sum = sum with { ResidentBytes = sum.ResidentBytes + bytes };
                }
                else if (name is "Private_Hugetlb")
                {
                    // Huge pages that were set aside are not in Rss.
                    if (!within) return null;
                    sum = sum with
                    {
                        ResidentBytes = sum.ResidentBytes + bytes,
                        HugePageBytes = sum.HugePageBytes + bytes,
                    };
                }
                else if (name is "AnonHugePages" or "ShmemPmdMapped")
                {
                    sum = sum with { HugePageBytes = sum.HugePageBytes + bytes };
                }
                else if (name is "LazyFree")
                {
                    sum = sum with { LazyFreeBytes = sum.LazyFreeBytes + bytes };
                }
            }
        }

        return sum;
    }

    // 7f01c0000000-7f01c0021000 rw-p 00000000 00:00 0
    private static bool TryParseAddresses(ReadOnlySpan<char> line, out nuint first, out nuint end)
    {
        first = end = 0;
        int dash = line.IndexOf('-');
        int space = line.IndexOf(' ');
        return dash > 0 && space > dash
            && nuint.TryParse(line[..dash], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out first)
            && nuint.TryParse(
                line[(dash + 1)..space], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out end);
    }

    // Rss:                 132 kB
    private static bool TryParseField(ReadOnlySpan<char> line, out ReadOnlySpan<char> name, out long bytes)
    {
        bytes = 0;
        int colon = line.IndexOf(':');
        name = colon > 0 ? line[..colon] : default;
        if (colon < 0 || !line.EndsWith(" kB", StringComparison.Ordinal)) return false;
        if (!long.TryParse(
            line[(colon + 1)..^3], NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture, out long kibibytes))
        {
            return false;
        }

        bytes = kibibytes * 1024;
        return true;
    }
}
