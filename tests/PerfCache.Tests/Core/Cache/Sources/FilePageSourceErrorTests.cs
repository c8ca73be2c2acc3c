// SPDX-License-Identifier: MIT
using PerfCache.Cache.Sources;

namespace PerfCache.Tests.Core.Cache.Sources;

/// <summary>Goal: each failure of a file is one line that says what, where and what to do.</summary>
[TestFixture]
public sealed class FilePageSourceErrorTests : FolderFixture
{
    [Test]
    public void AMissingFile()
    {
        FileNotFoundException? failure = Assert.Throws<FileNotFoundException>(() => FilePageSource.Open(PathOf("none")));
        Assert.That(failure!.Message, Is.EqualTo(
            $"cannot open '{PathOf("none")}' for reading and writing: there is no such file; "
            + "check the path, or set Create"));
        Assert.That(failure.FileName, Is.EqualTo(PathOf("none")));
    }

    [Test]
    public void AMissingFolder() => Assert.That(
        Assert.Throws<DirectoryNotFoundException>(
            () => FilePageSource.Open(PathOf("none/file"), new FilePageSourceOptions { Create = true }))!.Message,
        Is.EqualTo(
            $"cannot open '{PathOf("none/file")}' for reading and writing: its folder does not exist; check the path"));

    [Test]
    public void AFolder() => Assert.That(
        Assert.Throws<IOException>(
            () => FilePageSource.Open(Folder, new FilePageSourceOptions { ReadOnly = true }))!.Message,
        Is.EqualTo($"cannot open '{Folder}' for reading: it is a folder; name a file"));

    [Test]
    public void AFileThatMayNotBeWritten()
    {
        if (OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess)
            Assert.Ignore("a privileged user may write any file");
        File.WriteAllBytes(PathOf("file"), new byte[4096]);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(PathOf("file"), UnixFileMode.UserRead);
        Assert.That(
            Assert.Throws<IOException>(() => FilePageSource.Open(PathOf("file")))!.Message,
            Is.EqualTo(
                $"cannot open '{PathOf("file")}' for reading and writing: permission is denied; "
                + "run as a user who may write it, or set ReadOnly"));
        using FilePageSource source = FilePageSource.Open(PathOf("file"), new FilePageSourceOptions { ReadOnly = true });
        Assert.That(source.CanWrite, Is.False);
    }

    [Test]
    public void AFileThatIsOpenForReadingOnly()
    {
        File.WriteAllBytes(PathOf("file"), new byte[8192]);
        using FilePageSource source = FilePageSource.Open(PathOf("file"), new FilePageSourceOptions { ReadOnly = true });
        IOException? failure = Assert.ThrowsAsync<IOException>(
            async () => await source.WriteAsync(1, [new byte[4096]], default));
        Assert.That(failure!.Message, Is.EqualTo(
            $"cannot write page 1 of '{PathOf("file")}': it is open for reading only; open it without ReadOnly"));
        Assert.DoesNotThrowAsync(async () => await source.FlushAsync(default));
    }

    [TestCase(DirectIo.Off)]
    [TestCase(DirectIo.IfPossible)]
    public void AFileThatWasClosed(DirectIo direct)
    {
        File.WriteAllBytes(PathOf("file"), new byte[8192]);
        FilePageSource source = FilePageSource.Open(PathOf("file"), new FilePageSourceOptions { DirectIo = direct });
        source.Dispose();
        source.Dispose();
        ObjectDisposedException? failure = Assert.Throws<ObjectDisposedException>(() => source.Read(0, new byte[4096]));
        Assert.That(failure!.Message, Does.StartWith($"'{PathOf("file")}' was closed"));
        Assert.ThrowsAsync<ObjectDisposedException>(async () => await source.ReadAsync(0, [new byte[4096]], default));
        Assert.ThrowsAsync<ObjectDisposedException>(async () => await source.WriteAsync(0, [new byte[4096]], default));
        Assert.ThrowsAsync<ObjectDisposedException>(async () => await source.FlushAsync(default));
        Assert.Throws<ObjectDisposedException>(() => source.Refresh());
        Assert.That(source.PageCount, Is.EqualTo(2));
    }

    [Test]
    public void AFullDisk()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("/dev/full is Linux's");
        using FilePageSource source = FilePageSource.Open("/dev/full", new FilePageSourceOptions { CanGrow = true });
        IOException? failure = Assert.ThrowsAsync<IOException>(
            async () => await source.WriteAsync(3, [new byte[4096], new byte[100]], default));
        Assert.That(failure!.Message, Does.StartWith("writing 4196 bytes at offset 12288 of '/dev/full' failed: ")
            .And.EndsWith("free some space and write the pages again"));
        Assert.That(failure.HResult, Is.EqualTo(28), "the system's number of a full disk");
        Assert.That(source.LengthBytes, Is.Zero, "nothing was written, so the file is as long as before");
    }

    [Test]
    public async Task APageFartherThanAnyFileReaches()
    {
        using FilePageSource source = FilePageSource.Open(
            PathOf("file"), new FilePageSourceOptions { Create = true, CanGrow = true });
        Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            async () => await source.WriteAsync(ulong.MaxValue, [new byte[4096]], default));
        Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            async () => await source.WriteAsync(long.MaxValue / 4096, [new byte[4096]], default));
        const ulong Farthest = (long.MaxValue / 4096) - 1;
        try
        {
            await source.WriteAsync(Farthest, [new byte[4096]], default);
            Assert.Ignore("this file system takes files of any length");
        }
        catch (IOException failure)
        {
            Assert.That(failure.Message, Is.EqualTo(
                $"writing 4096 bytes at offset {Farthest * 4096} of '{PathOf("file")}' failed: the file would become "
                + "too long; raise the limit of file sizes, or use another file system"));
        }

        Assert.That(source.PageCount, Is.Zero);
    }

    [Test]
    public void DirectIoThatIsRefused()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("/dev/full is Linux's");
        // A device without direct I/O stands for a file system without it.
        FilePageSourceOptions required = new() { DirectIo = DirectIo.Required };
        IOException? failure = Assert.Throws<IOException>(() => FilePageSource.Open("/dev/full", required));
        Assert.That(failure!.Message, Does.StartWith("cannot open '/dev/full' for direct I/O: the file system refuses (")
            .And.EndsWith("; open it with DirectIo.IfPossible, or put it on another file system"));
        using FilePageSource source = FilePageSource.Open(
            "/dev/full", new FilePageSourceOptions { DirectIo = DirectIo.IfPossible });
        Assert.That(source.IsDirect, Is.False);
        Assert.That(source.DirectIoRefusal, Does.StartWith("the file system refuses ("));
    }

    [Test]
    public void OptionsThatContradict()
    {
        Assert.That(
            Assert.Throws<ArgumentException>(
                () => FilePageSource.Open("x", new FilePageSourceOptions { ReadOnly = true, CanGrow = true }))!.Message,
            Is.EqualTo("ReadOnly contradicts CanGrow: drop one of the two"));
        Assert.Throws<ArgumentException>(
            () => FilePageSource.Open("x", new FilePageSourceOptions { ReadOnly = true, Create = true }));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => FilePageSource.Open("x", new FilePageSourceOptions { PageBytes = 5000 }));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => FilePageSource.Open("x", new FilePageSourceOptions { DirectIo = (DirectIo)9 }));
        Assert.Throws<ArgumentException>(() => FilePageSource.Open(""));
    }
}
