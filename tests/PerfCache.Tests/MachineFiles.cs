// SPDX-License-Identifier: MIT
namespace PerfCache.Tests;

/// <summary>Writes the files of a machine's nodes below a folder, in the kernel's own form.</summary>
internal sealed class MachineFiles(string root)
{
    private const string Nodes = "sys/devices/system/node";

    /// <summary>The folder, as a root.</summary>
    internal string Root => root;

    /// <summary>Writes a file; the kernel's end with a line's end.</summary>
    internal MachineFiles With(string file, string text)
    {
        string path = Path.Combine(root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text + "\n");
        return this;
    }

    /// <summary>Writes a file of the folder of nodes.</summary>
    internal MachineFiles WithNodes(string file, string text) => With($"{Nodes}/{file}", text);

    /// <summary>Writes what this process may use.</summary>
    internal MachineFiles Allowing(string cpus, string nodes) => With("proc/self/status",
        $"Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t{cpus}\nMems_allowed:\t1\nMems_allowed_list:\t{nodes}");

    /// <summary>Writes a node of 1 GiB for each step of its number, a quarter of it free.</summary>
    internal MachineFiles WithNode(int number, string cpus, string distances)
    {
        int kilobytes = (number + 1) << 20;
        return WithNodes($"node{number}/cpulist", cpus)
            .WithNodes($"node{number}/distance", distances)
            .WithNodes($"node{number}/meminfo", $"Node {number} MemTotal:       {kilobytes} kB\n"
                + $"Node {number} MemFree:        {kilobytes / 4} kB\nNode {number} MemUsed:        1 kB");
    }

    /// <summary>Writes the lists of nodes.</summary>
    internal MachineFiles WithLists(string online, string possible, string hasMemory, string hasCpu) =>
        WithNodes("online", online).WithNodes("possible", possible).WithNodes("has_memory", hasMemory)
            .WithNodes("has_cpu", hasCpu);

    /// <summary>Two nodes, 0 and 2, of two CPUs each; 1 and 3 are offline.</summary>
    internal MachineFiles WithGap() => WithLists("0,2", "0-3", "0,2", "0,2").WithNode(0, "0-1", "10 21")
        .WithNode(2, "2-3", "21 10").Allowing("0-3", "0,2");

    /// <summary>Two nodes of two CPUs and two of memory alone, with tiers and the firmware's figures.</summary>
    internal MachineFiles WithTiers()
    {
        WithLists("0-3", "0-3", "0-3", "0-1").WithNode(0, "0-1", "10 21 17 28").WithNode(1, "2-3", "21 10 28 17")
            .WithNode(2, "", "17 28 10 28").WithNode(3, "", "28 17 28 10").Allowing("0-3", "0-3");
        With("sys/devices/virtual/memory_tiering/memory_tier4/nodelist", "0-1");
        With("sys/devices/virtual/memory_tiering/memory_tier28/nodelist", "2-3");
        for (int node = 0; node < 4; node++)
        {
            string initiators = $"node{node}/access0/initiators";
            WithNodes($"{initiators}/read_latency", node < 2 ? "100" : "250");
            WithNodes($"{initiators}/read_bandwidth", node < 2 ? "20480" : "8192");
            WithNodes($"{initiators}/write_latency", node < 2 ? "110" : "260");
            WithNodes($"{initiators}/write_bandwidth", "0");
        }

        return this;
    }
}
