// SPDX-License-Identifier: MIT
using System.Collections.ObjectModel;
using System.Globalization;

namespace PerfCache.Memory;

/// <summary>Reads a topology from the files under a root, which are the kernel's or a copy.</summary>
/// <remarks>
/// Nothing here fails: a file that is missing where the kernel always has it, cannot be read, or says what it cannot
/// mean, is one warning. Names in warnings are those of the machine the files came from, not of the copy.
/// </remarks>
internal sealed class NumaReader(string root)
{
    private const string NodeFolder = "sys/devices/system/node";
    private const string TierFolder = "sys/devices/virtual/memory_tiering";
    private const string Status = "proc/self/status";
    private const string Balancing = "proc/sys/kernel/numa_balancing";
    private const long Kilobyte = 1024;

    private readonly List<string> _warnings = [];

    internal NumaTopology Read()
    {
        NumberList? online = List($"{NodeFolder}/online");
        online ??= new NumberList(NumbersOfFolders(NodeFolder, "node"));
        int[] present = [.. online.Numbers.Where(HasFolder)];
        return present.Length == 0 ? Machine() : Nodes(online, present);
    }

    private NumaTopology Nodes(NumberList online, int[] present)
    {
        (NumberList? cpus, NumberList? memory) = Allowed();
        if (cpus is null || memory is null)
            Warn(Status, "does not tell what this process may use; all CPUs and nodes count as allowed");
        Dictionary<int, int> tiers = Tiers();
        NumberList? withMemory = List($"{NodeFolder}/has_memory");
        NumaNode[] nodes = [.. present.Select(
            number => Node(number, online, present, cpus, memory, withMemory) with
            {
                Tier = tiers.TryGetValue(number, out int tier) ? tier : null,
            })];
        NumberList memoryNodes = new(nodes.Where(node => node.HasMemory).Select(node => node.Number));
        cpus ??= new NumberList(nodes.SelectMany(node => node.Cpus.Numbers));
        memory = memory is null ? memoryNodes : memory.Both(memoryNodes);
        return Complete(
            nodes, cpus, memory, List($"{NodeFolder}/possible") ?? online, memoryNodes,
            List($"{NodeFolder}/has_cpu"), reason: null);
    }

    private NumaNode Node(
        int number, NumberList online, int[] present, NumberList? cpusAllowed, NumberList? memoryAllowed,
        NumberList? withMemory)
    {
        string folder = $"{NodeFolder}/node{number}";
        NumberList? cpus = Needed($"{folder}/cpulist", List($"{folder}/cpulist"));
        string meminfo = $"{folder}/meminfo";
        string? lines = Needed(meminfo, Text(meminfo));
        long? total = lines is null ? null : Bytes(meminfo, lines, "MemTotal:");
        bool hasMemory = withMemory?.Contains(number) ?? total != 0;
        (NumaAccess read, NumaAccess write) = Access(folder);
        return new NumaNode
        {
            Number = number,
            Cpus = cpus ?? NumberList.Empty,
            AllowedCpus = (cpus ?? NumberList.Empty).Both(cpusAllowed ?? cpus ?? NumberList.Empty),
            TotalBytes = total,
            FreeBytes = lines is null ? null : Bytes(meminfo, lines, "MemFree:"),
            HasMemory = hasMemory,
            IsMemoryAllowed = hasMemory && memoryAllowed?.Contains(number) != false,
            IsMemoryOnly = cpus is { Count: 0 } && hasMemory,
            Distances = Distances(number, online, present),
            Read = read,
            Write = write,
        };
    }

    /// <summary>A row has an entry for each online node, in their order; the numbers in between have none.</summary>
    private ReadOnlyCollection<int> Distances(int number, NumberList online, int[] present)
    {
        string file = $"{NodeFolder}/node{number}/distance";
        string? text = Needed(file, Text(file));
        if (text is not null)
        {
            string[] words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            int[] row = [.. words.Select(word => (int)(Number(word) is long entry and <= 255 ? entry : 0))];
            if (row.Length == online.Count && !row.Contains(0))
            {
                return Array.AsReadOnly(online.Numbers.Zip(row).Where(pair => present.Contains(pair.First))
                    .Select(pair => pair.Second).ToArray());
            }

            Warn(file, $"'{Excerpt(text)}' is not {online.Count} distances, one for each online node; taken as "
                + $"{NumaDistances.DefaultLocal} and {NumaDistances.DefaultRemote}");
        }

        return Array.AsReadOnly(present.Select(
            other => other == number ? NumaDistances.DefaultLocal : NumaDistances.DefaultRemote).ToArray());
    }

    /// <summary>Class 1 tells of the nearest CPUs, class 0 of the nearest initiators of any kind; older kernels have
    /// only the second.</summary>
    private (NumaAccess Read, NumaAccess Write) Access(string folder)
    {
        foreach (string accessClass in (string[])["access1", "access0"])
        {
            string initiators = $"{folder}/{accessClass}/initiators";
            NumaAccess read = new(Positive($"{initiators}/read_latency"), Positive($"{initiators}/read_bandwidth"));
            NumaAccess write = new(Positive($"{initiators}/write_latency"), Positive($"{initiators}/write_bandwidth"));
            if (read != default || write != default) return (read, write);
        }

        return default;
    }

    private Dictionary<int, int> Tiers()
    {
        Dictionary<int, int> tiers = [];
        foreach (int tier in NumbersOfFolders(TierFolder, "memory_tier"))
        {
            if (List($"{TierFolder}/memory_tier{tier}/nodelist") is not NumberList nodes) continue;
            foreach (int node in nodes.Numbers) tiers[node] = tier;
        }

        return tiers;
    }

    /// <summary>One node for the machine, where the system tells no nodes.</summary>
    private NumaTopology Machine()
    {
        string reason = !OperatingSystem.IsLinux() ? "the nodes of this system are not read; only those of Linux are"
            : Directory.Exists(PathOf(NodeFolder)) ? $"/{NodeFolder} has no node that is online and readable"
            : $"/{NodeFolder} is not there: a kernel without NUMA, or a container that hides it";
        (NumberList? allowed, NumberList? _) = Allowed();
        NumberList cpus = List("sys/devices/system/cpu/online") ?? allowed
            ?? new NumberList(Enumerable.Range(0, Environment.ProcessorCount));
        string? lines = Text("proc/meminfo");
        NumberList only = new([0]);
        NumaNode node = new()
        {
            Number = 0,
            Cpus = cpus,
            AllowedCpus = allowed is null ? cpus : cpus.Both(allowed),
            TotalBytes = lines is null ? null : Bytes("proc/meminfo", lines, "MemTotal:"),
            FreeBytes = lines is null ? null : Bytes("proc/meminfo", lines, "MemFree:"),
            HasMemory = true,
            IsMemoryAllowed = true,
            IsMemoryOnly = false,
            Distances = Array.AsReadOnly([NumaDistances.DefaultLocal]),
        };
        return Complete([node], allowed ?? cpus, only, only, only, only, reason);
    }

    private NumaTopology Complete(
        NumaNode[] nodes, NumberList cpus, NumberList memory, NumberList possible, NumberList withMemory,
        NumberList? withCpus, string? reason)
    {
        if (cpus.Count == 0) Warn(Status, "this process may run on no CPU: its cpuset is empty");
        if (memory.Count == 0)
            Warn(Status, "this process may take memory from no node that has any: its cpuset is empty");
        long? balancing = Whole(Balancing);
        if (balancing is > 0)
        {
            _warnings.Add($"the kernel's own NUMA balancing is on (kernel.numa_balancing = {balancing}): it moves pages "
                + "between nodes unless their range has a policy; 'sysctl kernel.numa_balancing=0' switches it off");
        }

        return new NumaTopology(nodes)
        {
            PossibleNodes = possible,
            MemoryNodes = withMemory,
            CpuNodes = withCpus
                ?? new NumberList(nodes.Where(node => node.Cpus.Count > 0).Select(node => node.Number)),
            AllowedCpus = cpus,
            AllowedMemoryNodes = memory,
            AutomaticBalancing = balancing is null ? null : balancing > 0,
            Reason = reason,
            Warnings = _warnings.AsReadOnly(),
        };
    }

    /// <summary>Affinity and cpuset in one: the kernel writes what is left of both.</summary>
    private (NumberList? Cpus, NumberList? Memory) Allowed() =>
        Text(Status) is string lines
            ? (AllowedList(lines, "Cpus_allowed_list:"), AllowedList(lines, "Mems_allowed_list:"))
            : default;

    private NumberList? AllowedList(string lines, string name)
    {
        if (LineOf(lines, name) is not string text) return null;
        if (NumberList.TryParse(text, out NumberList list)) return list;
        Warn(Status, $"'{Excerpt(text)}' behind {name} is not a list of numbers");
        return null;
    }

    private bool HasFolder(int number)
    {
        if (Directory.Exists(PathOf($"{NodeFolder}/node{number}"))) return true;
        Warn($"{NodeFolder}/node{number}", "is not there, though the node is online; left out");
        return false;
    }

    private List<int> NumbersOfFolders(string folder, string prefix)
    {
        List<int> numbers = [];
        try
        {
            if (!Directory.Exists(PathOf(folder))) return numbers;
            foreach (string path in Directory.EnumerateDirectories(PathOf(folder), prefix + "*"))
            {
                if (Number(Path.GetFileName(path)[prefix.Length..]) is long number and <= int.MaxValue)
                    numbers.Add((int)number);
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Warn(folder, "cannot be listed");
        }

        return numbers;
    }

    private NumberList? List(string file)
    {
        if (Text(file) is not string text) return null;
        if (NumberList.TryParse(text, out NumberList list)) return list;
        Warn(file, $"'{Excerpt(text)}' is not a list of numbers");
        return null;
    }

    /// <summary>A number of a file where 0 means not told.</summary>
    private long? Positive(string file) => Whole(file) is > 0 and long number ? number : null;

    private long? Whole(string file)
    {
        if (Text(file) is not string text) return null;
        if (Number(text) is long number) return number;
        Warn(file, $"'{Excerpt(text)}' is not a number");
        return null;
    }

    private long? Bytes(string file, string lines, string name)
    {
        string[] words = (LineOf(lines, name) ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words is [string number, "kB"] && Number(number) is long kilobytes and <= long.MaxValue / Kilobyte)
            return kilobytes * Kilobyte;
        Warn(file, $"has no line '{name} ... kB'");
        return null;
    }

    /// <summary>What follows a name in a text of lines; nodes have their number before the name.</summary>
    private static string? LineOf(string lines, string name)
    {
        foreach (string line in lines.Split('\n'))
        {
            int at = line.IndexOf(name, StringComparison.Ordinal);
            if (at == 0 || (at > 0 && line[at - 1] == ' ')) return line[(at + name.Length)..].Trim();
        }

        return null;
    }

    /// <summary>The text of a file, or null; a file that is there and cannot be read is a warning.</summary>
    private string? Text(string file)
    {
        try
        {
            return File.ReadAllText(PathOf(file)).Trim();
        }
        catch (Exception failure) when (failure is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Warn(file, "cannot be read");
            return null;
        }
    }

    private TValue? Needed<TValue>(string file, TValue? value) where TValue : class
    {
        if (value is null && !File.Exists(PathOf(file))) Warn(file, "is not there");
        return value;
    }

    private static long? Number(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;

    // A damaged file may hold anything; a warning is one line.
    private static string Excerpt(string text) =>
        new([.. text.Take(40).Select(letter => char.IsControl(letter) ? '?' : letter)]);

    private void Warn(string file, string what) => _warnings.Add($"/{file}: {what}");

    private string PathOf(string file) => Path.Combine(root, file);
}
