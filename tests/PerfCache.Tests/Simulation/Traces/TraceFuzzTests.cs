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

    /// <summary>
    /// Run by name, for PERFCACHE_FUZZ_INPUTS (10,000,000 by default):
    /// <c>dotnet test tests/PerfCache.Tests -c Release --filter FullyQualifiedName~TraceFuzzTests.TenMillion</c>.
    /// An input follows from the seed and its number alone, so one that is found can be made again without those
    /// before it.
    /// </summary>
    [Test]
    [Explicit("minutes: the number is PERFCACHE_FUZZ_INPUTS")]
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
            TraceBlock block = new(TraceBytes.AllColumns, capacity: 64);
            int readHere = 0;
            for (int number = thread; number < inputs && taken.TryTake(1); number += read.Length)
            {
                Random random = new(SeedOf(number));
                (string name, byte[] valid) = samples[random.Next(samples.Length)];
                // A large buffer costs more than all the rest, and most damage is found at the edges of small ones.
                int bufferBytes = random.Next(256) == 0 ? TraceInput.DefaultBufferBytes : random.Next(1, 200);
                TraceOptions options = SampleTraces.Options(name, bufferBytes);
                int how = random.Next(20);
                if (how < 4) options = new TraceOptions { BufferBytes = bufferBytes };
                if (how == 4)
                {
                    valid = compressed[random.Next(2)];
                    options = new TraceOptions { Format = "text", BufferBytes = bufferBytes };
                }

                if (ReadsOrSays(Damage(valid, random), options, number, block)) readHere++;
            }

            read[thread] = readHere;
        });
        TestContext.Out.WriteLine($"{taken.Taken} inputs in {taken.Elapsed.TotalSeconds:0} s, {read.Sum()} of them read");
        Assert.That(read.Sum(), Is.InRange(taken.Taken / 100, taken.Taken * 99L / 100));
    }

    /// <summary>The seed of one input: neighbouring numbers get unrelated ones.</summary>
    private static int SeedOf(int number)
    {
        ulong mixed = ((ulong)(uint)Seed << 32 | (uint)number) * 0x9E3779B97F4A7C15;
        return (int)((mixed ^ (mixed >> 29)) >> 3);
    }

    private static bool ReadsOrSays(byte[] bytes, TraceOptions options, int number) =>
        ReadsOrSays(bytes, options, number, new TraceBlock(TraceBytes.AllColumns, capacity: 64));

    private static bool ReadsOrSays(byte[] bytes, TraceOptions options, int number, TraceBlock block)
    {
        try
        {
            ReadToEnd(bytes, options, block);
            return true;
        }
        catch (TraceFormatException wrong) when (IsOneLine(wrong.Message))
        {
            return false;
        }
        catch (Exception other)
        {
            Assert.Fail(
                $"seed {Seed}, input {number}, format {options.Format}, buffer {options.BufferBytes}: {other}\n"
                + Convert.ToBase64String(bytes));
            return false;
        }
    }

    /// <summary>Reads up to the bound and keeps nothing: the assertions of a test framework, and a list of what was read,
    /// would take most of the time of ten million inputs.</summary>
    private static void ReadToEnd(byte[] bytes, TraceOptions options, TraceBlock block)
    {
        using ITraceReader reader = TraceBytes.Source(bytes, options).Open();
        int requests = 0;
        while (requests < RequestsMax)
        {
            bool isMore = reader.Read(block);
            if (block.Count > block.Capacity || isMore != (block.Count > 0))
                throw new InvalidOperationException($"{block.Count} requests in a block of {block.Capacity}, {isMore}");
            if (!isMore) return;
            requests += block.Count;
        }
    }

    private static bool IsOneLine(string message) =>
        message.StartsWith("made-up: ", StringComparison.Ordinal) && !message.Contains('\n');

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
