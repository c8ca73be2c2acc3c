// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Tests.Judges;

/// <summary>
/// Goal: what a recording says is what the kernel counted. Method: real programs are recorded; bytes are compared with
/// /proc/PID/io, pages with cachestat(2) of a file that was not cached before and is read without readahead.
/// </summary>
/// <remarks>
/// /proc/PID/io also counts what the kernel itself reads of a program to execute it. That is the same for each run of one
/// program, so a run that does next to nothing measures it, and the run that works must differ by as much.
/// </remarks>
[TestFixture]
public sealed class RecordedProgramTests : FolderFixture
{
    // Every open file says that it reads at random: the kernel then reads what is asked for and no more.
    private const string NoReadahead = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <fcntl.h>
        #include <stdarg.h>
        static int advised(int fd) { if (fd >= 0) posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); return fd; }
        #define WRAP(name) int name(const char *path, int flags, ...) { \
            va_list list; va_start(list, flags); int mode = va_arg(list, int); va_end(list); \
            int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name); return advised(real(path, flags, mode)); }
        WRAP(open) WRAP(open64)
        """;

    // Reads through one descriptor by several threads, in every way of reading, and writes a file.
    private const string Threads = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <pthread.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/uio.h>
        #include <unistd.h>
        static int in, out;
        static long rounds;
        static void *work(void *number)
        {
            char page[12288];
            struct iovec parts[2] = { { page, 1000 }, { page + 1000, 5000 } };
            unsigned long state = 88172645463325252UL + (long)number;
            for (long i = 0; i < rounds; i++) {
                state ^= state << 13; state ^= state >> 7; state ^= state << 17;
                long at = (long)(state % 8000000);
                switch (state >> 60 & 3) {
                case 0: if (pread(in, page, 1 + state % 12000, at) < 0) exit(3); break;
                case 1: if (preadv(in, parts, 2, at) < 0) exit(3); break;
                case 2: if (read(in, page, 700) < 0) exit(3); break;
                default: if (pwrite(out, page, 1 + state % 9000, at) < 0) exit(3); break;
                }
            }
            return 0;
        }
        int main(int count, char **words)
        {
            pthread_t threads[4];
            rounds = atol(words[3]);
            in = open(words[1], O_RDONLY);
            out = open(words[2], O_RDWR | O_CREAT | O_TRUNC, 0644);
            if (in < 0 || out < 0) return 4;
            posix_fadvise(in, 0, 0, POSIX_FADV_RANDOM);
            posix_fadvise(out, 0, 0, POSIX_FADV_RANDOM);
            for (long i = 0; i < 4; i++) pthread_create(&threads[i], 0, work, (void *)i);
            for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
            return 0;
        }
        """;

    [OneTimeSetUp]
    public void NeedsStrace() => RecordedRun.Require("strace");

    /// <summary>Makes a database of some 8 MiB.</summary>
    private void MakeDatabase()
    {
        RecordedRun.Require("sqlite3");
        RecordedRun made = RecordedRun.Run(Folder, ["sqlite3", "table.db",
            "create table t(id integer primary key, k integer, pad text);"
            + "with recursive c(n) as (select 1 union all select n+1 from c where n<50000) "
            + "insert into t select n, (n*7919)%50000, hex(randomblob(60)) from c; create index tk on t(k);"]);
        Assert.That(made.ExitCode, Is.Zero, made.Error);
        File.WriteAllText(PathOf("queries.sql"), """
            pragma cache_size=20;
            with recursive c(n) as (select 1 union all select n+1 from c where n<3000)
              select count(*) from c join t on t.k=(n*(n%97+3))%50000;
            select count(*) from t where id between 10000 and 14000;
            update t set pad='new' where id%5000=1;
            """);
    }

    /// <summary>Records a program behind a shell that tells the kernel's counts of both.</summary>
    private (long Reads, long Writes) Difference(string command)
    {
        RecordedRun run = RecordedRun.Record(
            Folder, PathOf("io.trace.gz"), "sh", "-c", $"{command} > result; cat /proc/$$/io");
        // The program's own output is on standard error, because standard output has the summary.
        string io = string.Join('\n', run.Error.Split('\n').Where(line => !line.StartsWith("perfcache", StringComparison.Ordinal)));
        long Count(string name) => long.Parse(
            io.Split('\n').Single(line => line.StartsWith(name + ": ", StringComparison.Ordinal))[(name.Length + 2)..],
            CultureInfo.InvariantCulture);
        Assert.That(run.Number("skippedLines"), Is.Zero);
        // cat itself read and wrote the counts after they were taken.
        return (Count("rchar") - (run.Number("readBytes") - io.Length), Count("wchar") - (run.Number("writtenBytes") - io.Length));
    }

    private void AssertBytesEqual(string idle, string busy)
    {
        (long Reads, long Writes) nothing = Difference(idle);
        (long Reads, long Writes) work = Difference(busy);
        Assert.That(work.Reads, Is.EqualTo(nothing.Reads), "rchar, but for what the kernel reads to execute");
        Assert.That(work.Writes, Is.EqualTo(nothing.Writes), "wchar");
    }

    [Test]
    public void BytesOfSqliteAreTheKernels()
    {
        MakeDatabase();
        AssertBytesEqual("sqlite3 none.db 'select 1'", "sqlite3 table.db '.read queries.sql'");
    }

    [Test]
    public void BytesOfAThreadedGrepOfGitAreTheKernels()
    {
        RecordedRun.Require("git");
        for (int i = 0; i < 300; i++)
            File.WriteAllText(PathOf($"file{i}.txt"), string.Concat(Enumerable.Repeat($"line {i} of a text\n", 50 + (37 * i))));
        const string Setup = "git init -q && git add file*.txt && git -c user.name=a -c user.email=a@b commit -qm all";
        Assert.That(RecordedRun.Run(Folder, ["sh", "-c", Setup]).ExitCode, Is.Zero);
        AssertBytesEqual(
            "git --no-pager grep --threads=4 -c nothing -- file1.txt", "git --no-pager grep --threads=4 -c text");
    }

    // The kernel may take pages back between the run and the count; not three times in a row.
    [Test, Retry(3)]
    public void BytesAndPagesOfThreadsAreTheKernels()
    {
        string program = RecordedRun.Compile(Folder, "threads", Threads, "-lpthread");
        byte[] bytes = new byte[8_100_000];
        TestSeed.Random(5).NextBytes(bytes);
        File.WriteAllBytes(PathOf("in"), bytes);
        AssertBytesEqual($"{program} in out 0", $"{program} in out 400");

        RecordedRun.Drop(PathOf("in"));
        Assume.That(RecordedRun.CachedPages(PathOf("in")), Is.Zero);
        RecordedRun run = RecordedRun.Record(Folder, PathOf("t.gz"), program, PathOf("in"), PathOf("out"), "400");
        Assert.That(RecordedRun.PagesOf(PathOf("t.gz"), PathOf("in")),
            Has.Count.EqualTo(RecordedRun.CachedPages(PathOf("in"))));
        Assert.That(RecordedRun.PagesOf(PathOf("t.gz"), PathOf("out")),
            Has.Count.EqualTo(RecordedRun.CachedPages(PathOf("out"))));
        Assert.That(run.Number("requests"), Is.GreaterThan(1600));
    }

    // The kernel may take pages back between the run and the count; not three times in a row.
    [Test, Retry(3)]
    public void PagesOfSqliteAreTheKernels()
    {
        MakeDatabase();
        string shim = RecordedRun.Compile(Folder, "norandom.so", NoReadahead, "-shared", "-fPIC", "-ldl");
        RecordedRun.Drop(PathOf("table.db"));
        Assume.That(RecordedRun.CachedPages(PathOf("table.db")), Is.Zero);
        RecordedRun run = RecordedRun.Record(
            Folder, PathOf("t.gz"), "env", $"LD_PRELOAD={shim}", "sqlite3", "table.db", ".read queries.sql");
        Assert.That(run.Number("writes"), Is.Positive);
        Assert.That(RecordedRun.PagesOf(PathOf("t.gz"), PathOf("table.db")),
            Has.Count.EqualTo(RecordedRun.CachedPages(PathOf("table.db"))));
    }
}
