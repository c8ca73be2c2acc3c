// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Cli;

namespace PerfCache.Tests.Cli;

/// <summary><c>perfcache numa residency</c> through the whole command.</summary>
internal sealed class NumaResidencyCommandTests : FolderFixture
{
    [SetUp]
    public void MakeProcess()
    {
        Directory.CreateDirectory(PathOf("proc/self"));
        Directory.CreateDirectory(PathOf("proc/77"));
        File.WriteAllText(PathOf("proc/77/comm"), "storage\n");
        File.WriteAllLines(PathOf("proc/77/numa_maps"),
        [
            "55eee4ed1000 default file=/usr/bin/storage mapped=256 N0=256 kernelpagesize_kB=4",
            "7f0000000000 bind:2 anon=768 dirty=768 N2=768 kernelpagesize_kB=4",
            "no mapping",
        ]);
    }

    [Test]
    public void The_table_has_a_row_a_node_and_the_largest_mappings()
    {
        string[] lines = Lines(Run("77", "--mappings", "1"));
        Assert.That(lines[0], Is.EqualTo("process 77 (storage): 4.0 MiB mapped"));
        Assert.That(Words(lines[2]), Is.EqualTo(new[] { "0", "0.0 MiB", "0.0 MiB", "0.0 MiB", "1.0 MiB", "0.0 MiB", "1.0 MiB", "25.0%" }));
        Assert.That(Words(lines[3]), Is.EqualTo(new[] { "2", "3.0 MiB", "0.0 MiB", "0.0 MiB", "0.0 MiB", "0.0 MiB", "3.0 MiB", "75.0%" }));
        Assert.That(lines[4], Is.EqualTo("by policy: bind:2 3.0 MiB, default 1.0 MiB"));
        Assert.That(lines[5], Is.EqualTo("warning: 1 lines of the kernel's list are not understood"));
        Assert.That(Words(lines[7])[..3], Is.EqualTo(new[] { "7f0000000000", "anonymous", "bind:2" }));
        Assert.That(lines, Has.Length.EqualTo(8));
    }

    [Test]
    public void Json_has_an_object_a_node_a_mapping_and_a_summary()
    {
        JsonElement[] lines = [.. Lines(Run("77", "--mappings", "5", "--json")).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.That(lines.Select(line => line.GetProperty("kind").GetString()),
            Is.EqualTo(new[] { "node", "node", "mapping", "mapping", "summary" }));
        Assert.That(lines[1].GetProperty("anonymousBytes").GetInt64(), Is.EqualTo(3 << 20));
        Assert.That(lines[1].GetProperty("share").GetDouble(), Is.EqualTo(0.75));
        Assert.That(lines[2].GetProperty("nodes")[0].ToString(), Is.EqualTo("""{"node":2,"bytes":3145728}"""));
        Assert.That(lines[4].GetProperty("totalBytes").GetInt64(), Is.EqualTo(4 << 20));
    }

    [TestCase("78", 2, "there is no process 78")]
    [TestCase("-5", 2, "'-5' is not the id of a process")]
    [TestCase("12x", 2, "'12x' is not the id of a process; give a number, or self")]
    [TestCase("77 --mappings many", 2, "--mappings: 'many' is not a whole number from 0 to 2147483647")]
    [TestCase("", 2, "required argument 'PID' missing")]
    public void What_makes_no_sense_is_one_line(string arguments, int exitCode, string message)
    {
        CliRun run = Run(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((exitCode, "")));
        Assert.That(run.Error, Does.Contain(message).IgnoreCase.And.EndsWith($"(see 'perfcache numa residency --help')\n"));
    }

    [Test]
    public void A_kernel_without_the_list_is_failed_work()
    {
        File.Delete(PathOf("proc/77/numa_maps"));
        CliRun run = Run("77");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((1, "")));
        Assert.That(run.Error, Does.StartWith("perfcache: /proc/77/numa_maps is not there: a kernel without NUMA"));
    }

    private CliRun Run(params string[] args)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        CliContext context = new() { Out = output, Error = error, MachineRoot = Folder };
        int exitCode = CommandLine.Run(["numa", "residency", .. args], context);
        return new CliRun(exitCode, output.ToString(), error.ToString());
    }

    private static string[] Lines(CliRun run)
    {
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        return run.Out.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
    }

    private static string[] Words(string line) => line.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
