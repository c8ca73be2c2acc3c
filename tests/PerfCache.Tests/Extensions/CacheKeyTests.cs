// SPDX-License-Identifier: MIT
using System.Text;
using PerfCache.Extensions;
using static PerfCache.Tests.Extensions.TestCache;

namespace PerfCache.Tests.Extensions;

/// <summary>Goal: any string is a key of its own. Method: the strings that an encoding could confuse.</summary>
[TestFixture]
public sealed class CacheKeyTests
{
    [Test]
    public void StringsThatAnEncodingCouldConfuseAreKeysOfTheirOwn()
    {
        string longest = new('k', 250);
        string[] keys =
        [
            "", "\0", "a", "\uD800", "\uD801", "\uDC00", "\uFFFD", "a\uD800", "a\uD801", "a\uFFFD",
            longest, longest + "k", longest + "l", longest[..217], new string('ä', 125), new string('ä', 126),
            new string('€', 84), string.Concat(Enumerable.Repeat("😀", 63)), string.Concat(Enumerable.Repeat("😀", 62)) + "\uD83D",
            new string('k', 5000), new string('k', 5001),
        ];
        using TestCache test = new();
        for (int i = 0; i < keys.Length; i++) test.Set(keys[i], Value(i, 20 + i));
        for (int i = 0; i < keys.Length; i++) Assert.That(test.Cache.Get(keys[i]), Is.EqualTo(Value(i, 20 + i)), $"key {i}");
        Assert.That(test.Cache.Statistics.Items, Is.EqualTo(keys.Length));
    }

    [TestCase(1, ExpectedResult = 1)]
    [TestCase(250, ExpectedResult = 250)]
    [TestCase(251, ExpectedResult = 250)]
    [TestCase(100_000, ExpectedResult = 250)]
    public int ALongKeyHasAsManyBytesAsTheStoreTakes(int length)
    {
        byte[] bytes = new byte[CacheKey.BytesMax];
        int written = CacheKey.Write(new string('k', length), bytes);
        Assert.That(Encoding.ASCII.GetString(bytes, 0, Math.Min(length, 217)), Is.EqualTo(new string('k', Math.Min(length, 217))));
        return written;
    }

    [Test]
    public void APrefixFindsLongKeysTooAsFarAsItMayReach()
    {
        // Method: the last character of the kept beginning is one of four bytes that does not fit, at each place.
        using TestCache test = new();
        string prefix = new('p', CacheKey.PrefixBytesMax);
        for (int more = 0; more < 4; more++) test.Set(prefix + new string('x', more) + "😀" + new string('y', 100), [1]);
        test.Set(prefix[1..] + "q", [2]);
        Assert.That(test.Cache.RemoveByPrefix(prefix), Is.EqualTo(4));
        Assert.That(test.Cache.Statistics.Items, Is.EqualTo(1));
    }

    [Test]
    public void APrefixThatNobodyCanAnswerForIsRefused()
    {
        using TestCache test = new();
        Assert.That(
            () => test.Cache.RemoveByPrefix(new string('p', 215)),
            Throws.ArgumentException.With.Message.Contains("at most 214 bytes"));
        Assert.That(
            () => test.Cache.RemoveByPrefix("p\uD800"), Throws.ArgumentException.With.Message.Contains("well-formed"));
        Assert.That(() => test.Cache.Get(null!), Throws.ArgumentNullException);
    }
}
