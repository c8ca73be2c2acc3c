// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Recording;

namespace PerfCache.Tests.Simulation.Recording;

/// <summary>
/// Goal: the pages are those that the kernel would touch. Method: lines as strace writes them, and the trace that must
/// come of them; each test is one habit of the kernel.
/// </summary>
internal sealed class AccessRecorderTests
{
    private static string Of(string lines, Dictionary<string, long>? sizes = null)
    {
        using RecordedLines recorded = new(fileBytes: sizes);
        string requests = recorded.Feed(lines).Requests;
        Assert.That(recorded.Recorder.SkippedLines, Is.Zero);
        return requests;
    }

    [Test]
    public void ReadsGoOnWhereTheLastOneEnded() => Assert.That(
        Of("""
            7 openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>
            7 read(3</w/a>, ""..., 4096) = 4096
            7 read(3</w/a>, ""..., 6000) = 6000
            7 lseek(3</w/a>, -10, SEEK_CUR) = 10086
            7 read(3</w/a>, ""..., 1) = 1
            7 pread64(3</w/a>, ""..., 10, 409600) = 10
            7 read(3</w/a>, "", 4096) = 0
            7 read(3</w/a>, 0x1, 4096) = -1 EFAULT (Bad address)
            7 preadv2(3</w/a>, [...], 2, -1, 0) = 4096
            """),
        Is.EqualTo("1 0 r\n# call 2\n1 1 r\n1 2 r\n1 2 r\n1 100 r\n# call 2\n1 2 r\n1 3 r"));

    [Test]
    public void WritesKnowWhetherTheyCoverAPage() => Assert.That(
        Of("""
            7 openat(AT_FDCWD</w>, "a", O_RDWR) = 3</w/a>
            7 write(3</w/a>, ""..., 4096) = 4096
            7 write(3</w/a>, ""..., 10) = 10
            7 pwrite64(3</w/a>, ""..., 100, 8192) = 100
            7 pwrite64(3</w/a>, ""..., 100, 8292) = 100
            7 pwrite64(3</w/a>, ""..., 200, 8192) = 200
            """, new() { ["/w/a"] = 8000 }),
        Is.EqualTo("1 0 w\n# part\n1 1 w\n1 2 w\n# part\n1 2 w\n1 2 w"),
        "page 2 holds nothing before its first write, and the last write covers all that it holds");

    [Test]
    public void AppendedBytesGoToTheEndWhateverThePosition() => Assert.That(
        Of("""
            7 openat(AT_FDCWD</w>, "a", O_WRONLY|O_APPEND) = 3</w/a>
            7 write(3</w/a>, ""..., 10) = 10
            7 lseek(3</w/a>, 0, SEEK_SET) = 0
            7 write(3</w/a>, ""..., 8192) = 8192
            """, new() { ["/w/a"] = 40960 }),
        Is.EqualTo("1 10 w\n# call 3\n# part\n1 10 w\n1 11 w\n1 12 w"));

    [Test]
    public void CopiedDescriptorsShareOnePosition() => Assert.That(
        Of("""
            7 openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>
            7 dup2(3</w/a>, 9) = 9</w/a>
            7 fcntl(9</w/a>, F_DUPFD_CLOEXEC, 20) = 20</w/a>
            7 read(3</w/a>, ""..., 4096) = 4096
            7 read(9</w/a>, ""..., 4096) = 4096
            7 close(3</w/a>) = 0
            7 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7) = 8
            8 read(20</w/a>, ""..., 4096) = 4096
            7 read(9</w/a>, ""..., 4096) = 4096
            8 execve("/bin/x", [...], 0x7 /* 2 vars */) = 0
            8 openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>
            8 read(3</w/a>, ""..., 4096) = 4096
            """),
        Is.EqualTo("1 0 r\n1 1 r\n1 2 r\n1 3 r\n1 0 r"));

    [Test]
    public void ThreadsShareDescriptorsAndTheirCallsAreJoined() => Assert.That(
        Of("""
            7 openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>
            7 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_THREAD, stack=0x7} <unfinished ...>
            8 pread64(3</w/a>,  <unfinished ...>
            7 <... clone3 resumed> => {parent_tid=[8]}, 88) = 8
            7 read(3</w/a>,  <unfinished ...>
            8 <... pread64 resumed>""..., 4096, 40960) = 4096
            7 <... read resumed>""..., 4096) = 4096
            8 openat(AT_FDCWD</w>, "b", O_RDONLY) = 4</w/b>
            7 read(4</w/b>, ""..., 4096) = 4096
            8 +++ exited with 0 +++
            7 read(4</w/b>, ""..., 4096) = 4096
            """),
        Is.EqualTo("1 10 r\n1 0 r\n2 0 r\n2 1 r"));

    /// <summary>vfork returns to the parent when the child executes a program, so the child's lines come first.</summary>
    [Test]
    public void AChildThatRunsBeforeItsParentReturnsInheritsAllTheSame() => Assert.That(
        Of("""
            7 openat(AT_FDCWD</w>, "a", O_RDONLY|O_CLOEXEC) = 3</w/a>
            7 read(3</w/a>, ""..., 4096) = 4096
            7 vfork( <unfinished ...>
            8 read(3</w/a>, ""..., 4096) = 4096
            8 dup2(3</w/a>, 0) = 0</w/a>
            8 execve("/bin/x", [...], 0x7) = 0
            7 <... vfork resumed>) = 8
            8 read(0</w/a>, ""..., 4096) = 4096
            8 +++ exited with 0 +++
            7 read(3</w/a>, ""..., 4096) = 4096
            """),
        Is.EqualTo("1 0 r\n1 1 r\n1 2 r\n1 3 r"));

    [Test]
    public void AThreadThatExecutesAProgramTakesTheFirstOnesNumber() => Assert.That(
        Of("""
            7 openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>
            7 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_THREAD}, 88) = 8
            8 execve("/bin/x", [...], 0x7 <unfinished ...>
            7 +++ superseded by execve in pid 8 +++
            7 <... execve resumed>) = 0
            7 read(3</w/a>, ""..., 4096) = 4096
            """),
        Is.EqualTo("1 0 r"));

    [Test]
    public void AFileKeepsItsPagesWhenItIsRenamedAndLosesThemWithItsName() => Assert.That(
        Of("""
            7 openat(AT_FDCWD</w>, "a.new", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3</w/a.new>
            7 write(3</w/a.new>, ""..., 4096) = 4096
            7 rename("a.new", "./sub/../a") = 0
            7 write(3</w/a>, ""..., 4096) = 4096
            7 close(3</w/a>) = 0
            7 openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>
            7 read(3</w/a>, ""..., 4096) = 4096
            7 unlink("/w/a") = 0
            7 read(3</w/a>(deleted), ""..., 4096) = 4096
            7 close(3</w/a>(deleted)) = 0
            7 openat(AT_FDCWD</w>, "a", O_WRONLY|O_CREAT|O_EXCL, 0666) = 3</w/a>
            7 write(3</w/a>, ""..., 4096) = 4096
            """),
        Is.EqualTo("1 0 w\n1 1 w\n1 0 r\n1 1 r\n# drop 1 0\n2 0 w"));

    [Test]
    public void WhatIsCutOffIsGone() => Assert.That(
        Of("""
            7 openat(AT_FDCWD</w>, "a", O_RDWR) = 3</w/a>
            7 read(3</w/a>, ""..., 4096) = 4096
            7 ftruncate(3</w/a>, 100) = 0
            7 pwrite64(3</w/a>, ""..., 4096, 4096) = 4096
            7 chdir("sub") = 0
            7 truncate("../a", 4096) = 0
            7 openat(AT_FDCWD</w/sub>, "../a", O_WRONLY|O_TRUNC) = 4</w/a>
            """, new() { ["/w/a"] = 40960 }),
        Is.EqualTo("1 0 r\n# drop 1 1\n1 1 w\n# drop 1 1\n# drop 1 0"));

    [Test]
    public void CopiesInTheKernelReadAndWrite() => Assert.That(
        Of("""
            7 openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>
            7 openat(AT_FDCWD</w>, "b", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 4</w/b>
            7 sendfile(4</w/b>, 3</w/a>, [4096] => [8192], 4096) = 4096
            7 copy_file_range(3</w/a>, NULL, 4</w/b>, [40960], 4096, 0) = 4096
            7 sendfile(5<socket:[77]>, 3</w/a>, NULL, 4096) = 4096
            7 splice(6<pipe:[78]>, NULL, 4</w/b>, NULL, 4096, 0) = 4096
            """),
        Is.EqualTo("1 1 r\n2 0 w\n1 0 r\n2 10 w\n1 1 r\n2 1 w"));

    [Test]
    public void OnlyRegularFilesHavePages()
    {
        using RecordedLines recorded = new();
        recorded.Feed("""
            7 openat(AT_FDCWD</w>, "/proc/self/stat", O_RDONLY) = 3</proc/7/stat>
            7 read(3</proc/7/stat>, ""..., 4096) = 300
            7 read(0<pipe:[5]>, ""..., 4096) = 100
            7 write(1</dev/null>, ""..., 4096) = 4096
            7 read(6<socket:[9]>, ""..., 4096) = 50
            7 read(9</memfd:x (deleted)>(deleted), ""..., 4096) = 7
            7 openat(AT_FDCWD</w>, "d", O_RDONLY|O_DIRECT) = 4</w/d>
            7 read(4</w/d>, ""..., 4096) = 4096
            7 openat(AT_FDCWD</w>, "e", O_RDONLY|O_DIRECTORY) = 5</w/e>
            7 io_uring_setup(8, {}) = 10<anon_inode:[io_uring]>
            """);
        RecordSummary summary = recorded.Summary;
        Assert.That(recorded.Requests, Is.Empty);
        Assert.That((summary.ReadBytes, summary.WrittenBytes), Is.EqualTo((4553L, 4096L)));
        Assert.That((summary.FileReadBytes, summary.DirectBytes, summary.HiddenReaders), Is.EqualTo((4096L, 4096L, 1L)));
    }

    [Test]
    public void MappingsAreNotedAndCountOnlyWhereTheKernelReadsThem()
    {
        const string Maps = """
            7 openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>
            7 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3</w/a>, 0x1000) = 0x7f0000000000
            7 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000010000
            7 mmap(NULL, 99999, PROT_READ, MAP_SHARED|MAP_POPULATE, 3</w/a>, 0x8000) = 0x7f0000020000
            """;
        Dictionary<string, long> sizes = new() { ["/w/a"] = 40960 };
        Assert.That(Of(Maps, sizes), Is.EqualTo("# call 2\n1 8 r\n1 9 r"), "populated up to the end of the file");
        using RecordedLines all = new(new RecordOptions { Folder = "/w", CountsMappings = true }, sizes);
        Assert.That(all.Feed(Maps).Requests, Is.EqualTo("# call 2\n1 1 r\n1 2 r\n# call 2\n1 8 r\n1 9 r"));
        Assert.That((all.Summary.Mappings, all.Summary.MappedBytes), Is.EqualTo((2L, 16384L)));
        Assert.That(all.Lines, Does.Contain("# map 1 1 2").And.Contain("# size 1 10"));
    }

    [Test]
    public void NamesMayHoldAnything()
    {
        using RecordedLines recorded = new();
        recorded.Feed("""
            7 openat(AT_FDCWD</w>, "o d<>\"\n/f) = 3", O_RDONLY) = 3</w/o d\74\76\"\n/f) = 3>
            7 read(3</w/o d\74\76\"\n/f) = 3>, ""..., 5) = 5
            7 openat(AT_FDCWD</w>, "\303\251", O_RDONLY) = 4</w/\303\251>
            7 read(4</w/\303\251>, ""..., 5) = 5
            """);
        Assert.That(recorded.Lines, Does.Contain("# file 1 /w/o d<>\"\\012/f) = 3").And.Contain("# file 2 /w/é"));
        Assert.That(recorded.Recorder.SkippedLines, Is.Zero);
    }

    [Test]
    public void OnlyTheFilesAskedForGoToTheTrace()
    {
        using RecordedLines recorded = new(new RecordOptions { Folder = "/w", Only = "/data/" });
        recorded.Feed("""
            7 openat(AT_FDCWD</w>, "/lib/x", O_RDONLY) = 3</lib/x>
            7 read(3</lib/x>, ""..., 5) = 5
            7 openat(AT_FDCWD</w>, "/data/x", O_RDONLY) = 4</data/x>
            7 read(4</data/x>, ""..., 6) = 6
            """);
        Assert.That(recorded.Requests, Is.EqualTo("1 0 r"));
        Assert.That((recorded.Summary.Files, recorded.Summary.ReadBytes), Is.EqualTo((1, 11L)));
    }

    [Test]
    public void AnInheritedFileBeginsWhereItStands()
    {
        using RecordedLines recorded = new();
        recorded.Recorder.Inherit(1, "/w/out", 8192, appends: false);
        recorded.Recorder.Inherit(2, "/w/out", 8192, appends: false);
        recorded.Feed("""
            7 write(1</w/out>, ""..., 4096) = 4096
            7 write(2</w/out>, ""..., 4096) = 4096
            7 read(5</w/unseen>, ""..., 4096) = 4096
            """);
        Assert.That(recorded.Requests, Is.EqualTo("1 2 w\n1 3 w\n2 0 r"));
        Assert.That(recorded.Summary.UnseenOpens, Is.EqualTo(1));
    }

    [Test]
    public void OpenFilesAreToldApart()
    {
        using RecordedLines recorded = new();
        recorded.Feed("""
            7 openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>
            7 openat(AT_FDCWD</w>, "a", O_RDONLY) = 4</w/a>
            7 fadvise64(4</w/a>, 0, 0, POSIX_FADV_RANDOM) = 0
            7 read(3</w/a>, ""..., 4096) = 4096
            7 read(4</w/a>, ""..., 4096) = 4096
            7 read(3</w/a>, ""..., 4096) = 4096
            7 close(4</w/a>) = 0
            7 openat(AT_FDCWD</w>, "b", O_RDONLY) = 4</w/b>
            7 read(4</w/b>, ""..., 4096) = 4096
            7 fadvise64(4</w/b>, 0, 8192, POSIX_FADV_DONTNEED) = 0
            7 readahead(4</w/b>, 8192, 8192) = 0
            """);
        Assert.That(recorded.Lines, Is.EqualTo(new[]
        {
            "# file 1 /w/a", "# open 1 1", "# advice 1 1 random", "# open 1 2", "1 0 r", "# through 1 1", "1 0 r",
            "# through 1 2", "1 1 r", "# file 2 /w/b", "# open 2 1", "2 0 r", "# drop 2 0 2", "# ahead 2 2 2",
        }));
    }

    [Test]
    public void LinesThatAreNoneAreSkippedAndCounted()
    {
        using RecordedLines recorded = new();
        recorded.Feed("""
            7 read(3</w/a>, ""..., 4096) = 4096
            strace: something else
            7 read(3</w/a>, ""..., 40
            7 <... pread64 resumed>) = 3
            7 pread64(3</w/a>, ""..., 4096, x) = 4096
            7 exit_group(0) = ?
            7 --- SIGCHLD {si_signo=SIGCHLD} ---
            7 read(3</w/a>, ""..., 4096) = 4096
            """);
        Assert.That(recorded.Requests, Is.EqualTo("1 0 r\n1 1 r"));
        Assert.That(recorded.Recorder.SkippedLines, Is.EqualTo(4));
    }
}
