// SPDX-License-Identifier: MIT
using PerfCache.Flip;

namespace PerfCache.Tests.Stress;

/// <summary>
/// Goal: no frame is lost, doubled or owned by two while threads flip as fast as they can, and what goes wrong is seen.
/// Method: <see cref="FlipRingStress{TThreads}"/>; the ring as it is, and rings with one seeded bug each.
/// </summary>
[TestFixture]
internal sealed class FlipRingStressTests
{
    [TestCase(2, 1, RingWait.Adaptive)]
    [TestCase(8, 4, RingWait.Adaptive)]
    [TestCase(64, 32, RingWait.Yield)]
    [TestCase(256, 1, RingWait.Adaptive, Description = "consumers keep off")]
    [CancelAfter(120_000)]
    public void OneToOneLosesNothing(int slotCount, int batch, RingWait wait, CancellationToken deadline) =>
        Assert.That(
            FlipRingStress<OneToOne>.Run(new(1, 1, slotCount, batch, PagesFor(slotCount, 100_000), wait), seed: 1, deadline), Is.Null);

    [TestCase(2, 1, RingWait.Adaptive)]
    [TestCase(8, 4, RingWait.Park)]
    [TestCase(64, 32, RingWait.Adaptive)]
    [TestCase(256, 1, RingWait.Adaptive, Description = "consumers keep off")]
    [TestCase(256, 256, RingWait.Adaptive, Description = "turns of a batch are stored many at a time")]
    [CancelAfter(120_000)]
    public void ManyToManyLosesNothing(int slotCount, int batch, RingWait wait, CancellationToken deadline) =>
        Assert.That(
            FlipRingStress<ManyToMany>.Run(new(2, 2, slotCount, batch, PagesFor(slotCount, 40_000), wait), seed: 1, deadline), Is.Null);

    [Test, Explicit("minutes: dotnet test --filter FullyQualifiedName~FlipRingStressTests.ForLong"), Category("Stress")]
    [CancelAfter(900_000)]
    public void ForLong(
        [Values(2, 8, 256)] int slotCount, [Values(1, 2, 4)] int threads, [Values] bool ledger, CancellationToken deadline)
    {
        int seed = TestSeed.Random(slotCount + threads).Next();
        FlipStressOptions options = new(threads, threads, slotCount, slotCount, 2_000_000 / threads);
        Assert.That(FlipRingStress<ManyToMany>.Run(options, seed, deadline, ledger), Is.Null);
        if (threads == 1) Assert.That(FlipRingStress<OneToOne>.Run(options, seed, deadline, ledger), Is.Null);
    }

    // Without a ledger, so that what finds them is the frames' own words and the count at the end.
    [Test]
    [CancelAfter(120_000)]
    public void ASeededBugIsCaught([Values] bool ledger, CancellationToken deadline)
    {
        TestScale.LeaveToRelease();
        FlipStressOptions options = new(2, 2, 8, 4, 200_000, RingWait.Yield, PatienceSeconds: 2);
        string?[] failures =
        [
            FlipRingStress<Broken<ReservesInTwoSteps>>.Run(options, seed: 1, deadline, ledger),
            FlipRingStress<Broken<ClaimsInTwoSteps>>.Run(options, seed: 1, deadline, ledger),
            FlipRingStress<Broken<LooksAtNoTurns>>.Run(options, seed: 1, deadline, ledger),
        ];
        foreach (string? failure in failures) TestContext.Out.WriteLine(failure);
        deadline.ThrowIfCancellationRequested();
        Assert.That(failures, Has.All.Not.Null);
    }

    // In the smallest ring every page is a change of threads.
    private static long PagesFor(int slotCount, long most) => slotCount == 2 ? most / 10 : most;

    // A moment in which other threads may come in between: on x64 nothing else makes such a bug frequent.
    private static void Dawdle()
    {
        if (Environment.TickCount64 % 3 == 0) Thread.Yield();
        else Thread.SpinWait(20);
    }

    private interface ISeededBug;

    /// <summary>R3 as a load and a store.</summary>
    private readonly struct ReservesInTwoSteps : ISeededBug;

    /// <summary>R7 as a load and a store.</summary>
    private readonly struct ClaimsInTwoSteps : ISeededBug;

    /// <summary>R2 goes by the ends alone: a slot counts as free that was claimed and is not yet emptied.</summary>
    private readonly struct LooksAtNoTurns : ISeededBug;

    private readonly struct Broken<TBug> : IRingThreads where TBug : struct, ISeededBug
    {
        static uint IRingThreads.LookForFree(in RingLines ring, uint max, out RingTail tail)
        {
            if (typeof(TBug) != typeof(LooksAtNoTurns)) return Right<ManyToMany>.LookForFree(in ring, max, out tail);
            tail = new RingTail(Volatile.Read(ref ring.Control.Tail));
            RingHead head = new(Volatile.Read(ref ring.Control.Head));
            return Math.Min(max, ring.Mask + 1 - Math.Min(ring.Mask + 1, tail.DistanceFrom(head)));
        }

        static bool IRingThreads.TryReserve(in RingLines ring, RingTail tail, uint count)
        {
            if (typeof(TBug) != typeof(ReservesInTwoSteps)) return Right<ManyToMany>.TryReserve(in ring, tail, count);
            if (Volatile.Read(ref ring.Control.Tail) != tail.Packed) return false;
            Dawdle();
            Volatile.Write(ref ring.Control.Tail, tail.Reserve(count).Packed);
            return true;
        }

        static void IRingThreads.Publish(in RingLines ring, RingTail tail, uint count) =>
            Right<ManyToMany>.Publish(in ring, tail, count);

        static bool IRingThreads.TryCollect(in RingLines ring, RingTail tail, uint count) =>
            Right<ManyToMany>.TryCollect(in ring, tail, count);

        static uint IRingThreads.LookForFull(in RingLines ring, uint max, out RingHead head) =>
            Right<ManyToMany>.LookForFull(in ring, max, out head);

        static bool IRingThreads.FetchesSingles => false;

        static bool IRingThreads.KnowsFree(in RingLines ring, RingTail tail, uint distance) => false;

        static bool IRingThreads.KnowsFull(in RingLines ring, RingHead head, uint distance) => false;

        static bool IRingThreads.TryClaim(in RingLines ring, RingHead head, uint count)
        {
            if (typeof(TBug) != typeof(ClaimsInTwoSteps))
            {
                bool claimed = Right<ManyToMany>.TryClaim(in ring, head, count);
                if (typeof(TBug) == typeof(LooksAtNoTurns)) Dawdle();
                return claimed;
            }

            if (Volatile.Read(ref ring.Control.Head) != head.Packed) return false;
            Dawdle();
            Volatile.Write(ref ring.Control.Head, head.Claim(count).Packed);
            return true;
        }

        static void IRingThreads.Retire(in RingLines ring, RingHead head, uint count) =>
            Right<ManyToMany>.Retire(in ring, head, count);
    }

    /// <summary>The verbs of the real thing, which only a type parameter can name.</summary>
    private static class Right<TThreads> where TThreads : struct, IRingThreads
    {
        internal static uint LookForFree(in RingLines ring, uint max, out RingTail tail) =>
            TThreads.LookForFree(in ring, max, out tail);

        internal static bool TryReserve(in RingLines ring, RingTail tail, uint count) =>
            TThreads.TryReserve(in ring, tail, count);

        internal static void Publish(in RingLines ring, RingTail tail, uint count) =>
            TThreads.Publish(in ring, tail, count);

        internal static bool TryCollect(in RingLines ring, RingTail tail, uint count) =>
            TThreads.TryCollect(in ring, tail, count);

        internal static uint LookForFull(in RingLines ring, uint max, out RingHead head) =>
            TThreads.LookForFull(in ring, max, out head);

        internal static bool TryClaim(in RingLines ring, RingHead head, uint count) =>
            TThreads.TryClaim(in ring, head, count);

        internal static void Retire(in RingLines ring, RingHead head, uint count) =>
            TThreads.Retire(in ring, head, count);
    }
}
