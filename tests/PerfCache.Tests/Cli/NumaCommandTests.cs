// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Cli;

namespace PerfCache.Tests.Cli;

/// <summary><c>perfcache numa</c> through the whole command, over files of machines that are not this one.</summary>
[TestFixture]
public sealed class NumaCommandTests : FolderFixture
{
    private static readonly string[] s_nodeNames =
    [
        "kind", "node", "cpus", "allowedCpus", "totalBytes", "freeBytes", "distances", "tier", "readLatencyNs",
        "readBandwidthMBps", "writeLatencyNs", "writeBandwidthMBps", "hasMemory", "memoryOnly", "memoryAllowed", "emulated",
    ];

    private static readonly string[] s_summaryNames =
    [
        "kind", "nodes", "possible", "hasMemory", "hasCpu", "allowedCpus", "allowedMemoryNodes", "automaticBalancing",
        "emulated", "reason", "placementReason", "warnings",
    ];

    [Test]
    public void The_table_has_a_row_a_node_and_says_what_is_offline_and_what_to_mind()
    {
        new MachineFiles(Folder).WithGap().Allowing("0-2", "0").With("proc/sys/kernel/numa_balancing", "1");
        string[] lines = Lines(Run());
        Assert.That(lines[0], Is.EqualTo("real: 2 nodes, 4 CPUs (3 for this process)"));
        Assert.That(Words(lines[1]), Is.EqualTo(new[] { "node", "CPUs", "memory", "free", "distances", "notes" }));
        Assert.That(Words(lines[2]), Is.EqualTo(new[] { "0", "0-1", "1,024 MiB", "256 MiB", "10 21" }));
        Assert.That(Words(lines[3]),
            Is.EqualTo(new[] { "2", "2-3", "3,072 MiB", "768 MiB", "21 10", "memory not allowed, CPUs allowed: 2" }));
        Assert.That(lines[4], Is.EqualTo("possible, but offline: 1,3"));
        Assert.That(lines[5], Does.StartWith("warning: the kernel's own NUMA balancing is on"));
    }

    [Test]
    public void Tiers_and_the_firmwares_figures_are_columns_where_they_are()
    {
        new MachineFiles(Folder).WithTiers();
        string[] lines = Lines(Run());
        Assert.That(Words(lines[1])[5..], Is.EqualTo(new[] { "tier", "read", "write", "notes" }));
        Assert.That(Words(lines[5])[1..], Is.EqualTo(new[]
        {
            "-", "4,096 MiB", "1,024 MiB", "28 17 28 10", "28", "250 ns, 8,192 MB/s", "260 ns, -", "memory only",
        }));
    }

    [Test]
    public void Emulated_nodes_are_marked_and_the_real_ones_still_told()
    {
        new MachineFiles(Folder).WithGap();
        string[] lines = Lines(Run("--nodes", "4", "--distance", "10,21"));
        Assert.That(lines[..2], Is.EqualTo(new[]
        {
            "real: 2 nodes, 4 CPUs (4 for this process)", "emulated: 4 nodes, 4 CPUs (4 for this process)",
        }));
        Assert.That(lines[3..], Has.Length.EqualTo(4).And.All.EndsWith("emulated"));
        JsonElement[] objects = [.. Lines(Run("--nodes", "4", "--json")).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.That(objects, Has.Length.EqualTo(5));
        Assert.That(objects.Select(line => line.GetProperty("emulated").GetBoolean()), Is.All.True);
        Assert.That(objects[1].GetProperty("distances").ToString(), Is.EqualTo("[20,10,20,20]"));
    }

    [Test]
    public void Without_nodes_the_reason_is_said()
    {
        string[] lines = Lines(Run());
        Assert.That(lines[0], Does.StartWith("not known: 1 node, "));
        Assert.That(lines[1], Does.StartWith("reason: ").And.EndsWith("; one node stands for the machine"));
    }

    [Test]
    public void Json_has_an_object_a_node_and_a_summary_with_names_in_order()
    {
        new MachineFiles(Folder).WithTiers();
        JsonElement[] lines = [.. Lines(Run("--json")).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.That(lines, Has.Length.EqualTo(5));
        Assert.That(lines[..4].Select(Names), Is.All.EqualTo(s_nodeNames));
        Assert.That(Names(lines[4]), Is.EqualTo(s_summaryNames));
        Assert.That(lines[2].GetProperty("cpus").GetArrayLength(), Is.Zero);
        Assert.That(lines[2].GetProperty("readLatencyNs").GetInt64(), Is.EqualTo(250));
        Assert.That(lines[2].GetProperty("writeBandwidthMBps").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(lines[4].GetProperty("reason").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [TestCase("--nodes 0", "--nodes: '0' is not a whole number from 1 to 64")]
    [TestCase("--nodes 65", "--nodes: '65' is not a whole number from 1 to 64")]
    [TestCase("--nodes 2 --distance 10,9", "--distance: the remote distance is 9, not 10 to 254")]
    [TestCase("--nodes 2 --distance 10,21;21", "--distance: row 1 of the matrix has 1 distances, not 2 as it has rows")]
    [TestCase("--distance 10,21", "--distance is for emulated nodes; give their number with --nodes")]
    [TestCase("--nosuch", "unrecognized command or argument '--nosuch'")]
    public void What_makes_no_sense_is_one_line_and_exit_code_2(string arguments, string message)
    {
        CliRun run = Run(arguments.Split(' '));
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
        Assert.That(run.Error, Is.EqualTo($"perfcache: {message} (see 'perfcache numa --help')" + Environment.NewLine));
    }

    private CliRun Run(params string[] args)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        CliContext context = new() { Out = output, Error = error, MachineRoot = Folder };
        int exitCode = CommandLine.Run(["numa", .. args], context);
        return new CliRun(exitCode, output.ToString(), error.ToString());
    }

    private static string[] Lines(CliRun run)
    {
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        return run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private static string[] Words(string line) =>
        line.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string[] Names(JsonElement line) => [.. line.EnumerateObject().Select(property => property.Name)];
}
