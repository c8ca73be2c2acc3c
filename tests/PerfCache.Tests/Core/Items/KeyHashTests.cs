// SPDX-License-Identifier: MIT
using System.Numerics;
using PerfCache.Items;

namespace PerfCache.Tests.Core.Items;

/// <summary>Goal: keys spread, and without the seed nobody knows how. Method: counts against what chance would give.</summary>
[TestFixture]
public sealed class KeyHashTests
{
    [Test]
    public void EveryBitOfTheKeyTurnsHalfOfTheHash()
    {
        KeyHash hash = new(1);
        Random random = TestSeed.Random(1);
        for (int length = 1; length <= ItemStoreOptions.KeyBytesMax; length++)
        {
            byte[] key = new byte[length];
            long turned = 0;
            long trials = 0;
            for (int round = 0; round < 40; round++)
            {
                random.NextBytes(key);
                ulong before = hash.Of(key);
                int bit = random.Next(length * 8);
                key[bit / 8] ^= (byte)(1 << (bit % 8));
                turned += BitOperations.PopCount(before ^ hash.Of(key));
                trials += 64;
            }

            Assert.That((double)turned / trials, Is.EqualTo(0.5).Within(0.06), $"keys of {length} bytes");
        }
    }

    [TestCase("{0}")]
    [TestCase("user:{0:D12}:profile")]
    [TestCase("{0:X16}{0:X16}{0:X16}")]
    public void NumberedKeysFillBucketsAsChanceDoes(string form)
    {
        KeyHash hash = new(2);
        int[] low = new int[4096];
        int[] high = new int[4096];
        for (int i = 0; i < 4096 * 32; i++)
        {
            ulong full = hash.Of(System.Text.Encoding.ASCII.GetBytes(
                string.Format(System.Globalization.CultureInfo.InvariantCulture, form, i)));
            low[full & 4095]++;
            high[full >> 52]++;
        }

        // Poisson with mean 32: variance 32.
        Assert.That(low.Average(count => (count - 32.0) * (count - 32.0)), Is.EqualTo(32).Within(4));
        Assert.That(high.Average(count => (count - 32.0) * (count - 32.0)), Is.EqualTo(32).Within(4));
    }

    [Test]
    public void KeysOfZerosOfEachLengthDiffer()
    {
        KeyHash hash = new(3);
        Assert.That(
            Enumerable.Range(1, 250).Select(length => hash.Of(new byte[length])).Distinct().Count(), Is.EqualTo(250));
    }

    [Test]
    public void TheSeedDecides()
    {
        byte[] key = "key"u8.ToArray();
        KeyHash again = new(1);
        Assert.That(new KeyHash(1).Of(key), Is.EqualTo(again.Of(key)));
        Assert.That(
            Enumerable.Range(0, 1000).Select(seed => new KeyHash((ulong)seed).Of(key)).Distinct().Count(), Is.EqualTo(1000));
    }
}
