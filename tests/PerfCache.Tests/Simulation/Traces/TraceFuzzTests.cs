// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Traces;

/// <summary>
/// Goal: no input crashes or hangs a reader. Method: valid traces of every format, and their compressed
/// forms, with bytes changed, cut out, doubled and cut off by a fixed seed; each either reads, up to a
/// bound, or fails with the one exception that carries a line for the user. PERFCACHE_SEED repeats another
/// run.
/// </summary>
internal sealed class TraceFuzzTests
{
    private const int Rounds = 300;
    private const int RequestsMax = 20_000;

    private static int Seed =>
        int.TryParse(Environment.GetEnvironmentVariable("PERFCACHE_SEED"), out int seed) ? seed : 20250301;

    [TestCaseSource(typeof(SampleTraces), nameof(SampleTraces.Names))]
    public void DamagedTracesReadOrSayWhatIsWrong(string name)
    {
        byte[] valid = SampleTraces.Bytes(name);
        var random = new Random(Seed);
        int read = 0;
        for (int round = 0; round < Rounds; round++)
        {
            TraceOptions options = SampleTraces.Options(name, bufferBytes: random.Next(1, 200));
            read += ReadsOrSays(Damage(valid, random), options, round) ? 1 : 0;
        }
        Assert.That(read, Is.LessThan(Rounds), "no damage was ever noticed");
    }

    [TestCaseSource(typeof(SampleTraces), nameof(SampleTraces.Names))]
    public void DetectionNeverFailsOtherwise(string name)
    {
        byte[] valid = SampleTraces.Bytes(name);
        var random = new Random(Seed);
        for (int round = 0; round < Rounds; round++)
            ReadsOrSays(Damage(valid, random), new TraceOptions(), round);
    }

    [Test]
    public void DamagedCompressionReadsOrSaysWhatIsWrong()
    {
        byte[] plain = SampleTraces.Bytes("text/files");
        var random = new Random(Seed);
        foreach (byte[] valid in (byte[][])[TraceBytes.Gzip(plain), TraceBytes.Zstd(plain)])
            for (int round = 0; round < Rounds; round++)
                ReadsOrSays(Damage(valid, random), new TraceOptions { Format = "text" }, round);
    }

    /// <summary>Run by name, for PERFCACHE_FUZZ_INPUTS (10,000,000 by default):
    /// <c>dotnet test tests/PerfCache.Tests -c Release --filter FullyQualifiedName~TraceFuzzTests.TenMillion</c>.</summary>
    [Test]
    [Explicit("an hour: the number is PERFCACHE_FUZZ_INPUTS")]
    [Category("Stress")]
    public void TenMillionDamagedTracesReadOrSayWhatIsWrong()
    {
        int inputs = FuzzInputs.Count;
        (string Name, byte[] Valid)[] samples = [.. SampleTraces.Names.Select(name => (name, SampleTraces.Bytes(name)))];
        byte[] plain = SampleTraces.Bytes("text/files");
        byte[][] compressed = [TraceBytes.Gzip(plain), TraceBytes.Zstd(plain)];
        int[] read = new int[Environment.ProcessorCount];
        FuzzInputs taken = new();
        Parallel.For(0, read.Length, thread =>
        {
            Random random = new(Seed + thread);
            for (int round = thread; round < inputs && taken.TryTake(1); round += read.Length)
            {
                (string name, byte[] valid) = samples[random.Next(samples.Length)];
                TraceOptions options = SampleTraces.Options(name, bufferBytes: random.Next(1, 200));
                int how = random.Next(20);
                if (how < 4) options = new TraceOptions();
                if (how == 4) (valid, options) = (compressed[random.Next(2)], new TraceOptions { Format = "text" });
                if (ReadsOrSays(Damage(valid, random), options, round)) read[thread]++;
            }
        });
        TestContext.Out.WriteLine($"{taken.Taken} inputs, {read.Sum()} of them read");
        Assert.That(read.Sum(), Is.InRange(taken.Taken / 100, taken.Taken * 99L / 100));
    }

    private static bool ReadsOrSays(byte[] bytes, TraceOptions options, int round)
    {
        try
        {
            TraceBytes.Read(TraceBytes.Source(bytes, options), capacity: 64, RequestsMax);
            return true;
        }
        catch (TraceFormatException wrong)
        {
            Assert.That(wrong.Message, Does.StartWith("made-up: ").And.Not.Contain('\n'));
            return false;
        }
        catch (Exception other)
        {
            Assert.Fail($"seed {Seed}, round {round}: {other}");
            return false;
        }
    }

    private static byte[] Damage(byte[] valid, Random random)
    {
        var bytes = new List<byte>(valid);
        for (int changes = random.Next(1, 6); changes > 0 && bytes.Count > 1; changes--)
        {
            int at = random.Next(bytes.Count);
            int length = random.Next(1, Math.Min(20, bytes.Count - at + 1));
            switch (random.Next(6))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 2: bytes.RemoveRange(at, length); break;
                case 3: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
                case 4: bytes.RemoveRange(at, bytes.Count - at); break;
                default: bytes.InsertRange(at, "18446744073709551615 "u8.ToArray()); break;
            }
        }
        return [.. bytes];
    }
}
