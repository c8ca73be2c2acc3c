// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using PerfCache.Extensions;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Benchmarks.Extensions;

/// <summary>What a side did in a mixed load.</summary>
internal sealed record MixedResult(
    long Operations, double HitRatio, double PauseMillis, int Gen0, int Gen2, long AllocatedBytes)
{
    internal double PausePerMillion => PauseMillis / (Operations / 1e6);

    internal string ToLine() => JsonSerializer.Serialize(this);

    internal string ToText(string side) => string.Create(CultureInfo.InvariantCulture,
        $"{side,-9} {Operations / 1e6,6:F2} {HitRatio,10:P1} {PauseMillis,9:F1} {PausePerMillion,8:F2} {Gen0,5} {Gen2,5} "
        + $"{(double)AllocatedBytes / Operations,15:F0}");
}

/// <summary>
/// Two threads read and write 4 KiB values for so many seconds, in a cache that holds a third of them. Every value
/// says whose it is, and every read looks.
/// </summary>
internal static class MixedLoad
{
    internal const string ChildOption = "--mixed-side";
    internal const string Rival = "memory";
    internal const string Candidate = "off-heap";
    internal const long CapacityBytes = 256 << 20;

    private const int Threads = 2;
    private const int ValueBytes = 4096;
    private const int Keys = 200_000;
    private const int BlockRequests = 1024;

    private static readonly DistributedCacheEntryOptions s_lifetime = new()
    {
        AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1),
    };

    /// <summary>Runs a side in a process of its own, started from this program.</summary>
    internal static MixedResult? RunInOwnProcess(string side, int seconds, TextWriter errors)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!) { RedirectStandardOutput = true };
        // Started as `dotnet PerfCache.Benchmarks.dll`, the process is the runtime's.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(MixedLoad).Assembly.Location);
        foreach (string argument in (string[])["extensions", ChildOption, side, $"{seconds}"])
            start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)!;
        string line = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode == 0) return JsonSerializer.Deserialize<MixedResult>(line);
        errors.WriteLine($"extensions: the side {side} ended with exit code {process.ExitCode}");
        return null;
    }

    /// <summary>Runs a side here.</summary>
    internal static MixedResult Run(string side, int seconds)
    {
        string[] keys = [.. Enumerable.Range(0, Keys).Select(
            i => string.Create(CultureInfo.InvariantCulture, $"article:{i}"))];
        using OffHeapDistributedCache? offHeap =
            side == Candidate ? new(new PerfCacheOptions { CapacityBytes = CapacityBytes }) : null;
        IDistributedCache cache = offHeap ?? (IDistributedCache)new MemoryDistributedCache(
            Options.Create(new MemoryDistributedCacheOptions { SizeLimit = CapacityBytes }));
        Worker[] workers = [.. Enumerable.Range(0, Threads).Select(i => new Worker(cache, keys, seconds, i))];
        // What the start allocated is nobody's pause.
        GC.Collect();
        TimeSpan pause = GC.GetTotalPauseDuration();
        long allocated = GC.GetTotalAllocatedBytes(precise: true);
        int gen0 = GC.CollectionCount(0);
        int gen2 = GC.CollectionCount(2);
        foreach (Worker worker in workers) worker.Start();
        foreach (Worker worker in workers) worker.Join();
        return new MixedResult(
            workers.Sum(worker => worker.Operations),
            workers.Sum(worker => worker.Hits) / (double)workers.Sum(worker => worker.Reads),
            (GC.GetTotalPauseDuration() - pause).TotalMilliseconds, GC.CollectionCount(0) - gen0,
            GC.CollectionCount(2) - gen2, GC.GetTotalAllocatedBytes(precise: true) - allocated);
    }

    private sealed class Worker : IBufferWriter<byte>
    {
        private readonly IDistributedCache _cache;
        private readonly string[] _keys;
        private readonly byte[] _value = new byte[ValueBytes];
        private readonly byte[] _read = new byte[ValueBytes];
        private readonly ZipfSampler _sampler = new(Keys, 0.9, scatterSeed: 1);
        private readonly Thread _thread;
        private Exception? _failure;

        internal Worker(IDistributedCache cache, string[] keys, int seconds, int number)
        {
            _cache = cache;
            _keys = keys;
            _thread = new Thread(() =>
            {
                try
                {
                    Work(seconds, (ulong)number);
                }
                // It belongs to whoever waits for the thread.
                catch (Exception failure)
                {
                    _failure = failure;
                }
            });
        }

        internal long Operations { get; private set; }

        internal long Reads { get; private set; }

        internal long Hits { get; private set; }

        internal void Start() => _thread.Start();

        internal void Join()
        {
            _thread.Join();
            if (_failure is not null) throw new InvalidOperationException(_failure.Message, _failure);
        }

        public void Advance(int count)
        {
        }

        public Memory<byte> GetMemory(int sizeHint = 0) => _read;

        public Span<byte> GetSpan(int sizeHint = 0) => _read;

        private void Work(int seconds, ulong seed)
        {
            SeededRandom random = new(seed + 1);
            ulong[] block = new ulong[BlockRequests];
            long begin = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(begin).TotalSeconds < seconds)
            {
                _sampler.Fill(ref random, block);
                foreach (ulong key in block)
                {
                    if (random.NextBelow(10) == 0 || !TryRead((int)key)) Write((int)key);
                    Operations++;
                }
            }
        }

        private bool TryRead(int key)
        {
            Reads++;
            if (_cache is IBufferDistributedCache buffers)
            {
                if (!buffers.TryGet(_keys[key], this)) return false;
            }
            else
            {
                if (_cache.Get(_keys[key]) is not { } value) return false;
                value.CopyTo(_read, 0);
            }

            Hits++;
            int found = BinaryPrimitives.ReadInt32LittleEndian(_read);
            if (found != key) throw new InvalidOperationException($"asked for {key}, got {found}");
            return true;
        }

        private void Write(int key)
        {
            BinaryPrimitives.WriteInt32LittleEndian(_value, key);
            if (_cache is IBufferDistributedCache buffers)
                buffers.Set(_keys[key], new ReadOnlySequence<byte>(_value), s_lifetime);
            else
                _cache.Set(_keys[key], _value.ToArray(), s_lifetime);
        }
    }
}
