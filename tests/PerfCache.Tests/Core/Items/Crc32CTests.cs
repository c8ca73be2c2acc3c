// SPDX-License-Identifier: MIT
using PerfCache.Items;

namespace PerfCache.Tests.Core.Items;

/// <summary>
/// Goal: every way to compute CRC-32C gives the published values, and they all agree. Method: the vectors of RFC 3720,
/// then random lengths, offsets and splits, with the bit-by-bit steps as the judge of all lanes and tables.
/// </summary>
[TestFixture]
public sealed class Crc32CTests
{
    private static readonly TestCaseData[] s_vectors =
    [
        new TestCaseData(new byte[32], 0x8A9136AAu).SetName("32 bytes of zero"),
        new TestCaseData(Enumerable.Repeat((byte)0xFF, 32).ToArray(), 0x62A8AB43u).SetName("32 bytes of ones"),
        new TestCaseData(Enumerable.Range(0, 32).Select(i => (byte)i).ToArray(), 0x46DD794Eu).SetName("ascending"),
        new TestCaseData(Enumerable.Range(0, 32).Select(i => (byte)(31 - i)).ToArray(), 0x113FDB5Cu)
            .SetName("descending"),
        new TestCaseData("123456789"u8.ToArray(), 0xE3069283u).SetName("the check value"),
        new TestCaseData(Array.Empty<byte>(), 0u).SetName("nothing"),
    ];

    [TestCaseSource(nameof(s_vectors))]
    public void PublishedValues(byte[] bytes, uint crc) => Assert.Multiple(() =>
    {
        Assert.That(Crc32C.Compute(bytes), Is.EqualTo(crc));
        Assert.That(Crc32C.AppendScalar(0, bytes), Is.EqualTo(crc));
        Assert.That(Crc32C.AppendBy<PlainCrc32CSteps>(0, bytes), Is.EqualTo(crc));
    });

    [Test]
    public void AllWaysAgreeAtAllLengthsAroundALaneAndAtAnyOffset()
    {
        byte[] bytes = new byte[13_000];
        TestSeed.Random(31).NextBytes(bytes);
        int[] lengths =
            [.. Enumerable.Range(0, 600), .. Enumerable.Range(4070, 40), .. Enumerable.Range(8150, 20), 12_240, 12_900];
        foreach (int length in lengths)
        {
            ReadOnlySpan<byte> some = bytes.AsSpan(length % 9, length);
            uint expected = BitByBit(some);
            Assert.That(Crc32C.Compute(some), Is.EqualTo(expected), $"length {length}");
            Assert.That(Crc32C.AppendScalar(0, some), Is.EqualTo(expected), $"by tables, length {length}");
            Assert.That(Crc32C.AppendBy<PlainCrc32CSteps>(0, some), Is.EqualTo(expected), $"by lanes, length {length}");
        }
    }

    [Test]
    public void AppendingPartsIsTheSameAsTheWhole()
    {
        Random random = TestSeed.Random(32);
        byte[] bytes = new byte[20_000];
        random.NextBytes(bytes);
        for (int round = 0; round < 300; round++)
        {
            int first = random.Next(bytes.Length);
            ReadOnlySpan<byte> rest = bytes.AsSpan(first, random.Next(bytes.Length - first));
            uint whole = Crc32C.Compute(rest);
            uint crc = 0;
            uint scalar = 0;
            while (rest.Length > 0)
            {
                int count = random.Next(1, Math.Min(rest.Length, random.Next(2) == 0 ? 20 : 9000) + 1);
                crc = Crc32C.Append(crc, rest[..count]);
                scalar = Crc32C.AppendScalar(scalar, rest[..count]);
                rest = rest[count..];
            }

            Assert.That((crc, scalar), Is.EqualTo((whole, whole)), $"round {round}");
        }
    }

    [Test]
    public void OneChangedBitAnywhereInAPageIsSeen()
    {
        byte[] page = new byte[4096];
        TestSeed.Random(33).NextBytes(page);
        uint crc = Crc32C.Compute(page);
        for (int bit = 0; bit < page.Length * 8; bit += 7)
        {
            page[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.That(Crc32C.Compute(page), Is.Not.EqualTo(crc), $"bit {bit}");
            page[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    // The definition: shift in one bit at a time, subtract the polynomial when a one falls out.
    private static uint BitByBit(ReadOnlySpan<byte> bytes)
    {
        uint state = uint.MaxValue;
        foreach (byte value in bytes)
        {
            for (int bit = 0; bit < 8; bit++)
            {
                bool one = ((state ^ (uint)(value >> bit)) & 1) != 0;
                state = one ? (state >> 1) ^ 0x82F63B78 : state >> 1;
            }
        }

        return ~state;
    }
}
