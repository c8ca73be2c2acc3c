// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using System.Diagnostics;
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Policies.Items;
using PerfCache.Tests.Core.Items;

namespace PerfCache.Tests.Stress;

/// <summary>
/// Goal: no reader ever gets bytes that nobody stored, while threads store, delete, withdraw and sweep and another
/// clears pages behind the store's back, as the kernel does with lent memory. Method: every value carries its key, a
/// number and a mixture of both in each word; a reader checks all of them. The store with the seeded bug (verify, then
/// copy) must fail the same test.
/// </summary>
[TestFixture]
public sealed class ItemStressTests
{
    private const int KeyCount = 2000;
    private static readonly int[] s_lengths = [96, 496, 1400, 3000, 4096, 9000];

    [TestCase(1)]
    [TestCase(4)]
    public void ReadersGetWhatWasStoredOrNothing(int shards)
    {
        Outcome outcome = Run(shards, ItemFault.None, TimeSpan.FromSeconds(2));
        Assert.That(outcome.Wrong, Is.Zero, "wrong values");
        Assert.That(outcome.Good, Is.GreaterThan(1000));
        Assert.That(outcome.Failures, Is.GreaterThan(10), "pages were cleared under the readers' hands");
        Assert.That(outcome.Evicted, Is.GreaterThan(10), "the store was full");
    }

    [Test]
    public void TheSeededBugIsCaught() =>
        Assert.That(
            Run(1, ItemFault.VerifyBeforeCopy, TimeSpan.FromSeconds(10), stopAtWrong: true).Wrong, Is.Positive,
            "verifying before copying must show");

    [Test]
    [Explicit("minutes: the length is PERFCACHE_STRESS_SECONDS, 120 by default")]
    [Category("Stress")]
    public void ReadersGetWhatWasStoredOrNothingForMinutes()
    {
        int seconds = int.Parse(
            Environment.GetEnvironmentVariable("PERFCACHE_STRESS_SECONDS") ?? "120",
            System.Globalization.CultureInfo.InvariantCulture);
        Assert.That(Run(4, ItemFault.None, TimeSpan.FromSeconds(seconds)).Wrong, Is.Zero, "wrong values");
    }

    private static Outcome Run(int shards, ItemFault fault, TimeSpan duration, bool stopAtWrong = false)
    {
        using ItemTestStore store = new(capacityBytes: 3 << 20, shards, valueBytesMax: 16_000);
        foreach (ItemShard<SecondChanceItems> shard in store.Store.Shards)
        {
            shard.Fault = fault;
            // The stall point: without it the window between the halves of a read is a few hundred nanoseconds.
            shard.Stall = () => Thread.SpinWait(200);
        }

        Outcome outcome = new();
        Stopwatch watch = Stopwatch.StartNew();
        bool Goes() => watch.Elapsed < duration && outcome.Error is null && !(stopAtWrong && outcome.Wrong > 0);
        Thread[] threads =
        [
            Start(outcome, random => Write(store, random, watch), Goes, 1),
            Start(outcome, random => Write(store, random, watch), Goes, 2),
            Start(outcome, random => Read(store, random, watch, outcome), Goes, 3),
            Start(outcome, random => Read(store, random, watch, outcome), Goes, 4),
            Start(outcome, random => Vanish(store, random), Goes, 5),
            Start(outcome, random => Take(store, random, watch), Goes, 6),
        ];
        foreach (Thread thread in threads) thread.Join();
        if (outcome.Error is not null) throw new AssertionException("a thread failed", outcome.Error);
        store.Store.Validate();
        outcome.Failures = store.Counts.ChecksumFailures;
        outcome.Evicted = store.Counts.Evicted;
        TestContext.Out.WriteLine($"{outcome.Good} good, {outcome.Wrong} wrong, {store.Counts}");
        return outcome;
    }

    private static Thread Start(Outcome outcome, Action<Random> round, Func<bool> goes, int seed)
    {
        Random random = TestSeed.Random(seed);
        Thread thread = new(() =>
        {
            try
            {
                while (goes()) round(random);
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                outcome.Error = error;
            }
        });
        thread.Start();
        return thread;
    }

    private static void Write(ItemTestStore store, Random random, Stopwatch watch)
    {
        byte[] value = new byte[9000];
        byte[] key = new byte[30];
        for (int i = 0; i < 100; i++)
        {
            int number = random.Next(KeyCount);
            SetKey(key, number);
            if (random.Next(20) == 0)
            {
                store.Store.Delete(key, watch.Elapsed.Ticks);
                continue;
            }

            Span<byte> bytes = value.AsSpan(0, s_lengths[random.Next(s_lengths.Length)]);
            Fill(bytes, (ulong)number, (ulong)random.NextInt64());
            long expiry = random.Next(10) == 0 ? watch.Elapsed.Ticks + 1000 : long.MaxValue;
            store.Store.Store(key, bytes, new ItemWrite { ExpiryTicks = expiry }, watch.Elapsed.Ticks, out _);
        }
    }

    private static void Read(ItemTestStore store, Random random, Stopwatch watch, Outcome outcome)
    {
        byte[] buffer = new byte[9000];
        byte[] key = new byte[30];
        for (int i = 0; i < 100; i++)
        {
            int number = random.Next(KeyCount);
            SetKey(key, number);
            if (store.Store.Get(key, watch.Elapsed.Ticks, buffer, out ItemInfo info) != ItemRead.Hit) continue;
            if (IsRight(buffer.AsSpan(0, info.Length), (ulong)number)) Interlocked.Increment(ref outcome.Good);
            else Interlocked.Increment(ref outcome.Wrong);
        }
    }

    private static void Vanish(ItemTestStore store, Random random)
    {
        uint count = store.Store.Pages.FrameCount;
        if (count > 0) store.Vanish(new FrameId((uint)random.Next(1, (int)count + 1)));
        Thread.SpinWait(5000);
    }

    private static void Take(ItemTestStore store, Random random, Stopwatch watch)
    {
        FrameId[] taken = new FrameId[8];
        int count = store.Store.Trim(taken);
        FrameId one = new((uint)random.Next(1, (int)store.Store.Pages.FrameCount + 2));
        bool withdrawn = store.Store.Withdraw(one) >= 0;
        store.Store.Forget(new FrameId((uint)random.Next(1, (int)store.Store.Pages.FrameCount + 2)));
        store.Store.Sweep(watch.Elapsed.Ticks, 100);
        if (random.Next(50) == 0) store.Store.FlushAll(watch.Elapsed.Ticks, watch.Elapsed.Ticks);
        for (int i = 0; i < count; i++) store.Store.Return(taken[i]);
        if (withdrawn) store.Store.Return(one);
        if (random.Next(20) == 0) store.Store.Validate();
        Thread.Yield();
    }

    private static void SetKey(byte[] key, int number)
    {
        key.AsSpan().Fill((byte)'k');
        BinaryPrimitives.WriteInt32LittleEndian(key, number);
    }

    private static void Fill(Span<byte> value, ulong number, ulong round)
    {
        for (int at = 0; at + 8 <= value.Length; at += 8)
            BinaryPrimitives.WriteUInt64LittleEndian(value[at..], WordAt(at, number, round));
        BinaryPrimitives.WriteUInt64LittleEndian(value, round);
    }

    private static bool IsRight(ReadOnlySpan<byte> value, ulong number)
    {
        ulong round = BinaryPrimitives.ReadUInt64LittleEndian(value);
        for (int at = 8; at + 8 <= value.Length; at += 8)
        {
            if (BinaryPrimitives.ReadUInt64LittleEndian(value[at..]) != WordAt(at, number, round)) return false;
        }

        return true;
    }

    private static ulong WordAt(int at, ulong number, ulong round) =>
        ((number << 32) + (ulong)at + round) * 0x9E3779B97F4A7C15 | 1;

    private sealed class Outcome
    {
        internal long Good;
        internal long Wrong;
        internal volatile Exception? Error;

        internal long Failures { get; set; }

        internal long Evicted { get; set; }
    }
}
