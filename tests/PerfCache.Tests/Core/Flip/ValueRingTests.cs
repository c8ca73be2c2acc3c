// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Flip;

/// <summary>Goal: values come out in the order they went in, each once. Method: examples and a queue as twin.</summary>
[TestFixture(typeof(OneToOne))]
[TestFixture(typeof(ManyToMany))]
internal sealed class ValueRingTests<TThreads> where TThreads : struct, IRingThreads
{
    private readonly MemoryMeter _meter = new();

    [OneTimeTearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void AllSlotsCanBeFull()
    {
        using ValueRing<ulong, TThreads> ring = new(4, _meter);
        for (ulong i = 0; i < 4; i++) Assert.That(ring.TryEnqueue(i), Is.True);
        Assert.That(ring.TryEnqueue(4), Is.False);
        Assert.That(ring.TryEnqueue([5]), Is.Zero);
        Assert.That(ring.Count, Is.EqualTo(ring.SlotCount));
        ulong[] values = new ulong[8];
        Assert.That(ring.TryDequeue(values), Is.EqualTo(4), "all that is there");
        Assert.That(values[..4], Is.EqualTo(new ulong[] { 0, 1, 2, 3 }));
        Assert.That(ring.TryDequeue(out ulong none), Is.False);
        Assert.That(none, Is.Zero);
        Assert.That(ring.TryDequeue(values), Is.Zero);
    }

    [Test]
    public void ValuesThatFillNoWholeWordsComeOutAsTheyWentIn()
    {
        using ValueRing<ThreeBytes, TThreads> ring = new(8, _meter);
        ThreeBytes[] values = new ThreeBytes[5];
        ThreeBytes[] taken = new ThreeBytes[8];
        for (int round = 0; round < 40; round++)
        {
            for (int i = 0; i < values.Length; i++)
                values[i] = new ThreeBytes((byte)round, (byte)(i + 100), (byte)((7 * round) + i));
            Assert.That(ring.TryEnqueue(values), Is.EqualTo(values.Length));
            Assert.That(ring.TryDequeue(taken), Is.EqualTo(values.Length));
            Assert.That(taken[..values.Length], Is.EqualTo(values));
        }
    }

    private readonly record struct ThreeBytes(byte First, byte Second, byte Third);

    [Test]
    public void BehavesLikeAQueue([Values(2, 8, 64)] int slotCount, [Values(0UL, (1UL << 48) - 300)] ulong start)
    {
        Random random = TestSeed.Random(slotCount);
        using ValueRing<ulong, TThreads> ring = new(slotCount, _meter, RingWait.Spin, start);
        Queue<ulong> twin = new();
        ulong next = 0;
        ulong[] values = new ulong[slotCount + 2];
        for (int step = 0; step < 20_000; step++)
        {
            int batch = random.Next(values.Length);
            if (random.Next(2) == 0)
            {
                for (int i = 0; i < batch; i++) values[i] = next + (ulong)i;
                int sent = batch == 1 ? ring.TryEnqueue(values[0]) ? 1 : 0 : ring.TryEnqueue(values.AsSpan(0, batch));
                Assert.That(sent, Is.EqualTo(Math.Min(batch, slotCount - twin.Count)));
                for (int i = 0; i < sent; i++) twin.Enqueue(next++);
            }
            else
            {
                int taken = batch == 1 ? ring.TryDequeue(out values[0]) ? 1 : 0 : ring.TryDequeue(values.AsSpan(0, batch));
                Assert.That(taken, Is.EqualTo(Math.Min(batch, twin.Count)));
                for (int i = 0; i < taken; i++) Assert.That(values[i], Is.EqualTo(twin.Dequeue()));
            }

            Assert.That(ring.Count, Is.EqualTo(twin.Count));
        }
    }

    [Test]
    public void ValuesOfAnySizeGo()
    {
        using ValueRing<(ulong, uint, byte), TThreads> ring = new(2, _meter);
        Assert.That(ring.TryEnqueue((1, 2, 3)), Is.True);
        Assert.That(ring.TryDequeue(out (ulong, uint, byte) value), Is.True);
        Assert.That(value, Is.EqualTo((1, 2, 3)));
    }

    [Test]
    public void AllocatesNothing()
    {
        using ValueRing<ulong, TThreads> ring = new(64, _meter);
        ulong[] values = new ulong[32];
        long before = 0;
        for (int round = 0; round < 1000; round++)
        {
            if (round == 500) before = GC.GetAllocatedBytesForCurrentThread();
            ring.TryEnqueue(values);
            ring.TryEnqueue(1);
            ring.WaitToDequeue(TimeSpan.Zero);
            ring.TryDequeue(out _);
            ring.TryDequeue(values);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void ItTellsWhatItTakesAndHowItWaits()
    {
        MemoryMeter meter = new();
        using ValueRing<ulong, TThreads> ring = new(32_768, meter, RingWait.Yield);
        Assert.That(ring.NativeBytes, Is.EqualTo(meter.OutstandingBytes).And.GreaterThan(9 * 32_768));
        Assert.That((ring.SlotCount, ring.Wait), Is.EqualTo((32_768, RingWait.Yield)));
        Assert.That(() => new ValueRing<ulong, TThreads>(16, null!), Throws.ArgumentNullException);
        Assert.That(
            () => new ValueRing<ulong, TThreads>(16, new MemoryMeter(0)),
            Throws.InstanceOf<NativeMemoryException>().With.Message.Contains("value ring"));
    }

    [Test]
    public void BadUseIsRefused() => Assert.Multiple(() =>
    {
        Assert.That(
            () => new ValueRing<ulong, TThreads>(12, _meter),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("power of two from 2 to 32768"));
        Assert.That(
            () => new ValueRing<ulong, TThreads>(16, _meter, (RingWait)9),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("not a way to wait"));
        ValueRing<ulong, TThreads> ring = new(16, _meter);
        ring.TryEnqueue(1);
        ring.Dispose();
        ring.Dispose();
        Assert.That(() => ring.TryEnqueue(1), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => ring.TryEnqueue([]), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => ring.TryDequeue(out _), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => ring.TryDequeue([]), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => ring.WaitToEnqueue(TimeSpan.Zero), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => ring.WaitToDequeue(TimeSpan.Zero), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(ring.Count, Is.Zero);
    });
}
