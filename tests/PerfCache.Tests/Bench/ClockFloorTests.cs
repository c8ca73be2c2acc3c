// SPDX-License-Identifier: MIT
using PerfCache.Benchmarks.Hits;

namespace PerfCache.Tests.Bench;

/// <summary>
/// Goal: the floor that insertions are compared with is a page cache with a clock, and loses no page. Method: the same
/// seeded requests go to it and to a model of lists and dictionaries; keys are few, so that runs of slots are long and
/// wrap around the table's end.
/// </summary>
internal sealed unsafe class ClockFloorTests
{
    private const int PageBytes = 64;

    [TestCase(1u, 4)]
    [TestCase(7u, 30)]
    [TestCase(64u, 100)]
    [TestCase(100u, 5_000)]
    public void ItHoldsWhatTheModelHoldsAfterEachStep(uint frames, int keys)
    {
        Random random = TestSeed.Random(seed: 1);
        using ClockFloor floor = new(frames, PageBytes);
        ClockModel model = new((int)frames);
        for (int step = 0; step < 20_000; step++)
        {
            ulong key = (ulong)random.Next(keys) * 0x1_0000_0001;
            string where = $"step {step}, key {key}";
            byte* found = floor.Find(key);
            Assert.That(found is not null, Is.EqualTo(model.Find(key)), where);
            if (found is not null)
            {
                Assert.That(*(ulong*)found, Is.EqualTo(key), where);
                Assert.That(floor.TryAdd(key) is null, where);
            }
            else if (random.Next(2) == 0)
            {
                *(ulong*)floor.TryAdd(key) = key;
                model.Add(key);
            }

            Assert.That(floor.ResidentCount, Is.EqualTo((uint)model.Count), where);
        }

        for (int key = 0; key < keys; key++)
        {
            ulong spread = (ulong)key * 0x1_0000_0001;
            Assert.That(floor.Find(spread) is not null, Is.EqualTo(model.Find(spread)), $"key {key}");
        }
    }

    /// <summary>A clock over a list of frames, with a dictionary to find them.</summary>
    private sealed class ClockModel(int frames)
    {
        private readonly List<(ulong Key, bool Marked)> _frames = [];
        private readonly Dictionary<ulong, int> _frameOf = [];
        private int _hand = -1;

        internal int Count => _frames.Count;

        internal bool Find(ulong key)
        {
            if (!_frameOf.TryGetValue(key, out int frame)) return false;
            _frames[frame] = (key, true);
            return true;
        }

        internal void Add(ulong key)
        {
            int frame = _frames.Count;
            if (frame < frames) _frames.Add((key, false));
            else _frames[frame = Evict()] = (key, false);
            _frameOf.Add(key, frame);
        }

        private int Evict()
        {
            while (true)
            {
                _hand = (_hand + 1) % frames;
                if (!_frames[_hand].Marked) break;
                _frames[_hand] = (_frames[_hand].Key, false);
            }

            _frameOf.Remove(_frames[_hand].Key);
            return _hand;
        }
    }
}
