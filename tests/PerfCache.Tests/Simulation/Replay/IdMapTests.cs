// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>The id map against a dictionary, over the shapes of ids that traces have.</summary>
public sealed class IdMapTests
{
    private static readonly string[] s_shapes = ["dense", "stride", "high bits", "sparse", "hashed", "extremes"];

    private static ulong IdOf(string shape, ulong n) => shape switch
    {
        "dense" => n,
        "stride" => n * 4096,
        "high bits" => n << 44,
        "sparse" => (1UL << 40) + (n * 0x1_0001_0001),
        "hashed" => (n + 1) * 0xD6E8FEB86659FD93,
        "extremes" => n % 2 == 0 ? ulong.MaxValue - n : n,
        _ => throw new ArgumentException(shape),
    };

    [Test]
    public void Numbers_match_a_dictionary_and_find_their_pages_again(
        [ValueSource(nameof(s_shapes))] string shape, [Values] PageNumbering numbering, [Values] bool hasFiles)
    {
        Random random = new(20_260_101);
        using IdMap map = new(numbering, hasFiles);
        Dictionary<(int, ulong), uint> keys = [];
        HashSet<(int, ulong)> pages = [];
        int shift = numbering == PageNumbering.PerLeaf ? 6 : 0;
        for (int block = 0; block < 40; block++)
        {
            int length = random.Next(1, 3000);
            ulong[] ids = new ulong[length];
            int[] files = new int[length];
            uint[] numbers = new uint[length];
            for (int i = 0; i < length; i++)
            {
                ids[i] = IdOf(shape, (ulong)random.Next(1, 20_000));
                files[i] = hasFiles ? random.Next(-1, 4) : 0;
            }

            map.Map(ids, hasFiles ? files : [], numbers);
            for (int i = 0; i < length; i++)
            {
                (int, ulong) key = (files[i], ids[i] >> shift);
                if (!keys.TryGetValue(key, out uint number)) keys.Add(key, number = (uint)keys.Count);
                uint expected = (number << shift) | (uint)(ids[i] & ((1UL << shift) - 1));
                if (numbers[i] != expected) Assert.Fail($"block {block}, {i}: {numbers[i]}, expected {expected}");
                if (map.PageOf(numbers[i]) != (files[i], ids[i])) Assert.Fail($"block {block}, {i}: wrong way back");
                pages.Add((files[i], ids[i]));
            }

            Assert.That((map.Count, map.Pages), Is.EqualTo((keys.Count, pages.Count)));
        }
    }

    /// <summary>
    /// Compact ids are numbered by an array; a far one ends that, whether it comes alone, at a block's start or in the
    /// middle of one, and numbers given before stay. Bytes stay within the bound all the way.
    /// </summary>
    [Test]
    public void AnArrayOfCompactIdsGivesWayToAFarOne(
        [Values] PageNumbering numbering, [Values(0, 700, 999)] int place, [Values] bool isNear)
    {
        const int Compact = 100_000;
        Random random = TestSeed.Random(place);
        using IdMap map = new(numbering, hasFiles: false);
        Dictionary<ulong, uint> numbers = [];
        for (int block = 0; block < 600; block++)
        {
            ulong[] ids = new ulong[1000];
            for (int i = 0; i < ids.Length; i++) ids[i] = (ulong)random.Next(Compact) * 3;
            // A near one only makes the array longer.
            if (block == 500) ids[place] = isNear ? Compact * 3UL + 64 : ulong.MaxValue - 5;
            uint[] found = new uint[ids.Length];
            map.Map(ids, default, found);
            for (int i = 0; i < ids.Length; i++)
            {
                if (!numbers.TryGetValue(ids[i], out uint number)) numbers.Add(ids[i], number = found[i]);
                if (found[i] != number || map.PageOf(number) != (0, ids[i])) Assert.Fail($"block {block}, {i}: {found[i]}");
            }

            Assert.That(map.Pages, Is.EqualTo(numbers.Count));
            Assert.That(map.Bytes, Is.LessThanOrEqualTo((32 * map.Count) + (4 * 4096)), $"block {block}");
        }

        Assert.That(numbers.Values.Distinct().Count(), Is.EqualTo(numbers.Count));
    }

    /// <summary>
    /// Random files never meet: their hashes differ where the table looks. These two were searched for.
    /// </summary>
    [Test]
    public void Files_whose_hashes_look_alike_stay_apart()
    {
        // The smallest table uses bits 57 to 63 of a hash as the slot and keeps bits 7 to 31 as the tag.
        const ulong Id = 5;
        Dictionary<ulong, int> seen = [];
        for (int file = 0; file < 1_000_000; file++)
        {
            ulong hash = IdMap.Hash(Id, file);
            ulong looksLike = (hash >> 57 << 32) | ((uint)hash & ~127u);
            if (seen.TryAdd(looksLike, file)) continue;
            using IdMap map = new(PageNumbering.Dense, true);
            uint[] numbers = new uint[4];
            int[] files = [seen[looksLike], file];
            map.Map([Id, Id], files, numbers);
            map.Map([Id, Id], files, numbers.AsSpan(2));
            Assert.That(numbers, Is.EqualTo(new uint[] { 0, 1, 0, 1 }), $"files {files[0]} and {file}");
            return;
        }

        Assert.Fail("no two files look alike; has the hash changed?");
    }

    [Test]
    public void All_memory_is_given_back([Values] PageNumbering numbering, [Values] bool hasFiles)
    {
        MemoryMeter meter = new();
        using (IdMap map = new(numbering, hasFiles, 1 << 20, meter))
        {
            ulong[] ids = [.. Enumerable.Range(0, 50_000).Select(n => IdOf("hashed", (ulong)n))];
            map.Map(ids, hasFiles ? new int[ids.Length] : [], new uint[ids.Length]);
            Assert.That(map.Bytes, Is.EqualTo(meter.OutstandingBytes));
        }

        Assert.That(meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void A_map_that_cannot_grow_says_so_and_leaks_nothing([Range(0, 200, 20)] int limitKiB)
    {
        MemoryMeter meter = new(limitKiB * 1024L);
        ulong[] ids = [.. Enumerable.Range(0, 50_000).Select(n => IdOf("hashed", (ulong)n))];
        Assert.That(() =>
        {
            using IdMap map = new(PageNumbering.PerLeaf, true, 1 << 20, meter);
            map.Map(ids, new int[ids.Length], new uint[ids.Length]);
        }, Throws.TypeOf<NativeMemoryException>().With.Message.StartsWith("id map "));
        Assert.That(meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void Bytes_stay_within_32_a_distinct_key_at_every_size(
        [Values] PageNumbering numbering, [Values] bool hasFiles)
    {
        using IdMap map = new(numbering, hasFiles);
        uint[] number = new uint[1];
        int[] file = [1];
        for (long n = 1; n <= 300_000; n++)
        {
            map.Map([IdOf("hashed", (ulong)n)], hasFiles ? file : [], number);
            if (map.Bytes > (32 * n) + (4 * Environment.SystemPageSize)) Assert.Fail($"{map.Bytes} bytes for {n} keys");
        }

        Assert.That(map.Count, Is.GreaterThan(299_000), "the ids must be spread over leaves for this test");
        Assert.That(map.Bytes, Is.GreaterThan(12 * map.Count), "no counted byte may be missing");
    }

    [Test]
    public void Distinct_pages_are_counted_again_after_a_restart([Values] PageNumbering numbering)
    {
        using IdMap map = new(numbering, false);
        uint[] numbers = new uint[4];
        map.Map([7, 8, 700, 7], [], numbers);
        Assert.That(map.Pages, Is.EqualTo(3));
        map.RestartCounting();
        map.Map([7, 8], [], numbers);
        Assert.That(map.Pages, Is.EqualTo(2));
    }

    [TestCase(PageNumbering.Dense, "more than 3 distinct pages, the most that can be numbered; give --limit")]
    [TestCase(PageNumbering.PerLeaf, "more than 3 distinct runs of 64 pages, the most that the linux-* policies can "
        + "number; give --limit, or policies without linux-*")]
    public void A_full_map_says_what_to_do(PageNumbering numbering, string message)
    {
        using IdMap map = new(numbering, false, countMax: 3, new MemoryMeter());
        uint[] numbers = new uint[5];
        map.Map([1 << 10, 2 << 10, 3 << 10, 1 << 10], [], numbers);
        Assert.That(() => map.Map([4 << 10], [], numbers), Throws.TypeOf<OverflowException>().With.Message.EqualTo(message));
    }
}
