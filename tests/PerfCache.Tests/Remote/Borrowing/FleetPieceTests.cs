// SPDX-License-Identifier: MIT
using System.Text;
using System.Text.RegularExpressions;
using PerfCache.Memory;
using PerfCache.Remote.Borrowing;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>The parts of a fleet that need no server.</summary>
internal sealed class FleetPieceTests
{
    [TestCase("127.0.0.1:5", ExpectedResult = "127.0.0.1:5")]
    [TestCase("tcp:127.0.0.1", ExpectedResult = "127.0.0.1:11211")]
    [TestCase("cache-1.example.org:7", ExpectedResult = "cache-1.example.org:7")]
    [TestCase("[::1]:7", ExpectedResult = "[::1]:7")]
    [TestCase("::1", ExpectedResult = "[::1]:11211")]
    [TestCase("tls:cache.example.org", ExpectedResult = "tls:cache.example.org:11211")]
    [TestCase("tls:ann:se:cr@t@[::1]:9", ExpectedResult = "tls:ann@[::1]:9")]
    [TestCase("unix:/run/x", ExpectedResult = "unix:/run/x")]
    [TestCase("unix:/run/a@b", ExpectedResult = "unix:/run/a@b")]
    [TestCase("unix:ann:secret@/run/x", ExpectedResult = "unix:ann@/run/x")]
    public string AnAddressIsReadAndWrittenWithoutItsPassword(string text) => ServerAddress.Parse(text).ToString();

    [TestCase("")]
    [TestCase("unix:")]
    [TestCase("127.0.0.1:0")]
    [TestCase("127.0.0.1:70000")]
    [TestCase("127.0.0.1:x")]
    [TestCase("1.2.3.4.5:7")]
    [TestCase("a b:7")]
    [TestCase(":7")]
    [TestCase("ann@127.0.0.1")]
    [TestCase("http://example.org")]
    public void AWrongAddressIsRefusedInOneLine(string text) =>
        Assert.That(() => ServerAddress.Parse(text), Throws.TypeOf<FormatException>().With.Message.Not.Contains("\n"));

    [Test]
    public void ARefusalShowsNoPassword()
    {
        foreach (string text in new[] { "ann:secret@127.0.0.1:x", "tls:ann:sec ret@127.0.0.1:7", "ann:@127.0.0.1:7", "unix:a:secret@" })
        {
            Assert.That(
                () => ServerAddress.Parse(text), Throws.TypeOf<FormatException>().With.Message.Not.Contains("ret"), text);
        }
    }

    [Test]
    public void KeysAreDifferentForWhateverDiffersAndFitMemcached()
    {
        WireKey first = WireKey.New();
        WireKey second = WireKey.New();
        byte[] bytes = new byte[WireKey.Length];
        string Text(WireKey keys, int epoch, RemotePageKey key)
        {
            keys.Write(bytes, epoch, key);
            return Encoding.ASCII.GetString(bytes);
        }

        RemotePageKey low = new(0, 0, 0);
        string[] all =
        [
            Text(first, 0, low), Text(second, 0, low), Text(first, 1, low), Text(first, WireKey.EpochMask, low),
            Text(first, 0, low with { ObjectId = 1 }), Text(first, 0, low with { ObjectId = ulong.MaxValue }),
            Text(first, 0, low with { Page = 1 }), Text(first, 0, low with { Page = 1UL << 63 }),
            Text(first, 0, low with { Generation = 1 }), Text(first, 0, low with { Generation = uint.MaxValue }),
        ];
        Assert.That(all, Is.Unique);
        Assert.That(all.Select(key => Regex.IsMatch(key, "^[A-Za-z0-9_-]{54}$")), Has.All.True);
        Assert.That(WireKey.Length, Is.LessThanOrEqualTo(64));
    }

    [Test]
    public void TheDeadlineFollowsTheP99BothWays()
    {
        LatencyWindow window = new(TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(20));
        Assert.That(window.Deadline.TotalMilliseconds, Is.EqualTo(20), "nothing is known yet");
        for (int i = 0; i < 2000; i++) window.Answered(TimeSpan.FromMicroseconds(100));
        Assert.That(window.P99.TotalMicroseconds, Is.InRange(100, 113));
        Assert.That(window.Deadline.TotalMilliseconds, Is.EqualTo(1), "never below the least");
        for (int i = 0; i < 2000; i++) window.Answered(TimeSpan.FromMilliseconds(i % 50 == 0 ? 4 : 0.1));
        Assert.That(window.P99.TotalMilliseconds, Is.InRange(4, 4.6), "two of a hundred are slow");
        Assert.That(window.Deadline.TotalMilliseconds, Is.InRange(8, 9.2));
        for (int i = 0; i < 20_000; i++) window.Answered(TimeSpan.FromMicroseconds(100));
        Assert.That(window.Deadline.TotalMilliseconds, Is.EqualTo(1), "what is long ago fades");
        // A server has become slower than the deadline: every get is given up, and the deadline must find its way up.
        for (int i = 0; i < 4000 && window.Deadline.TotalMilliseconds < 5; i++) window.GivenUp(window.Deadline);
        Assert.That(window.Deadline.TotalMilliseconds, Is.GreaterThanOrEqualTo(5));
    }

    [Test]
    public void TheRingSendsWhatWasPutInOrderAndLosesNothing()
    {
        // Method: a reader takes bytes in pieces of all sizes and frees at random; what came out must be what went in.
        Random random = TestSeed.Random(11);
        WireKey keys = WireKey.New();
        SendRing ring = new(7, 300);
        List<byte> expected = [];
        List<byte> sent = [];
        byte[] line = new byte[MetaRequest.SetBytes];
        uint number = 0;
        for (int step = 0; step < 20_000; step++)
        {
            byte[] value = new byte[random.Next(4) == 0 ? random.Next(300) : 300];
            random.NextBytes(value);
            RemotePageKey key = new(1, number, 2);
            if (random.Next(2) == 0 && ring.TryAdd(keys, 0, key, value))
            {
                MetaRequest.WriteSet(line, keys, 0, key, value.Length, number++);
                expected.AddRange([.. line, .. value, .. "\r\n"u8]);
            }

            ReadOnlySpan<byte> next = ring.NextBytes(0, 1000);
            int taken = Math.Min(next.Length, random.Next(800));
            sent.AddRange(next[..taken]);
            ring.Advance(taken);
            if (ring.HasUnanswered && random.Next(2) == 0)
                Assert.That(ring.FreeOldest().Page, Is.EqualTo((ulong)ring.Freed - 1));
            ring.Validate();
            Assert.That(ring.Used, Is.InRange(0, 7));
        }

        for (ReadOnlySpan<byte> next; !(next = ring.NextBytes(0, 1000)).IsEmpty; ring.Advance(next.Length)) sent.AddRange(next);
        Assert.That(number, Is.GreaterThan(5000));
        Assert.That(sent.SequenceEqual(expected), Is.True);
        while (ring.Used > 0) ring.FreeOldest();
        Assert.That(() => ring.FreeOldest(), Throws.TypeOf<InvariantException>(), "what is free is not freed again");
    }

    [Test]
    public void ManyThreadsFillTheRingAndEachSlotIsSeenOnce()
    {
        WireKey keys = WireKey.New();
        SendRing ring = new(64, 64);
        const int PerThread = 20_000;
        int dropped = 0;
        HashSet<ulong> seen = [];
        Thread[] threads = [.. Enumerable.Range(0, 3).Select(thread => new Thread(() =>
        {
            byte[] value = new byte[64];
            for (int i = 0; i < PerThread; i++)
            {
                ulong page = ((ulong)thread << 32) + (ulong)i;
                if (!ring.TryAdd(keys, 0, new RemotePageKey(1, page, 0), value)) Interlocked.Increment(ref dropped);
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        while (threads.Any(thread => thread.IsAlive) || ring.Used > 0)
        {
            ring.Advance(ring.NextBytes(0, 4096).Length);
            while (ring.HasUnanswered) Assert.That(seen.Add(ring.FreeOldest().Page), Is.True);
        }

        Assert.That(seen.Count + dropped, Is.EqualTo(3 * PerThread));
        ring.Validate();
    }
}
