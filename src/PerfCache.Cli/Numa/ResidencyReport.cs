// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.Json;
using PerfCache.Numa;
using PerfCache.Simulation.Reports;

namespace PerfCache.Cli.Numa;

/// <summary>Where a process has its memory, as tables or as JSON objects, whose names are a contract with scripts.
/// </summary>
internal static class ResidencyReport
{
    private static readonly MappingKind[] s_kinds =
        [MappingKind.Anonymous, MappingKind.Heap, MappingKind.Stack, MappingKind.File, MappingKind.HugePages];

    /// <summary>Writes a row a node, and one a mapping for the largest.</summary>
    public static void Write(TextWriter writer, bool isTerminal, ProcessResidency residency, int mappings)
    {
        long total = residency.Nodes.Sum(node => residency.BytesOn(node));
        writer.WriteLine($"process {residency.Process} ({residency.Name}): {Mebibytes(total)} mapped");
        ReplayTable.WriteRows(writer, isTerminal,
            ["node", "anonymous", "heap", "stack", "files", "huge pages", "total", "share"],
            residency.Nodes.Select(node => NodeCells(residency, node, total)));
        string policies = string.Join(", ", residency.Mappings.GroupBy(mapping => mapping.Policy)
            .OrderByDescending(group => group.Sum(mapping => mapping.Bytes))
            .Select(group => $"{group.Key} {Mebibytes(group.Sum(mapping => mapping.Bytes))}"));
        writer.WriteLine($"by policy: {(policies.Length == 0 ? "nothing is mapped" : policies)}");
        if (residency.UnreadableLines > 0)
            writer.WriteLine($"warning: {residency.UnreadableLines} lines of the kernel's list are not understood");
        if (mappings == 0) return;
        ReplayTable.WriteRows(writer, isTerminal,
            ["address", "kind", "placement", .. residency.Nodes.Select(node => $"node {node}"), "file"],
            Largest(residency, mappings).Select(mapping => MappingCells(residency, mapping)));
    }

    /// <summary>Writes an object for each node, one for each of the largest mappings, and one for the whole.</summary>
    public static void WriteJson(TextWriter writer, ProcessResidency residency, int mappings)
    {
        long total = residency.Nodes.Sum(node => residency.BytesOn(node));
        foreach (int node in residency.Nodes)
            writer.WriteLine(JsonLine.Of("node", json => WriteNode(json, residency, node, total)));
        foreach (ProcessMapping mapping in Largest(residency, mappings))
            writer.WriteLine(JsonLine.Of("mapping", json => WriteMapping(json, residency, mapping)));
        writer.WriteLine(JsonLine.Of("summary", json =>
        {
            json.WriteNumber("process", residency.Process);
            json.WriteString("name", residency.Name);
            json.WriteNumber("mappings", residency.Mappings.Count);
            json.WriteNumber("totalBytes", total);
            json.WriteNumber("unreadableLines", residency.UnreadableLines);
        }));
    }

    private static IEnumerable<ProcessMapping> Largest(ProcessResidency residency, int count) =>
        residency.Mappings.OrderByDescending(mapping => mapping.Bytes).ThenBy(mapping => mapping.Address).Take(count);

    private static string[] NodeCells(ProcessResidency residency, int node, long total) =>
    [
        node.ToString(CultureInfo.InvariantCulture),
        .. s_kinds.Select(kind => Mebibytes(residency.BytesOn(node, kind))),
        Mebibytes(residency.BytesOn(node)),
        ReplayTable.Fixed(100.0 * residency.BytesOn(node) / total, "N1") + "%",
    ];

    private static string[] MappingCells(ProcessResidency residency, ProcessMapping mapping) =>
    [
        mapping.Address.ToString("x", CultureInfo.InvariantCulture), Name(mapping.Kind), mapping.Policy,
        .. residency.Nodes.Select(node => Mebibytes(mapping.BytesOnNode.GetValueOrDefault(node))), mapping.File ?? "",
    ];

    private static void WriteNode(Utf8JsonWriter json, ProcessResidency residency, int node, long total)
    {
        json.WriteNumber("process", residency.Process);
        json.WriteNumber("node", node);
        foreach (MappingKind kind in s_kinds) json.WriteNumber($"{Name(kind)}Bytes", residency.BytesOn(node, kind));
        json.WriteNumber("totalBytes", residency.BytesOn(node));
        json.WriteNumber("share", (double)residency.BytesOn(node) / total);
    }

    private static void WriteMapping(Utf8JsonWriter json, ProcessResidency residency, ProcessMapping mapping)
    {
        json.WriteNumber("process", residency.Process);
        json.WriteString("address", mapping.Address.ToString("x", CultureInfo.InvariantCulture));
        json.WriteString("mappingKind", Name(mapping.Kind));
        json.WriteString("policy", mapping.Policy);
        json.WriteString("file", mapping.File);
        json.WriteNumber("totalBytes", mapping.Bytes);
        json.WriteStartArray("nodes");
        foreach ((int node, long bytes) in mapping.BytesOnNode.OrderBy(pair => pair.Key))
        {
            json.WriteStartObject();
            json.WriteNumber("node", node);
            json.WriteNumber("bytes", bytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string Name(MappingKind kind) => kind switch
    {
        MappingKind.Heap => "heap",
        MappingKind.Stack => "stack",
        MappingKind.File => "file",
        MappingKind.HugePages => "hugePage",
        _ => "anonymous",
    };

    private static string Mebibytes(long bytes) => ReplayTable.Fixed(bytes / (double)(1 << 20), "N1") + " MiB";
}
