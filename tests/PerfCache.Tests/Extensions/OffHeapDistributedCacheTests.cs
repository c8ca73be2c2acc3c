// SPDX-License-Identifier: MIT
using System.Buffers;
using Microsoft.Extensions.Caching.Distributed;
using PerfCache.Extensions;
using static PerfCache.Tests.Extensions.TestCache;

namespace PerfCache.Tests.Extensions;

/// <summary>Goal: each verb of the distributed cache does what its text says. Method: examples.</summary>
[TestFixture]
public sealed class OffHeapDistributedCacheTests
{
    private TestCache _test = null!;

    private OffHeapDistributedCache Cache => _test.Cache;

    [SetUp]
    public void Make() => _test = new TestCache();

    [TearDown]
    public void Free() => _test.Dispose();

    [Test]
    public async Task AValueOfAnyLengthComesBackByEveryVerb([Values(0, 1, 127, 4096, 5000, 65_536)] int length)
    {
        byte[] value = Value(length, length);
        Cache.Set("array", value, new DistributedCacheEntryOptions());
        await Cache.SetAsync("array later", value, new DistributedCacheEntryOptions());
        Cache.Set("sequence", new ReadOnlySequence<byte>(value), new DistributedCacheEntryOptions());
        await Cache.SetAsync("pieces", InPieces(value, 700), new DistributedCacheEntryOptions());
        foreach (string key in new[] { "array", "array later", "sequence", "pieces" })
        {
            ArrayBufferWriter<byte> writer = new();
            Assert.That(Cache.Get(key), Is.EqualTo(value), key);
            Assert.That(await Cache.GetAsync(key), Is.EqualTo(value), key);
            Assert.That(Cache.TryGet(key, writer) && await Cache.TryGetAsync(key, writer), Is.True, key);
            Assert.That(writer.WrittenSpan.ToArray(), Is.EqualTo(value.Concat(value)), key);
        }

        Assert.That((Cache.Statistics.Hits, Cache.Statistics.Misses), Is.EqualTo((16, 0)));
    }

    [Test]
    public async Task WhatIsNotThereIsAMissAndCountsAsOne()
    {
        ArrayBufferWriter<byte> writer = new();
        Assert.That((Cache.Get("none"), await Cache.GetAsync("none")), Is.EqualTo(((byte[]?)null, (byte[]?)null)));
        Assert.That((Cache.TryGet("none", writer), await Cache.TryGetAsync("none", writer)), Is.EqualTo((false, false)));
        Assert.That((writer.WrittenCount, Cache.Statistics.Misses), Is.EqualTo((0, 4)));
    }

    [Test]
    public void TheCallersArrayIsItsOwn()
    {
        byte[] value = [1, 2, 3];
        _test.Set("key", value);
        value[0] = 9;
        byte[] read = Cache.Get("key")!;
        read[1] = 9;
        Assert.That(Cache.Get("key"), Is.EqualTo(new byte[] { 1, 2, 3 }));
    }

    [Test]
    public void AReadIntoAWriterAndAWriteFromASequenceAllocateNothing()
    {
        byte[] value = Value(1, 4096);
        ReadOnlySequence<byte> sequence = new(value);
        DistributedCacheEntryOptions options = For(seconds: 60, sliding: 5);
        FixedWriter writer = new(8192);
        // Once to compile.
        for (int i = 0; i < 40; i++) Round();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) Round();
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void Round()
        {
            writer.Clear();
            if (!Cache.SetAsync("key", sequence, options).AsTask().IsCompletedSuccessfully)
                throw new InvalidOperationException("not done");
            if (!Cache.TryGetAsync("key", writer).AsTask().Result) throw new InvalidOperationException("a miss");
            if (!writer.Written.SequenceEqual(value)) throw new InvalidOperationException("another value");
        }
    }

    [Test]
    public void AnArrayIsAllThatGetAllocates()
    {
        _test.Set("key", Value(1, 4096));
        for (int i = 0; i < 40; i++) Cache.Get("key");
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) Cache.Get("key");
        Assert.That((GC.GetAllocatedBytesForCurrentThread() - before) / 1000, Is.InRange(4096, 4096 + 32));
    }

    [Test]
    public async Task AsynchronousVerbsAreDoneWhenTheyReturnAndHeedTheToken()
    {
        DistributedCacheEntryOptions options = new();
        Assert.That(Cache.SetAsync("key", [1], options).IsCompletedSuccessfully, Is.True);
        Assert.That(Cache.GetAsync("key").IsCompletedSuccessfully, Is.True);
        Assert.That(Cache.RefreshAsync("key").IsCompletedSuccessfully, Is.True);
        CancellationToken cancelled = new(canceled: true);
        ArrayBufferWriter<byte> writer = new();
        Task[] calls =
        [
            Cache.GetAsync("key", cancelled),
            Cache.TryGetAsync("key", writer, cancelled).AsTask(),
            Cache.SetAsync("key", [2], options, cancelled),
            Cache.SetAsync("key", new ReadOnlySequence<byte>([2]), options, cancelled).AsTask(),
            Cache.RefreshAsync("key", cancelled),
            Cache.RemoveAsync("key", cancelled),
        ];
        Assert.That(calls.Select(call => call.IsCanceled), Has.All.True);
        Assert.That(Cache.Get("key"), Is.EqualTo(new byte[] { 1 }));
        await Cache.RemoveAsync("key");
        Assert.That(Cache.Get("key"), Is.Null);
    }

    [Test]
    public void AValueThatIsTooLongSaysWhatToDoAndLeavesNoOlderOne()
    {
        _test.Set("a", [1]);
        _test.Set("b", [1]);
        Assert.That(
            () => _test.Set("a", new byte[65_537]),
            Throws.ArgumentException.With.Message.Contains("the value has 65537 bytes, more than the 65536 of ValueBytesMax")
                .And.Message.Contains("raise"));
        Assert.That(
            () => Cache.Set("b", InPieces(new byte[65_537], 40_000), new DistributedCacheEntryOptions()),
            Throws.ArgumentException.With.Message.Contains("65537"));
        Assert.That((Cache.Get("a"), Cache.Get("b")), Is.EqualTo(((byte[]?)null, (byte[]?)null)));
    }

    [Test]
    public void AWriterThatGivesTooLittleIsTold()
    {
        _test.Set("key", new byte[300]);
        Assert.That(
            () => Cache.TryGet("key", new FixedWriter(200)),
            Throws.InvalidOperationException.With.Message.Contains("asked for 300 bytes and gave 200"));
    }

    [Test]
    public void EntriesLeaveByKeyByPrefixAndAllAtOnce()
    {
        for (int i = 0; i < 1000; i++) _test.Set($"tenant:{i % 10}:{i}", Value(i, i));
        Assert.That(Cache.RemoveByPrefix("tenant:3:"), Is.EqualTo(100));
        Assert.That(Cache.RemoveByPrefix("tenant:3:"), Is.Zero);
        Cache.Remove("tenant:4:4");
        Assert.That((Cache.Get("tenant:3:3"), Cache.Get("tenant:4:4")), Is.EqualTo(((byte[]?)null, (byte[]?)null)));
        Assert.That(Cache.Get("tenant:4:14"), Is.EqualTo(Value(14, 14)));
        Assert.That(Cache.Statistics.Items, Is.EqualTo(899));
        Cache.Clear();
        Assert.That(Cache.Get("tenant:4:14"), Is.Null);
        _test.Set("tenant:4:14", [7]);
        Assert.That(Cache.Get("tenant:4:14"), Is.EqualTo(new byte[] { 7 }), "what is stored afterwards stays");
        Assert.That(Cache.RemoveByPrefix(""), Is.EqualTo(1));
    }

    [Test]
    public void TheBoundHoldsAndTheCacheEvicts()
    {
        for (int i = 0; i < 5000; i++)
        {
            _test.Set($"key {i}", Value(i, 4096));
            if (i % 100 == 0) Assert.That(Cache.UsedBytes, Is.LessThanOrEqualTo(Cache.CapacityBytes));
        }

        Assert.That(Cache.Get("key 4999"), Is.EqualTo(Value(4999, 4096)), "the last is there");
        Assert.That((Cache.Statistics.Refused, Cache.Statistics.Evicted), Is.EqualTo((0L, 5000 - Cache.Statistics.Items)));
        Assert.That(Cache.Statistics.Items * 4096, Is.GreaterThan(Cache.CapacityBytes / 2));
    }

    [Test]
    public void AfterDisposeEveryVerbSaysSo()
    {
        Cache.Dispose();
        Cache.Dispose();
        Assert.That(() => Cache.Get("key"), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => _test.Set("key", [1]), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => Cache.Sweep(), Throws.Nothing, "the timer may come late");
    }

    [Test]
    public void WhatManyThreadsDoAtOnceIsWholeValues()
    {
        // Method: every value repeats one byte over a length that the byte tells, so any mixture of two shows.
        const int Threads = 4;
        string[] keys = [.. Enumerable.Range(0, 64).Select(i => $"key {i}")];
        Parallel.For(0, Threads, thread =>
        {
            Random random = new(thread);
            ArrayBufferWriter<byte> writer = new();
            for (int i = 0; i < 20_000; i++)
            {
                string key = keys[random.Next(keys.Length)];
                byte fill = (byte)random.Next(1, 256);
                if (random.Next(3) == 0)
                {
                    byte[] value = new byte[fill * 40];
                    value.AsSpan().Fill(fill);
                    Cache.Set(key, value, For(sliding: 10));
                    continue;
                }

                writer.ResetWrittenCount();
                if (!Cache.TryGet(key, writer)) continue;
                byte found = writer.WrittenSpan[0];
                if (writer.WrittenCount != found * 40 || writer.WrittenSpan.ContainsAnyExcept(found))
                    throw new InvalidOperationException($"{writer.WrittenCount} bytes that begin with {found}");
            }
        });
        Assert.That(Cache.Statistics.Hits, Is.GreaterThan(10_000));
    }

    /// <summary>The bytes in segments, as a pooled writer leaves them.</summary>
    internal static ReadOnlySequence<byte> InPieces(byte[] value, int pieceBytes)
    {
        Segment first = new(value.AsMemory(0, Math.Min(pieceBytes, value.Length)), 0);
        Segment last = first;
        for (int at = pieceBytes; at < value.Length; at += pieceBytes)
            last = last.Append(value.AsMemory(at, Math.Min(pieceBytes, value.Length - at)));
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        internal Segment(ReadOnlyMemory<byte> memory, long index) => (Memory, RunningIndex) = (memory, index);

        internal Segment Append(ReadOnlyMemory<byte> memory)
        {
            Segment next = new(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }

    /// <summary>A writer over one array that never grows.</summary>
    private sealed class FixedWriter(int length) : IBufferWriter<byte>
    {
        private readonly byte[] _bytes = new byte[length];
        private int _written;

        internal ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _written);

        internal void Clear() => _written = 0;

        public void Advance(int count) => _written += count;

        public Memory<byte> GetMemory(int sizeHint = 0) => _bytes.AsMemory(_written);

        public Span<byte> GetSpan(int sizeHint = 0) => _bytes.AsSpan(_written);
    }
}
