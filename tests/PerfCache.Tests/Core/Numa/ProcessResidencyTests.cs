// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Numa;

namespace PerfCache.Tests.Core.Numa;

/// <summary>The kernel's list of a process's mappings, taken apart and added up.</summary>
internal sealed class ProcessResidencyTests : FolderFixture
{
    private static readonly string[] s_lines =
    [
        "55eee4ed1000 default file=/usr/bin/a\\040b mapped=2 mapmax=2 N0=2 kernelpagesize_kB=4",
        "55ef091ca000 default heap anon=4 dirty=4 active=0 N0=3 N2=1 kernelpagesize_kB=4",
        "7f0000000000 bind:0,2 anon=5 dirty=5 N2=5 kernelpagesize_kB=4",
        "7f0000400000 interleave:0-2 huge anon=2 dirty=2 N0=1 N2=1 kernelpagesize_kB=2048",
        "7ffc00000000 default stack anon=3 dirty=3 N0=3 kernelpagesize_kB=4",
        "7ffc00100000 default",
    ];

    [Test]
    public void Pages_are_added_up_by_node_and_kind()
    {
        ProcessResidency residency = ProcessResidency.Parse(42, "name", s_lines);
        Assert.Multiple(() =>
        {
            Assert.That(residency.Nodes, Is.EqualTo(new[] { 0, 2 }));
            Assert.That(residency.Mappings, Has.Count.EqualTo(5), "one without pages is left out");
            Assert.That(residency.BytesOn(0, MappingKind.File), Is.EqualTo(2 * 4096));
            Assert.That(residency.BytesOn(2, MappingKind.Heap), Is.EqualTo(4096));
            Assert.That(residency.BytesOn(2, MappingKind.Anonymous), Is.EqualTo(5 * 4096));
            Assert.That(residency.BytesOn(0, MappingKind.HugePages), Is.EqualTo(2 << 20));
            Assert.That(residency.BytesOn(0, MappingKind.Stack), Is.EqualTo(3 * 4096));
            Assert.That(residency.BytesOn(0), Is.EqualTo((2 << 20) + 8 * 4096));
            Assert.That(residency.Mappings[0].File, Is.EqualTo("/usr/bin/a\\040b"));
            Assert.That(residency.Mappings[2].Policy, Is.EqualTo("bind:0,2"));
            Assert.That(residency.UnreadableLines, Is.Zero);
        });
    }

    [TestCase("x default N0=1")]
    [TestCase("7f0000000000")]
    [TestCase("not an address at all")]
    public void A_line_that_makes_no_sense_is_counted_and_the_rest_stays(string line)
    {
        ProcessResidency residency = ProcessResidency.Parse(1, "", [.. s_lines, line]);
        Assert.That((residency.UnreadableLines, residency.Mappings.Count), Is.EqualTo((1, 5)));
    }

    [TestCase("7f0000000000 default anon=1 N0=x N1= N=1 Nx=1 N2=1 N99999999999=1 kernelpagesize_kB=0", 1)]
    [TestCase("7f0000000000 default N2=1 kernelpagesize_kB=999999999999", 1)]
    [TestCase("7f0000000000 default N2=-1", 0)]
    public void Damaged_words_are_passed_over(string line, int pages)
    {
        ProcessResidency residency = ProcessResidency.Parse(1, "", [line]);
        Assert.That(residency.BytesOn(2), Is.EqualTo(pages * Environment.SystemPageSize));
    }

    [Test]
    public void Random_lines_never_fail()
    {
        Random random = TestSeed.Random(3);
        const string Letters = "0123456789abcdefN=x: ,-kernelpagesize_kB=heapstack";
        for (int round = 0; round < 3000; round++)
        {
            string line = s_lines[random.Next(s_lines.Length)];
            char[] letters = [.. line];
            for (int change = 0; change < 4; change++)
                letters[random.Next(letters.Length)] = Letters[random.Next(Letters.Length)];
            ProcessResidency residency = ProcessResidency.Parse(1, "", [new string(letters)]);
            Assert.That(residency.UnreadableLines + residency.Mappings.Count, Is.LessThanOrEqualTo(1));
        }
    }

    [Test]
    public void What_cannot_be_read_is_told_apart()
    {
        Assert.That(
            () => ProcessResidency.Read(1, Folder), Throws.InstanceOf<PlatformNotSupportedException>(), "no /proc");
        Directory.CreateDirectory(PathOf("proc/self"));
        Assert.That(
            () => ProcessResidency.Read(77, Folder), Throws.ArgumentException.With.Message.EqualTo("there is no process 77"));
        Assert.That(() => ProcessResidency.Read(-1, Folder), Throws.ArgumentException);
        Directory.CreateDirectory(PathOf("proc/77"));
        File.WriteAllText(PathOf("proc/77/comm"), "program\n");
        Assert.That(
            () => ProcessResidency.Read(77, Folder),
            Throws.InstanceOf<PlatformNotSupportedException>().With.Message.StartsWith("/proc/77/numa_maps is not there"));
        File.WriteAllLines(PathOf("proc/77/numa_maps"), s_lines);
        ProcessResidency residency = ProcessResidency.Read(77, Folder);
        Assert.That((residency.Process, residency.Name, residency.Mappings.Count), Is.EqualTo((77, "program", 5)));
    }

    [Test]
    public void A_real_process_of_this_machine_is_read()
    {
        if (!File.Exists("/proc/self/numa_maps")) Assert.Ignore("this kernel has no /proc/self/numa_maps");
        ProcessResidency own = ProcessResidency.Read(Environment.ProcessId);
        Assert.That(own.UnreadableLines, Is.Zero);
        long bytes = own.Nodes.Sum(node => own.BytesOn(node));
        long resident = Process.GetCurrentProcess().WorkingSet64;
        Assert.That((double)bytes, Is.EqualTo(resident).Within(60).Percent, "about what the system says is resident");
    }
}
