// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;

namespace PerfCache.Tests.Core.Index;

/// <summary>Goal: a shadow keeps list, mark and age, and distances survive the wrap of the age and its bucketing.</summary>
[TestFixture]
public sealed class ShadowFormatTests
{
    [TestCase(0, 100UL)]
    [TestCase(10, 100UL)]
    [TestCase(16, 1_000_000UL)]
    public void RoundTrips(int listBits, ulong frames)
    {
        ShadowFormat format = new(listBits, frames);
        uint listMax = (1u << listBits) - 1;
        foreach (uint list in new[] { 0u, listMax / 2, listMax })
        {
            foreach (bool workingset in new[] { false, true })
            {
                ShadowEntry shadow = format.Pack(1234567, list, workingset);
                Assert.That(shadow.IsNone, Is.False);
                Assert.That(format.List(shadow), Is.EqualTo(list));
                Assert.That(shadow.WasWorkingset, Is.EqualTo(workingset));
            }
        }
    }

    [Test]
    public void OneListHas29BitsOfAgeAndNoBuckets()
    {
        ShadowFormat format = new(0, 1UL << 29);
        Assert.That((format.AgeBits, format.BucketShift), Is.EqualTo((29, 0)));
    }

    [TestCase(0, 1UL << 20, 0UL)]
    [TestCase(0, 1UL << 20, (1UL << 29) - 2)]
    [TestCase(0, 1UL << 20, (1UL << 40) - 1)]
    [TestCase(16, 1UL << 13, 8191UL)]
    public void DistancesAreExactAcrossTheWrap(int listBits, ulong frames, ulong age)
    {
        ShadowFormat format = new(listBits, frames);
        Assert.That(format.BucketShift, Is.Zero);
        ShadowEntry shadow = format.Pack(age, 0, false);
        ulong turn = 1UL << format.AgeBits;
        foreach (ulong distance in new[] { 0UL, 1UL, 5UL, turn / 2, turn - 1 })
            Assert.That(format.Distance(shadow, age + distance), Is.EqualTo(distance));
        Assert.That(format.Distance(shadow, age + turn), Is.Zero, "a whole turn cannot be told from none");
    }

    [Test]
    public void ManyListsCountAgesInBucketsThatSpanTheCache()
    {
        const ulong Frames = 1UL << 20;
        ShadowFormat format = new(listBits: 16, Frames);
        ulong bucket = 1UL << format.BucketShift;
        Assert.That(format.AgeBits + format.BucketShift, Is.GreaterThanOrEqualTo(20));
        for (ulong age = 0; age < 5 * Frames; age += 77_777)
        {
            ShadowEntry shadow = format.Pack(age, 3, true);
            for (ulong distance = 0; distance < Frames - bucket; distance += 33_333)
            {
                ulong measured = format.Distance(shadow, age + distance);
                Assert.That(measured, Is.InRange(distance > bucket ? distance - bucket : 0, distance + bucket));
            }
        }
    }

    /// <summary>The words as the format's picture draws them: tag, mark, list, age from the lowest bit up.</summary>
    [TestCase(0, 0UL, 0u, false, 0b10u)]
    [TestCase(0, 0UL, 0u, true, 0b110u)]
    [TestCase(0, 5UL, 0u, true, (5u << 3) | 0b110)]
    [TestCase(0, 5UL, 9u, true, (5u << 3) | 0b110)]
    [TestCase(4, 5UL, 9u, false, (5u << 7) | (9u << 3) | 0b10)]
    [TestCase(4, (1UL << 25) + 5, 0x39u, false, (5u << 7) | (9u << 3) | 0b10)]
    [TestCase(16, 0x1FFFUL, 0xFFFFu, true, uint.MaxValue - 1)]
    public void TheWordIsLaidOutAsDrawn(int listBits, ulong age, uint list, bool workingset, uint word)
    {
        ShadowFormat format = new(listBits, 1000);
        Assert.That((format.ListBits, format.AgeBits, format.BucketShift), Is.EqualTo((listBits, 29 - listBits, 0)));
        ShadowEntry shadow = format.Pack(age, list, workingset);
        Assert.That(shadow.Packed, Is.EqualTo(word));
        Assert.That(shadow.WasWorkingset, Is.EqualTo(workingset));
        Assert.That(ShadowFormat.ListOf(shadow, listBits), Is.EqualTo(format.List(shadow)));
    }

    /// <summary>A bucket is as small as it can be for ages to tell all frames of the cache apart.</summary>
    [TestCase(0UL, 0)]
    [TestCase(1UL, 0)]
    [TestCase(1UL << 13, 0)]
    [TestCase((1UL << 13) + 1, 1)]
    [TestCase(1UL << 14, 1)]
    [TestCase((1UL << 14) + 1, 2)]
    [TestCase(1UL << 30, 17)]
    public void BucketsAreAsSmallAsTheCacheAllows(ulong frames, int shift) =>
        Assert.That(new ShadowFormat(ShadowFormat.ListBitsMax, frames).BucketShift, Is.EqualTo(shift));

    [Test]
    public void ListBitsHaveBounds()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _ = new ShadowFormat(-1, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ = new ShadowFormat(ShadowFormat.ListBitsMax + 1, 1));
    }

    /// <summary>A batch packs what single evictions pack.</summary>
    [TestCase(0, 1000UL)]
    [TestCase(7, 1000UL)]
    [TestCase(16, 1UL << 20)]
    public void ABatchPacksTheSameWords(int listBits, ulong frames)
    {
        Random random = TestSeed.Random(71);
        ShadowFormat format = new(listBits, frames);
        for (int round = 0; round < 1000; round++)
        {
            uint list = (uint)random.Next(1 << 17);
            ulong age = (ulong)random.NextInt64(1L << random.Next(1, 50));
            FrameState state = new((ulong)random.NextInt64());
            ShadowEntry expected = format.Pack(age, list, state.Has(FrameState.Workingset));
            Assert.That(format.PackerFor(list).Pack(age, state), Is.EqualTo(expected), $"age {age}, list {list}");
        }
    }

    [Test]
    public void AShadowOfAGhostIsItsRow()
    {
        foreach (uint row in new[] { 1u, 2u, 1000u, FrameId.CountMax })
        {
            ShadowEntry shadow = ShadowEntry.ForGhost(new FrameId(row));
            Assert.That((shadow.Ghost.Value, shadow.IsNone), Is.EqualTo((row, false)));
            Assert.That(new SlotEntry(shadow.Packed).IsShadow, Is.True);
        }

        Assert.That((ShadowEntry.None.IsNone, ShadowEntry.None.Ghost), Is.EqualTo((true, FrameId.None)));
    }
}
