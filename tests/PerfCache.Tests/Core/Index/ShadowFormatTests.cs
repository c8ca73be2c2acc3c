// SPDX-License-Identifier: MIT
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
}
