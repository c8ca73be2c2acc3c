// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Memory;

/// <summary>
/// Goal: the topology is what the files say, and a file that lies or lacks costs its own figure only. Method: trees of
/// files as the kernel writes them, in a folder of the test's own, sound and damaged one file at a time.
/// </summary>
[TestFixture]
public sealed class NumaTopologyTests : FolderFixture
{
    private MachineFiles Files => new(Folder);

    [Test]
    public void One_node_is_the_machine()
    {
        NumaTopology topology = Read(Files.WithLists("0", "0", "0", "0").WithNode(0, "0-3", "10").Allowing("1-2", "0"));
        Assert.That(topology.Nodes, Has.Count.EqualTo(1));
        NumaNode node = topology.Node(0);
        Assert.That((node.Cpus.ToString(), node.AllowedCpus.ToString()), Is.EqualTo(("0-3", "1-2")));
        Assert.That((node.TotalBytes, node.FreeBytes), Is.EqualTo((1L << 30, 1L << 28)));
        Assert.That((node.Tier, node.Read, node.Write), Is.EqualTo(((int?)null, default(NumaAccess), default(NumaAccess))));
        Assert.That((topology.Reason, topology.IsEmulated, topology.AutomaticBalancing), Is.EqualTo(((string?)null, false, (bool?)null)));
        Assert.That(topology.Warnings, Is.Empty);
    }

    [Test]
    public void Numbers_with_gaps_keep_their_distances()
    {
        NumaTopology topology = Read(Files.WithGap().WithNode(0, "0-1", "10 31").WithNode(2, "2-3", "32 10"));
        Assert.That(topology.Nodes.Select(node => node.Number), Is.EqualTo(new[] { 0, 2 }));
        Assert.That((topology.Distance(0, 2), topology.Distance(2, 0), topology.Distance(2, 2)), Is.EqualTo((31, 32, 10)));
        Assert.That(topology.OfflineNodes.ToString(), Is.EqualTo("1,3"));
        Assert.That(() => topology.Node(1), Throws.InstanceOf<ArgumentOutOfRangeException>()
            .With.Message.StartsWith("node 1 is offline; the nodes are 0,2"));
        Assert.That(() => topology.Distance(0, 7), Throws.InstanceOf<ArgumentOutOfRangeException>()
            .With.Message.StartsWith("there is no node 7; the nodes are 0,2"));
        Assert.That(topology.Warnings, Is.Empty);
    }

    [Test]
    public void Fallback_goes_to_the_nearest_and_of_equals_to_the_lowest()
    {
        NumaTopology topology = Read(Files.WithLists("0-3", "0-3", "0-3", "0-3").WithNode(0, "0", "10 21 21 15")
            .WithNode(1, "1", "21 10 15 15").WithNode(2, "2", "10 10 10 10").WithNode(3, "3", "12 14 16 10")
            .Allowing("0-3", "0-3"));
        int[][] orders = [[0, 3, 1, 2], [1, 2, 3, 0], [2, 0, 1, 3], [3, 0, 1, 2]];
        Assert.That(Enumerable.Range(0, 4).Select(
            from => topology.NodesByDistance(from).Select(node => node.Number).ToArray()), Is.EqualTo(orders));
    }

    [Test]
    public void Memory_alone_has_tiers_and_the_firmwares_figures()
    {
        NumaTopology topology = Read(Files.WithTiers());
        Assert.That(topology.Nodes.Select(node => node.IsMemoryOnly), Is.EqualTo(new[] { false, false, true, true }));
        Assert.That(topology.Nodes.Select(node => node.Tier), Is.EqualTo(new int?[] { 4, 4, 28, 28 }));
        Assert.That(topology.Node(0).Read, Is.EqualTo(new NumaAccess(100, 20480)));
        Assert.That(topology.Node(3).Write, Is.EqualTo(new NumaAccess(260, null)), "0 means not told");
        Assert.That((topology.CpuNodes.ToString(), topology.MemoryNodes.ToString()), Is.EqualTo(("0-1", "0-3")));
        Assert.That(topology.Warnings, Is.Empty);
    }

    [Test]
    public void Figures_of_the_nearest_cpus_go_before_those_of_any_initiator()
    {
        Files.WithTiers().WithNodes("node2/access1/initiators/read_latency", "300");
        Assert.That(Read(Files).Node(2).Read, Is.EqualTo(new NumaAccess(300, null)));
    }

    [Test]
    public void A_cpuset_limits_cpus_and_memory()
    {
        NumaTopology topology = Read(Files.WithGap().Allowing("3", "0"));
        Assert.That(topology.Nodes.Select(node => node.AllowedCpus.ToString()), Is.EqualTo(new[] { "", "3" }));
        Assert.That(topology.Nodes.Select(node => node.IsMemoryAllowed), Is.EqualTo(new[] { true, false }));
        Assert.That((topology.AllowedCpus.ToString(), topology.AllowedMemoryNodes.ToString()), Is.EqualTo(("3", "0")));
        Assert.That(topology.Warnings, Is.Empty);
    }

    [Test]
    public void An_empty_cpuset_is_said()
    {
        NumaTopology topology = Read(Files.WithGap().Allowing("", "1"));
        Assert.That((topology.AllowedCpus.Count, topology.AllowedMemoryNodes.Count), Is.EqualTo((0, 0)));
        Assert.That(topology.Warnings, Is.EqualTo(new[]
        {
            "/proc/self/status: this process may run on no CPU: its cpuset is empty",
            "/proc/self/status: this process may take memory from no node that has any: its cpuset is empty",
        }));
        Assert.That(topology.Emulate(NumaDistances.Uniform(2, 10, 20)).AllowedMemoryNodes.Count, Is.Zero);
    }

    [TestCase("online", "0-", "is not a list of numbers")]
    [TestCase("possible", "0-99999999999", "is not a list of numbers")]
    [TestCase("has_memory", "x", "is not a list of numbers")]
    [TestCase("node2/cpulist", "3-2", "is not a list of numbers")]
    [TestCase("node2/distance", "21 ten", "is not 2 distances, one for each online node; taken as 10 and 20")]
    [TestCase("node2/distance", "21 10 21", "is not 2 distances, one for each online node; taken as 10 and 20")]
    [TestCase("node2/distance", "21 999", "is not 2 distances, one for each online node; taken as 10 and 20")]
    [TestCase("node2/access0/initiators/read_latency", "-5", "is not a number")]
    public void A_damaged_file_is_one_warning_and_the_rest_stays(string file, string text, string complaint)
    {
        NumaTopology topology = Read(Files.WithGap().WithNodes(file, text));
        Assert.That(topology.Warnings, Is.EqualTo(new[] { $"/sys/devices/system/node/{file}: '{text}' {complaint}" }));
        Assert.That(topology.Nodes.Select(node => node.Number), Is.EqualTo(new[] { 0, 2 }));
        Assert.That(topology.Nodes.Select(node => node.TotalBytes), Is.EqualTo(new long?[] { 1L << 30, 3L << 30 }));
        Assert.That(topology.Node(2).IsMemoryOnly, Is.False, "a list that cannot be read is not an empty one");
        Assert.That(topology.Node(2).Distances, Is.EqualTo(file.EndsWith("distance", StringComparison.Ordinal)
            ? new[] { 20, 10 } : [21, 10]));
    }

    [TestCase("cpulist")]
    [TestCase("meminfo")]
    [TestCase("distance")]
    public void A_file_that_lacks_or_cannot_be_read_is_one_warning(string name)
    {
        string file = PathOf($"sys/devices/system/node/node2/{name}");
        Files.WithGap();
        File.Delete(file);
        Assert.That(Read(Files).Warnings, Is.EqualTo(new[] { $"/sys/devices/system/node/node2/{name}: is not there" }));
        // Permissions stop no superuser; nobody reads a folder as a file.
        Directory.CreateDirectory(file);
        Assert.That(Read(Files).Warnings, Has.Some.EqualTo($"/sys/devices/system/node/node2/{name}: cannot be read"));
    }

    [Test]
    public void Memory_that_is_not_told_is_not_zero()
    {
        NumaTopology topology = Read(Files.WithGap().WithNodes("node2/meminfo", "Node 2 MemTotal: many kB"));
        Assert.That((topology.Node(2).TotalBytes, topology.Node(2).FreeBytes), Is.EqualTo(((long?)null, (long?)null)));
        Assert.That(topology.Warnings, Has.Count.EqualTo(2));
        Assert.That(topology.Emulate(NumaDistances.Uniform(2, 10, 20)).Node(0).TotalBytes, Is.Null);
    }

    [Test]
    public void An_online_node_without_a_folder_is_left_out_with_its_column()
    {
        NumaTopology topology = Read(Files.WithLists("0-2", "0-3", "0-2", "0-2").WithNode(0, "0", "10 21 31")
            .WithNode(2, "2", "31 21 10").Allowing("0-2", "0-2"));
        Assert.That(topology.Nodes.Select(node => node.Number), Is.EqualTo(new[] { 0, 2 }));
        Assert.That(topology.Distance(0, 2), Is.EqualTo(31));
        Assert.That(topology.Warnings, Is.EqualTo(
            new[] { "/sys/devices/system/node/node1: is not there, though the node is online; left out" }));
    }

    [Test]
    public void Without_nodes_one_stands_for_the_machine_with_a_reason()
    {
        NumaTopology topology = Read(Files.With("sys/devices/system/cpu/online", "0-7").Allowing("0-3", "0")
            .With("proc/meminfo", "MemTotal:        4096 kB\nMemFree:         1024 kB\nSwapTotal: 1 kB"));
        Assert.That(topology.Reason, Is.Not.Empty);
        NumaNode node = topology.Nodes.Single();
        Assert.That((node.Number, node.Cpus.ToString(), node.AllowedCpus.ToString()), Is.EqualTo((0, "0-7", "0-3")));
        Assert.That((node.TotalBytes, node.FreeBytes), Is.EqualTo((4L << 20, 1L << 20)));
        Assert.That(topology.NodesByDistance(0), Is.EqualTo(new[] { node }));
        Assert.That(topology.Warnings, Is.Empty);
    }

    [Test]
    public void An_empty_root_still_gives_a_node()
    {
        NumaTopology topology = Read(Files);
        Assert.That(topology.Nodes.Single().Cpus.Count, Is.EqualTo(Environment.ProcessorCount));
        Assert.That(topology.Nodes.Single().TotalBytes, Is.Null);
        Assert.That(topology.Reason, Is.Not.Empty);
    }

    [TestCase("0", false)]
    [TestCase("1", true)]
    [TestCase("2", true)]
    public void Balancing_by_the_kernel_is_a_warning(string setting, bool on)
    {
        NumaTopology topology = Read(Files.WithGap().With("proc/sys/kernel/numa_balancing", setting));
        Assert.That(topology.AutomaticBalancing, Is.EqualTo(on));
        Assert.That(topology.Warnings, on ? Has.Exactly(1).Contains($"kernel.numa_balancing = {setting}") : Is.Empty);
    }

    [Test]
    public void Emulated_nodes_share_out_all_there_is()
    {
        NumaTopology machine = Read(Files.WithGap().Allowing("0-2", "0,2"));
        NumaTopology topology = machine.Emulate(NumaDistances.Parse("10,21", 3));
        Assert.That(topology.IsEmulated, Is.True);
        Assert.That(topology.Nodes.Select(node => node.Cpus.ToString()), Is.EqualTo(new[] { "0-1", "2", "3" }));
        Assert.That(topology.Nodes.Select(node => node.AllowedCpus.ToString()), Is.EqualTo(new[] { "0-1", "2", "" }));
        Assert.That(topology.Nodes.Sum(node => node.TotalBytes), Is.EqualTo(4L << 30));
        Assert.That(topology.Nodes.Sum(node => node.FreeBytes), Is.EqualTo(1L << 30));
        Assert.That(topology.Nodes.Select(node => node.TotalBytes % 4096), Is.All.Zero);
        Assert.That(topology.Node(1).Distances, Is.EqualTo(new[] { 21, 10, 21 }));
    }

    [Test]
    public void More_emulated_nodes_than_cpus_leave_some_with_memory_only()
    {
        NumaTopology topology = Read(Files.WithGap()).Emulate(NumaDistances.Uniform(NumaDistances.NodesMax, 10, 20));
        Assert.That(topology.Nodes.Sum(node => node.Cpus.Count), Is.EqualTo(4));
        Assert.That(topology.Nodes.Count(node => node.IsMemoryOnly), Is.EqualTo(NumaDistances.NodesMax - 4));
        Assert.That(topology.CpuNodes.ToString(), Is.EqualTo("0,16,32,48"));
    }

    [TestCase("10,21", 0, "0 is not a number of nodes (1 to 64)")]
    [TestCase("10,21", 65, "65 is not a number of nodes (1 to 64)")]
    [TestCase("9,21", 2, "the local distance is 9, not 10 to 254")]
    [TestCase("10,255", 2, "the remote distance is 255, not 10 to 254")]
    [TestCase("21,10", 2, "the remote distance 10 is below the local one, 21")]
    [TestCase("10,x", 2, "'x' is not a distance (a whole number from 10 to 254)")]
    [TestCase("10,21;21,10", 3, "'10,21;21,10' has 2 rows for 3 nodes; give LOCAL,REMOTE such as 10,21, or a row a node, "
        + "apart by semicolons")]
    [TestCase("10,21;21", 2, "row 1 of the matrix has 1 distances, not 2 as it has rows")]
    [TestCase("10,21;21,11", 2, "the local distance of node 1 is 11, that of node 0 is 10; all of them must be equal, "
        + "usually 10")]
    [TestCase("20,15;21,20", 2, "the distance from 0 to 1 is 15, below the local one, 20")]
    public void Distances_that_make_no_sense_are_refused(string text, int nodes, string message) =>
        Assert.That(() => NumaDistances.Parse(text, nodes), Throws.TypeOf<FormatException>().With.Message.EqualTo(message));

    [Test]
    public void A_matrix_may_be_asymmetric_and_local_distances_other_than_10()
    {
        NumaDistances distances = NumaDistances.Parse("12,21;31,12", 2);
        Assert.That((distances[0, 1], distances[1, 0], distances[1, 1]), Is.EqualTo((21, 31, 12)));
    }

    [TestCase("0-3,8,10-11", "0-3,8,10-11", 7)]
    [TestCase("2,1,0", "0-2", 3)]
    [TestCase("", "", 0)]
    public void Lists_are_read_and_written_as_the_kernel_does(string text, string written, int count)
    {
        Assert.That(NumberList.TryParse(text, out NumberList list), Is.True);
        Assert.That((list.ToString(), list.Count), Is.EqualTo((written, count)));
    }

    [Test]
    public void This_machine_has_a_node_and_this_process_a_cpu_of_it()
    {
        NumaTopology topology = NumaTopology.Read();
        Assert.That(topology.Nodes, Is.Not.Empty);
        Assert.That(topology.AllowedCpus.Count, Is.GreaterThan(0));
        Assert.That(topology.Nodes.Select(node => topology.NodesByDistance(node.Number)[0]), Is.EqualTo(topology.Nodes));
    }

    private static NumaTopology Read(MachineFiles files) => NumaTopology.Read(files.Root);
}
