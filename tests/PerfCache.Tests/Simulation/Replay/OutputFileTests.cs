// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>Result files are whole or absent.</summary>
public sealed class OutputFileTests : FolderFixture
{
    [Test]
    public void A_committed_file_has_its_bytes_and_leaves_nothing_beside_it()
    {
        File.WriteAllText(PathOf("a"), "old and longer");
        using (OutputFile file = OutputFile.Create(PathOf("a")))
        {
            file.Stream.Write("new"u8);
            file.Commit();
        }

        Assert.That(File.ReadAllText(PathOf("a")), Is.EqualTo("new"));
        Assert.That(Directory.GetFiles(Folder), Has.Length.EqualTo(1));
    }

    [Test]
    public void A_file_that_is_not_committed_changes_nothing()
    {
        File.WriteAllText(PathOf("a"), "old");
        using (OutputFile file = OutputFile.Create(PathOf("a"))) file.Stream.Write("new"u8);
        using (OutputFile file = OutputFile.Create(PathOf("b"))) file.Stream.Write("new"u8);

        Assert.That(File.ReadAllText(PathOf("a")), Is.EqualTo("old"));
        Assert.That(Directory.GetFiles(Folder), Has.Length.EqualTo(1));
    }

    [Test]
    public void A_symbolic_link_stays_a_link()
    {
        File.WriteAllText(PathOf("real"), "old");
        File.CreateSymbolicLink(PathOf("link"), PathOf("real"));
        using (OutputFile file = OutputFile.Create(PathOf("link")))
        {
            file.Stream.Write("new"u8);
            file.Commit();
        }

        Assert.That(File.ReadAllText(PathOf("real")), Is.EqualTo("new"));
        Assert.That(new FileInfo(PathOf("link")).LinkTarget, Is.Not.Null);
    }

    [Test]
    public void A_device_is_written_directly()
    {
        if (!File.Exists("/dev/null")) Assert.Ignore("no /dev/null here");
        using (OutputFile file = OutputFile.Create("/dev/null"))
        {
            file.Stream.Write("new"u8);
            file.Commit();
        }

        Assert.That(File.ReadAllBytes("/dev/null"), Is.Empty);
    }

    [Test]
    public void A_path_that_cannot_be_written_is_named_with_the_reason()
    {
        Assert.That(() => OutputFile.Create(Folder), Throws.TypeOf<IOException>()
            .With.Message.EqualTo($"cannot write '{Folder}': it is a folder"));
        Assert.That(() => OutputFile.Create(PathOf("no/such")), Throws.TypeOf<IOException>()
            .With.Message.EqualTo($"cannot write '{PathOf("no/such")}': the folder does not exist"));
        Assert.That(() => OutputFile.Create(""), Throws.TypeOf<IOException>()
            .With.Message.EqualTo("cannot write '': the name is empty"));
    }
}
