// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Curves;

namespace PerfCache.Tests.Simulation.Curves;

/// <summary>Goal: the fast filter picks what its hash says, and its hash is fair to every kind of id.</summary>
[TestFixture]
public sealed class SpatialFilterTests
{
    [Test]
    public void Vectors_pick_what_the_hash_of_each_id_says([Values(0.001, 0.01, 0.3, 1.0)] double rate)
    {
        Random random = TestSeed.Random(74);
        foreach (int length in new[] { 0, 1, 7, 8, 9, 64, 1003 })
        {
            SpatialFilter filter = new(rate, (ulong)random.NextInt64());
            ulong[] ids = [.. Enumerable.Range(0, length).Select(_ => (ulong)random.NextInt64() << random.Next(20))];
            ulong[] picked = new ulong[length];
            int count = filter.Pick(ids, picked);
            Assert.That(picked.Take(count), Is.EqualTo(ids.Where(id => filter.Hash(id, 0) <= filter.HashMax)));
            if (rate == 1) Assert.That(count, Is.EqualTo(length));
        }
    }

    [Test]
    public void Files_are_part_of_the_page_and_file_0_is_as_good_as_none()
    {
        SpatialFilter filter = new(0.1, 5);
        ulong[] ids = [.. Enumerable.Range(0, 20_000).Select(i => (ulong)i)];
        ulong[] picked = new ulong[ids.Length], others = new ulong[ids.Length];
        int[] files = new int[ids.Length], pickedFiles = new int[ids.Length];
        int count = filter.Pick(ids, picked);
        Assert.That(filter.Pick(ids, files, others, pickedFiles), Is.EqualTo(count));
        Assert.That(others.Take(count), Is.EqualTo(picked.Take(count)));
        Array.Fill(files, 3);
        int inFile = filter.Pick(ids, files, others, pickedFiles);
        Assert.That(others.Take(inFile), Is.Not.EqualTo(picked.Take(count)), "the pages of file 3 are others");
        Assert.That(pickedFiles.Take(inFile), Is.All.EqualTo(3));
    }

    // A fair filter picks a binomial number: 100,000 ids at 0.01 give 1,000 with a standard deviation of 31.5, and five
    // of these are allowed. Strides, high bits and products are what traces have.
    [TestCase(1UL, TestName = "Sequential_ids_are_picked_at_the_rate")]
    [TestCase(8UL, TestName = "Sectors_of_pages_are_picked_at_the_rate")]
    [TestCase(4096UL, TestName = "Aligned_addresses_are_picked_at_the_rate")]
    [TestCase(1UL << 32, TestName = "Ids_that_differ_in_the_high_half_are_picked_at_the_rate")]
    [TestCase(0x1_0000_0001UL, TestName = "Ids_with_equal_halves_are_picked_at_the_rate")]
    [TestCase(0x9E3779B97F4A7C15UL, TestName = "Ids_that_are_hashes_already_are_picked_at_the_rate")]
    public void Ids_are_picked_at_the_rate(ulong stride)
    {
        ulong[] ids = [.. Enumerable.Range(0, 100_000).Select(i => (ulong)i * stride)];
        ulong[] picked = new ulong[ids.Length];
        for (ulong seed = 0; seed < 20; seed++)
        {
            int count = new SpatialFilter(0.01, seed).Pick(ids, picked);
            Assert.That(count, Is.EqualTo(1000).Within(5 * 31.5), $"seed {seed}");
        }
    }

    [Test]
    public void Another_seed_is_another_sample_and_the_same_seed_the_same()
    {
        ulong[] ids = [.. Enumerable.Range(0, 100_000).Select(i => (ulong)i)];
        HashSet<ulong> Sample(ulong seed)
        {
            ulong[] picked = new ulong[ids.Length];
            return [.. picked.Take(new SpatialFilter(0.01, seed).Pick(ids, picked))];
        }

        HashSet<ulong> first = Sample(1);
        HashSet<ulong> again = Sample(1);
        Assert.That(again, Is.EquivalentTo(first));
        Assert.That(first.Intersect(Sample(2)).Count(), Is.LessThan(40), "about 1000 x 0.01 pages are in both");
    }
}
