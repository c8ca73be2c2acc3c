// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Reflection;
using PerfCache.Remote.Borrowing;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>Goal: a borrower knows its own page, and nothing else, again.</summary>
[TestFixture]
public sealed class PageFingerprintTests
{
    // Computed by another way: big integers, from the definition.
    [Test]
    public void ItIsTheSumAndThePolynomialThatItSays([Values(1, 2, 16)] int blocks)
    {
        byte[] page = Noise(blocks * PageFingerprint.BlockBytes, 5);
        PageFingerprint fingerprint = new();
        ulong[] key = Field<ulong[]>(fingerprint, "_key");
        BigInteger point = Field<ulong>(fingerprint, "_point"), prime = (BigInteger.One << 61) - 1, value = 1;
        for (int block = 0; block < blocks; block++)
        {
            BigInteger sum = 0;
            for (int i = 0; i < key.Length; i += 2)
            {
                int at = (block * PageFingerprint.BlockBytes) + (i * 8);
                sum += (BigInteger)unchecked(BitConverter.ToUInt64(page, at) + key[i])
                    * unchecked(BitConverter.ToUInt64(page, at + 8) + key[i + 1]);
            }

            sum %= BigInteger.One << 128;
            for (int digit = 0; digit < 3; digit++)
                value = ((value * point) + ((sum >> (60 * digit)) % (BigInteger.One << 60))) % prime;
        }

        Assert.That((BigInteger)fingerprint.Of(page), Is.EqualTo(value));
    }

    [Test]
    public void EveryBitOfThePageMattersAndTwoBorrowersDisagree()
    {
        byte[] page = Noise(4096, 6);
        PageFingerprint fingerprint = new(), other = new();
        ulong whole = fingerprint.Of(page);
        Assert.That(other.Of(page), Is.Not.EqualTo(whole));
        HashSet<ulong> seen = [whole];
        for (int bit = 0; bit < page.Length * 8; bit += 3)
        {
            page[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.That(seen.Add(fingerprint.Of(page)), $"bit {bit}");
            page[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.That(fingerprint.Of(page), Is.EqualTo(whole));
    }

    [Test]
    public void ASealedPageOpensUnderItsOwnNameOnlyAndCannotBeRead()
    {
        byte[] page = Noise(4096, 7), key = Noise(PageSeal.KeyBytes, 8), opened = new byte[page.Length];
        byte[] value = [.. page, .. new byte[PageSeal.ExtraBytes]];
        using PageSeal seal = new(key), other = new(key);
        RemotePageKey name = new(1, 2, 3);
        ulong known = seal.Seal(value, name, count: 99);
        Assert.That(value.AsSpan(0, page.Length).SequenceEqual(page), Is.False);
        Assert.That(other.TryOpen(value, name, known, opened));
        Assert.That(opened, Is.EqualTo(page));
        foreach (RemotePageKey wrong in (RemotePageKey[])[new(2, 2, 3), new(1, 3, 3), new(1, 2, 4)])
            Assert.That(seal.TryOpen(value, wrong, known, opened), Is.False, wrong.ToString());
        Assert.That(seal.TryOpen(value, name, known + 1, opened), Is.False, "an older version of the page");
        for (int at = 0; at < value.Length; at += 97)
        {
            value[at] ^= 1;
            Assert.That(seal.TryOpen(value, name, known, opened), Is.False, $"byte {at}");
            value[at] ^= 1;
        }

        byte[] again = [.. page, .. new byte[PageSeal.ExtraBytes]];
        Assert.That(seal.Seal(again, name, count: 100), Is.Not.EqualTo(known));
        Assert.That(again, Is.Not.EqualTo(value));
    }

    internal static byte[] Noise(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static T Field<T>(object from, string name) =>
        (T)from.GetType().GetField(name, BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(from)!;
}
