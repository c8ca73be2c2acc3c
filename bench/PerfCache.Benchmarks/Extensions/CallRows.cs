// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Globalization;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using PerfCache.Benchmarks.Hits;
using PerfCache.Extensions;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Benchmarks.Extensions;

/// <summary>
/// Single calls with 4 KiB values, by processor time. The bytes end in the caller's buffer and begin in it, as they do
/// in a web application: so a read of the memory cache, which hands out its own array, is followed by a copy, and a
/// write to it, which keeps the array it is given, begins with a new one. The row <c>reference</c> leaves the copy out.
/// </summary>
internal static class CallRows
{
    private const int ValueBytes = 4096;

    private static readonly DistributedCacheEntryOptions s_lifetime = new()
    {
        AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1),
    };

    /// <summary>Measures and prints every row.</summary>
    internal static void Run(bool quick, TextWriter output)
    {
        int entries = quick ? 5_000 : 20_000;
        int calls = quick ? 100_000 : 400_000;
        int pairs = quick ? 5 : 9;
        string[] keys = [.. Enumerable.Range(0, entries).Select(
            i => string.Create(CultureInfo.InvariantCulture, $"article:{i}"))];
        MemoryDistributedCache memory = new(Options.Create(new MemoryDistributedCacheOptions { SizeLimit = 1L << 30 }));
        using OffHeapDistributedCache offHeap = new(
            new PerfCacheOptions { CapacityBytes = 256 << 20, SweepInterval = Timeout.InfiniteTimeSpan });
        byte[] value = new byte[ValueBytes];
        new Random(1).NextBytes(value);
        foreach (string key in keys)
        {
            memory.Set(key, value.ToArray(), s_lifetime);
            offHeap.Set(key, value, s_lifetime);
        }

        int[] order = Order(entries, calls);
        ReadOnlySequence<byte> sequence = new(value);
        ReusedWriter writer = new(ValueBytes);
        output.WriteLine("call        ratio (min to max)    off-heap ns  memory ns  off-heap B  memory B  target");
        Print("get", "<= 1.0",
            key => writer.Write(memory.Get(key)), key => writer.Read(offHeap.TryGet(key, writer)));
        Print("get async", "<= 1.0",
            key => writer.Write(memory.GetAsync(key).Result),
            key => writer.Read(offHeap.TryGetAsync(key, writer).AsTask().Result));
        Print("get array", "none",
            key => writer.Write(memory.Get(key)), key => writer.Write(offHeap.Get(key)));
        Print("reference", "none", key => memory.Get(key), key => writer.Read(offHeap.TryGet(key, writer)));
        Print("set", "<= 1.0",
            key => memory.Set(key, value.ToArray(), s_lifetime), key => offHeap.Set(key, sequence, s_lifetime));

        void Print(string name, string target, Action<string> rival, Action<string> candidate)
        {
            Side ofRival = new("memory", _ => Pass(rival), CountsProcess: true);
            Side ofCandidate = new("off-heap", _ => Pass(candidate), CountsProcess: true);
            PairedResult result = PairedCpuTime.Measure(ofRival, ofCandidate, threads: 1, pairs, warmUps: 2);
            long rivalBytes = PairedCpuTime.Run(ofRival, 1).AllocatedBytes / calls;
            long candidateBytes = PairedCpuTime.Run(ofCandidate, 1).AllocatedBytes / calls;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name,-10} {result.Ratio.Median,6:F2} ({result.Ratio.Min:F2} to {result.Ratio.Max:F2}) "
                + $"{result.CandidateNanos.Median,14:F0} {result.RivalNanos.Median,10:F0} {candidateBytes,11:N0} "
                + $"{rivalBytes,9:N0}  {target}"));
            GC.Collect();
        }

        long Pass(Action<string> call)
        {
            foreach (int i in order) call(keys[i]);
            return order.Length;
        }
    }

    private static int[] Order(int entries, int calls)
    {
        SeededRandom random = new(1);
        int[] order = new int[calls];
        for (int i = 0; i < calls; i++) order[i] = (int)random.NextBelow((ulong)entries);
        return order;
    }

    /// <summary>What a server hands to a cache: room in a buffer that it uses again and again.</summary>
    private sealed class ReusedWriter(int length) : IBufferWriter<byte>
    {
        private readonly byte[] _bytes = new byte[length];

        internal void Write(byte[]? value) =>
            (value ?? throw new InvalidOperationException("the memory cache lost an entry")).CopyTo(_bytes, 0);

        internal void Read(bool found)
        {
            if (!found) throw new InvalidOperationException("the off-heap cache lost an entry");
        }

        public void Advance(int count)
        {
        }

        public Memory<byte> GetMemory(int sizeHint = 0) => _bytes;

        public Span<byte> GetSpan(int sizeHint = 0) => _bytes;
    }
}
