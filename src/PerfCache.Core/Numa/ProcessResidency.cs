// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Numa;

/// <summary>What a mapping of a process is.</summary>
public enum MappingKind
{
    /// <summary>Memory of its own: heaps of runtimes and allocators, stacks of threads but the first.</summary>
    Anonymous,

    /// <summary>The C library's first heap.</summary>
    Heap,

    /// <summary>The first thread's stack.</summary>
    Stack,

    /// <summary>A file, or memory that is shared as a file.</summary>
    File,

    /// <summary>Huge pages that were set aside (hugetlb).</summary>
    HugePages,
}

/// <summary>A mapping of a process and where its pages are.</summary>
/// <param name="Address">Where it begins.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Policy">Where its pages come from, in the kernel's words; default: as the thread's.</param>
/// <param name="File">The file, as the kernel writes it; null where there is none.</param>
/// <param name="BytesOnNode">Bytes that are mapped now, by the number of the node.</param>
public sealed record ProcessMapping(
    ulong Address, MappingKind Kind, string Policy, string? File, IReadOnlyDictionary<int, long> BytesOnNode)
{
    /// <summary>Bytes that are mapped now.</summary>
    public long Bytes => BytesOnNode.Values.Sum();
}

/// <summary>Where the memory of a process is, by the kernel's own list (/proc/PID/numa_maps).</summary>
/// <remarks>
/// A page that several processes map counts in each of them. It is a snapshot of a running process, not one moment in
/// all its lines. The kernel walks all page tables for it: milliseconds a gigabyte.
/// </remarks>
public sealed class ProcessResidency
{
    private const int Kilobyte = 1024;

    private ProcessResidency(int process, string name, ProcessMapping[] mappings, int unreadableLines)
    {
        Process = process;
        Name = name;
        Mappings = Array.AsReadOnly(mappings);
        UnreadableLines = unreadableLines;
    }

    /// <summary>The process's id.</summary>
    public int Process { get; }

    /// <summary>The process's short name; empty where it is not told.</summary>
    public string Name { get; }

    /// <summary>The mappings that have pages, by address.</summary>
    public IReadOnlyList<ProcessMapping> Mappings { get; }

    /// <summary>Lines of the list that are not understood, and left out.</summary>
    public int UnreadableLines { get; }

    /// <summary>Numbers of the nodes that have pages of the process.</summary>
    public IReadOnlyList<int> Nodes =>
        [.. Mappings.SelectMany(mapping => mapping.BytesOnNode.Keys).Distinct().Order()];

    /// <summary>Bytes on a node, of one kind or of all.</summary>
    public long BytesOn(int node, MappingKind? kind = null) => Mappings
        .Where(mapping => kind is null || mapping.Kind == kind)
        .Sum(mapping => mapping.BytesOnNode.GetValueOrDefault(node));

    /// <summary>Reads the list of a process.</summary>
    /// <param name="process">Its id.</param>
    /// <param name="root">The folder that has proc; another one than / for a copy.</param>
    /// <exception cref="ArgumentException">There is no such process.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not look at it.</exception>
    /// <exception cref="PlatformNotSupportedException">The system keeps no such list.</exception>
    public static ProcessResidency Read(int process, string root = "/")
    {
        ArgumentException.ThrowIfNullOrEmpty(root);
        string folder = Path.Combine(root, "proc", process.ToString(CultureInfo.InvariantCulture));
        string list = Path.Combine(folder, "numa_maps");
        try
        {
            if (!Directory.Exists(Path.Combine(root, "proc", "self")))
            {
                throw new PlatformNotSupportedException(
                    "/proc is not there: only Linux lists where a process's memory is");
            }

            if (process <= 0 || !Directory.Exists(folder))
                throw new ArgumentException($"there is no process {process}");
            if (!File.Exists(list))
            {
                throw new PlatformNotSupportedException(
                    $"/proc/{process}/numa_maps is not there: a kernel without NUMA, or a sandbox that hides it");
            }

            string name = File.ReadAllText(Path.Combine(folder, "comm")).Trim();
            return Parse(process, name, File.ReadLines(list));
        }
        catch (UnauthorizedAccessException)
        {
            throw new UnauthorizedAccessException(
                $"/proc/{process}/numa_maps may not be read: the process belongs to another user, or is protected; "
                + "run as that user or as root");
        }
        catch (IOException) when (!Directory.Exists(folder))
        {
            throw new ArgumentException($"the process {process} ended while it was looked at");
        }
    }

    /// <summary>Takes the kernel's lines apart.</summary>
    internal static ProcessResidency Parse(int process, string name, IEnumerable<string> lines)
    {
        List<ProcessMapping> mappings = [];
        int unreadable = 0;
        foreach (string line in lines)
        {
            if (line.Length == 0) continue;
            if (MappingOf(line) is not ProcessMapping mapping) unreadable++;
            else if (mapping.BytesOnNode.Count > 0) mappings.Add(mapping);
        }

        return new ProcessResidency(process, name, [.. mappings], unreadable);
    }

    // 7f01c0000000 bind:0-1 file=/tmp/a\040b huge anon=3 dirty=3 N0=1 N1=2 kernelpagesize_kB=4
    private static ProcessMapping? MappingOf(string line)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        const NumberStyles Hexadecimal = NumberStyles.AllowHexSpecifier;
        if (words.Length < 2
            || !ulong.TryParse(words[0], Hexadecimal, CultureInfo.InvariantCulture, out ulong address))
        {
            return null;
        }

        Dictionary<int, long> pages = [];
        MappingKind kind = MappingKind.Anonymous;
        string? file = null;
        long pageBytes = Environment.SystemPageSize;
        foreach (string word in words.AsSpan(2))
        {
            if (word is "heap") kind = MappingKind.Heap;
            else if (word is "stack") kind = MappingKind.Stack;
            else if (word is "huge") kind = MappingKind.HugePages;
            else if (word.StartsWith("file=", StringComparison.Ordinal)) file = word["file=".Length..];
            else if (Value(word, "kernelpagesize_kB=") is long kilobytes) pageBytes = kilobytes * Kilobyte;
            else if (word[0] == 'N' && word.Split('=') is [string node, string count]
                && int.TryParse(node.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                && long.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out long known))
            {
                pages[number] = known;
            }
        }

        if (kind == MappingKind.Anonymous && file is not null) kind = MappingKind.File;
        return new ProcessMapping(
            address, kind, words[1], file, pages.ToDictionary(pair => pair.Key, pair => pair.Value * pageBytes));
    }

    private static long? Value(string word, string name) =>
        word.StartsWith(name, StringComparison.Ordinal)
            && long.TryParse(word.AsSpan(name.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long value)
            && value is > 0 and < int.MaxValue ? value : null;
}
