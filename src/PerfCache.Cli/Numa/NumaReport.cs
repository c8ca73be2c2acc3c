// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.Json;
using PerfCache.Memory;
using PerfCache.Simulation.Reports;

namespace PerfCache.Cli.Numa;

/// <summary>A topology as a table for people, or as JSON objects, whose names are a contract with scripts.</summary>
internal static class NumaReport
{
    /// <summary>Writes what the machine has, the nodes as a table, and what to know about them.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="isTerminal">Whether a person reads it.</param>
    /// <param name="machine">What was read.</param>
    /// <param name="shown">The nodes of the table: the same, or emulated ones.</param>
    /// <param name="placementReason">Why memory cannot be placed; null when it can.</param>
    public static void Write(
        TextWriter writer, bool isTerminal, NumaTopology machine, NumaTopology shown, string? placementReason)
    {
        writer.WriteLine($"{(machine.Reason is null ? "real" : "not known")}: {Describe(machine)}");
        if (shown.IsEmulated) writer.WriteLine($"emulated: {Describe(shown)}");
        if (machine.Reason is string reason) writer.WriteLine($"reason: {reason}; one node stands for the machine");
        ReplayTable.WriteRows(writer, isTerminal, Columns(shown), shown.Nodes.Select(node => Cells(shown, node)));
        if (shown.OfflineNodes is { Count: > 0 } offline) writer.WriteLine($"possible, but offline: {offline}");
        foreach (string warning in shown.Warnings) writer.WriteLine($"warning: {warning}");
        if (placementReason is not null && placementReason != machine.Reason)
            writer.WriteLine($"placement: memory is plain: {placementReason}");
    }

    /// <summary>Writes an object for each node and one for the whole.</summary>
    public static void WriteJson(TextWriter writer, NumaTopology topology, string? placementReason)
    {
        foreach (NumaNode node in topology.Nodes)
            writer.WriteLine(JsonLine.Of("node", json => WriteNode(json, topology, node)));
        writer.WriteLine(JsonLine.Of("summary", json => WriteSummary(json, topology, placementReason)));
    }

    private static string Describe(NumaTopology topology)
    {
        int cpus = topology.Nodes.Sum(node => node.Cpus.Count);
        int nodes = topology.Nodes.Count;
        return $"{nodes} node{(nodes == 1 ? "" : "s")}, {cpus} CPU{(cpus == 1 ? "" : "s")}"
            + $" ({topology.AllowedCpus.Count} for this process)";
    }

    private static List<string> Columns(NumaTopology topology)
    {
        List<string> columns = ["node", "CPUs", "memory", "free", "distances"];
        if (topology.Nodes.Any(node => node.Tier is not null)) columns.Add("tier");
        if (topology.Nodes.Any(HasAccess)) columns.AddRange(["read", "write"]);
        columns.Add("notes");
        return columns;
    }

    private static string[] Cells(NumaTopology topology, NumaNode node)
    {
        List<string> cells =
        [
            node.Number.ToString(CultureInfo.InvariantCulture),
            node.Cpus.Count == 0 ? "-" : node.Cpus.ToString(),
            Bytes(node.TotalBytes),
            Bytes(node.FreeBytes),
            string.Join(' ', node.Distances),
        ];
        if (topology.Nodes.Any(other => other.Tier is not null))
            cells.Add(node.Tier?.ToString(CultureInfo.InvariantCulture) ?? "-");
        if (topology.Nodes.Any(HasAccess)) cells.AddRange([Access(node.Read), Access(node.Write)]);
        cells.Add(Notes(topology, node));
        return [.. cells];
    }

    private static string Notes(NumaTopology topology, NumaNode node)
    {
        List<string> notes = [];
        if (topology.IsEmulated) notes.Add("emulated");
        if (node.IsMemoryOnly) notes.Add("memory only");
        if (!node.HasMemory) notes.Add("no memory");
        else if (!node.IsMemoryAllowed) notes.Add("memory not allowed");
        if (node.AllowedCpus.Count < node.Cpus.Count)
            notes.Add(node.AllowedCpus.Count == 0 ? "no CPU allowed" : $"CPUs allowed: {node.AllowedCpus}");
        return string.Join(", ", notes);
    }

    private static bool HasAccess(NumaNode node) => node.Read != default || node.Write != default;

    private static string Access(NumaAccess access)
    {
        string latency = access.LatencyNs is long ns ? $"{ReplayTable.Number(ns)} ns" : "-";
        string bandwidth = access.BandwidthMBps is long rate ? $"{ReplayTable.Number(rate)} MB/s" : "-";
        return $"{latency}, {bandwidth}";
    }

    private static string Bytes(long? bytes) =>
        bytes is long known ? ReplayTable.Fixed(known / (double)(1 << 20), "N0") + " MiB" : "?";

    private static void WriteNode(Utf8JsonWriter json, NumaTopology topology, NumaNode node)
    {
        json.WriteNumber("node", node.Number);
        Write(json, "cpus", node.Cpus.Numbers);
        Write(json, "allowedCpus", node.AllowedCpus.Numbers);
        Write(json, "totalBytes", node.TotalBytes);
        Write(json, "freeBytes", node.FreeBytes);
        Write(json, "distances", node.Distances);
        Write(json, "tier", node.Tier);
        Write(json, "readLatencyNs", node.Read.LatencyNs);
        Write(json, "readBandwidthMBps", node.Read.BandwidthMBps);
        Write(json, "writeLatencyNs", node.Write.LatencyNs);
        Write(json, "writeBandwidthMBps", node.Write.BandwidthMBps);
        json.WriteBoolean("hasMemory", node.HasMemory);
        json.WriteBoolean("memoryOnly", node.IsMemoryOnly);
        json.WriteBoolean("memoryAllowed", node.IsMemoryAllowed);
        json.WriteBoolean("emulated", topology.IsEmulated);
    }

    private static void WriteSummary(Utf8JsonWriter json, NumaTopology topology, string? placementReason)
    {
        Write(json, "nodes", [.. topology.Nodes.Select(node => node.Number)]);
        Write(json, "possible", topology.PossibleNodes.Numbers);
        Write(json, "hasMemory", topology.MemoryNodes.Numbers);
        Write(json, "hasCpu", topology.CpuNodes.Numbers);
        Write(json, "allowedCpus", topology.AllowedCpus.Numbers);
        Write(json, "allowedMemoryNodes", topology.AllowedMemoryNodes.Numbers);
        if (topology.AutomaticBalancing is bool balancing) json.WriteBoolean("automaticBalancing", balancing);
        else json.WriteNull("automaticBalancing");
        json.WriteBoolean("emulated", topology.IsEmulated);
        json.WriteString("reason", topology.Reason);
        json.WriteString("placementReason", placementReason);
        json.WriteStartArray("warnings");
        foreach (string warning in topology.Warnings) json.WriteStringValue(warning);
        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, string name, long? value)
    {
        if (value is long known) json.WriteNumber(name, known);
        else json.WriteNull(name);
    }

    private static void Write(Utf8JsonWriter json, string name, IReadOnlyList<int> values)
    {
        json.WriteStartArray(name);
        foreach (int value in values) json.WriteNumberValue(value);
        json.WriteEndArray();
    }
}
