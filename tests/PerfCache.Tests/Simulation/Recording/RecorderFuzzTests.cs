// SPDX-License-Identifier: MIT
using System.Text;
using PerfCache.Simulation.Traces;
using PerfCache.Tests.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Recording;

/// <summary>
/// Goal: no line crashes or hangs a recording, and what it writes is a trace. Method: a made-up run of several processes,
/// its lines changed, cut off, doubled and reordered by a fixed seed; the trace is read back and its requests counted.
/// PERFCACHE_SEED repeats another run.
/// </summary>
internal sealed class RecorderFuzzTests
{
    private static readonly string[] s_lines =
    [
        "7 execve(\"/bin/x\", [...], 0x7 /* 4 vars */) = 0",
        "7 openat(AT_FDCWD</w>, \"a b\\\"\\n\", O_RDWR|O_CREAT|O_CLOEXEC, 0666) = 3</w/a b\\\"\\n>",
        "7 read(3</w/a b\\\"\\n>, \"\"..., 4096) = 4096",
        "7 pwrite64(3</w/a b\\\"\\n>, \"\"..., 9000, 123456) = 9000",
        "7 clone3({flags=CLONE_VM|CLONE_FILES|CLONE_FS, stack=0x7} <unfinished ...>",
        "8 readv(3</w/a b\\\"\\n>, [...], 2 <unfinished ...>",
        "7 <... clone3 resumed> => {parent_tid=[8]}, 88) = 8",
        "8 <... readv resumed>) = 5000",
        "8 rename(\"a\", \"../b\\303\") = 0",
        "8 dup2(3</w/a b\\\"\\n>, 9) = 9</w/a b\\\"\\n>",
        "8 lseek(9</w/a b\\\"\\n>, 0, SEEK_END) = 77777",
        "8 mmap(NULL, 8192, PROT_READ, MAP_SHARED|MAP_POPULATE, 9</w/a b\\\"\\n>, 0x1000) = 0x7f0000000000",
        "8 close_range(3, 4294967295, CLOSE_RANGE_UNSHARE) = 0",
        "8 sendfile(9</w/c>, 3</w/a>, [100] => [200], 100) = 100",
        "7 ftruncate(3</w/a b\\\"\\n>, 100) = 0",
        "7 vfork( <unfinished ...>",
        "9 close(3</w/a b\\\"\\n>) = 0",
        "9 +++ exited with 0 +++",
        "7 <... vfork resumed>) = 9",
        "7 unlinkat(AT_FDCWD</w>, \"a b\\\"\\n\", 0) = 0",
        "7 fadvise64(3</w/a b\\\"\\n>(deleted), 0, 0, POSIX_FADV_DONTNEED) = 0",
        "8 +++ superseded by execve in pid 7 +++",
        "7 exit_group(0) = ?",
        "7 +++ killed by SIGKILL +++",
    ];

    [Test]
    public void DamagedLinesAreUnderstoodOrSkipped()
    {
        Random random = TestSeed.Random(40417);
        long skipped = 0;
        for (int round = 0; round < 2000; round++)
        {
            using RecordedLines recorded = new(fileBytes: new() { ["/w/c"] = 5000 });
            int damaged = random.Next(1, 8);
            for (int i = 0; i < s_lines.Length; i++)
            {
                byte[] line = Encoding.Latin1.GetBytes(s_lines[random.Next(8) == 0 ? random.Next(s_lines.Length) : i]);
                if (random.Next(s_lines.Length) < damaged) line = Damage(line, random);
                Assert.DoesNotThrow(() => recorded.Recorder.Line(line), Encoding.Latin1.GetString(line));
            }

            skipped += recorded.Recorder.SkippedLines;
            if (recorded.Summary.Requests == 0) continue;
            List<Request> requests = TraceBytes.Read(
                TraceBytes.Source(recorded.Bytes, new TraceOptions { Format = "text" }), capacity: 64, int.MaxValue);
            Assert.That(requests, Has.Count.EqualTo(recorded.Summary.Requests));
        }

        Assert.That(skipped, Is.GreaterThan(500), "damage that nobody notices");
    }

    [Test]
    public void TheParserTakesAnyBytes()
    {
        Random random = TestSeed.Random(811);
        byte[] bytes = new byte[64];
        const string Alphabet = "0123456789 ()<>[]{}\"\\,=.-+*/?rdwopen_AT_FDCWD";
        using RecordedLines recorded = new();
        for (int round = 0; round < 50_000; round++)
        {
            Span<byte> line = bytes.AsSpan(0, random.Next(bytes.Length));
            foreach (ref byte c in line) c = (byte)Alphabet[random.Next(Alphabet.Length)];
            string start = random.Next(3) switch { 0 => "", 1 => "7 ", _ => "7 read(3</w/a>" };
            recorded.Recorder.Line([.. Encoding.ASCII.GetBytes(start), .. line]);
        }

        Assert.That(recorded.Recorder.SkippedLines, Is.GreaterThan(10_000));
    }

    private static byte[] Damage(byte[] valid, Random random)
    {
        List<byte> bytes = [.. valid];
        for (int changes = random.Next(1, 4); changes > 0 && bytes.Count > 1; changes--)
        {
            int at = random.Next(bytes.Count);
            int length = random.Next(1, Math.Min(20, bytes.Count - at + 1));
            switch (random.Next(6))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] = (byte)"\"<>\\()0189,"[random.Next(11)]; break;
                case 2: bytes.RemoveRange(at, length); break;
                case 3: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
                case 4: bytes.RemoveRange(at, bytes.Count - at); break;
                default: bytes.InsertRange(at, "9223372036854775807"u8.ToArray()); break;
            }
        }

        return [.. bytes];
    }
}
