// SPDX-License-Identifier: MIT
using System.Text;
using PerfCache.Frames;
using PerfCache.Remote.Protocol;

namespace PerfCache.Tests.Remote;

/// <summary>What memcached cannot show beside: time, vanished pages, suspension, what is allocated.</summary>
internal sealed class SessionTests
{
    [Test]
    public void ItemsExpireWithTheClock()
    {
        using SessionTalk talk = new();
        Assert.That(talk.Say("set a 0 10 1\r\nx\r\n"), Is.EqualTo("STORED\r\n"));
        talk.Pass(TimeSpan.FromSeconds(9));
        Assert.That(talk.Say("mg a t v\r\n"), Is.EqualTo("VA 1 t1\r\nx\r\n"));
        talk.Pass(TimeSpan.FromSeconds(1));
        Assert.That(talk.Say("get a\r\n"), Is.EqualTo("END\r\n"));
    }

    [Test]
    public void ADateIsATime()
    {
        using SessionTalk talk = new();
        long date = talk.Clock.UnixSeconds + 100;
        talk.Say($"set a 0 {date} 1\r\nx\r\n");
        Assert.That(talk.Say("mg a t\r\n"), Is.EqualTo("HD t100\r\n"));
    }

    [Test]
    public void AFlushInTheFutureComes()
    {
        using SessionTalk talk = new();
        talk.Say("set a 0 0 1\r\nx\r\nflush_all 5\r\n");
        talk.Pass(TimeSpan.FromSeconds(4));
        Assert.That(talk.Say("mg a\r\n"), Is.EqualTo("HD\r\n"));
        talk.Pass(TimeSpan.FromSeconds(1));
        Assert.That(talk.Say("mg a\r\n"), Is.EqualTo("EN\r\n"));
    }

    [Test]
    public void TheIdleTimeIsTold()
    {
        using SessionTalk talk = new();
        talk.Say("set a 0 0 1\r\nx\r\n");
        talk.Pass(TimeSpan.FromSeconds(7));
        Assert.That(talk.Say("mg a l\r\nmg a l\r\n"), Is.EqualTo("HD l7\r\nHD l0\r\n"));
    }

    [Test]
    public void AStaleStoreStaysStale()
    {
        using SessionTalk talk = new();
        string cas = talk.Say("ms a 1 T90 c\r\nx\r\n")[4..].Trim();
        talk.Say("md a I\r\n");
        Assert.That(talk.Say($"ms a 1 I C{cas} T30\r\ny\r\n"), Is.EqualTo("HD\r\n"));
        Assert.That(talk.Say("mg a v t\r\n"), Is.EqualTo("VA 1 t90 X W\r\ny\r\n"), "the expiry is the old one");
    }

    [Test]
    public void AnExplicitCasNumberIsTaken()
    {
        using SessionTalk talk = new();
        Assert.That(talk.Say("ms a 1 E1234 c\r\nx\r\nmg a c\r\n"), Is.EqualTo("HD c1234\r\nHD c1234\r\n"));
    }

    [Test]
    public void ATakenPageIsAMissAndNeverZeros()
    {
        using SessionTalk talk = new();
        string value = new('v', 4096);
        for (int i = 0; i < 100; i++) talk.Say($"set k{i} 0 0 4096\r\n{value}\r\n");
        uint frames = talk.Store.Pages.FrameCount;
        // What the system does when it takes a page: the next read finds zeros.
        for (uint frame = 1; frame <= frames; frame += 2) talk.Store.Pages.Page(new FrameId(frame)).Clear();
        int hits = 0;
        for (int i = 0; i < 100; i++)
        {
            string answer = talk.Say($"get k{i}\r\n");
            if (answer == "END\r\n") continue;
            Assert.That(answer, Is.EqualTo($"VALUE k{i} 0 4096\r\n{value}\r\nEND\r\n"));
            hits++;
        }

        Assert.That(hits, Is.EqualTo(50));
        Assert.That(talk.Store.Items.Statistics.Lost, Is.EqualTo(50));
    }

    [Test]
    public void SuspendedLendingTakesNothingNewAndServesTheOld()
    {
        using SessionTalk talk = new();
        talk.Say("set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\n");
        talk.Store.IsSuspended = true;
        Assert.That(talk.Say("set a 0 0 1\r\n9\r\n"), Is.EqualTo("NOT_STORED\r\n"));
        Assert.That(talk.Say("get a\r\n"), Is.EqualTo("END\r\n"), "the older value must not be taken for the new one");
        Assert.That(talk.Say("ms c 1\r\n9\r\n"), Is.EqualTo("NS\r\n"));
        Assert.That(talk.Say("mg d N30\r\n"), Is.EqualTo("EN\r\n"));
        Assert.That(talk.Say("append b 0 0 1\r\n9\r\n"), Is.EqualTo("NOT_STORED\r\n"));
        Assert.That(talk.Say("get b\r\n"), Is.EqualTo("VALUE b 0 1\r\n2\r\nEND\r\n"));
        talk.Store.IsSuspended = false;
        Assert.That(talk.Say("set a 0 0 1\r\n9\r\n"), Is.EqualTo("STORED\r\n"));
    }

    [Test]
    public void RefusedInputIsSkipped()
    {
        using SessionTalk talk = new();
        talk.Say("set a 0 0 5\r\nfirst\r\n");
        Assert.That(talk.Say("set a 0 0 9\r\nseco"), Is.Empty);
        talk.Session.InputRefused = true;
        Assert.That(talk.Say("n"), Is.EqualTo("SERVER_ERROR out of memory storing object\r\n"));
        Assert.That(talk.Say("dary\r\nget a\r\n"), Is.EqualTo("END\r\n"));
    }

    [Test]
    public void GetsAndSetsAllocateNothing()
    {
        using SessionTalk talk = new();
        using ReplyBuffer reply = new(64 * 1024);
        byte[] input = Encoding.ASCII.GetBytes(
            $"ms key-1 4096\r\n{new string('v', 4096)}\r\nmg key-1 v k t Oabc\r\nget key-1\r\nset key-2 0 0 2\r\nhi\r\nincr n 1\r\n");
        for (int i = 0; i < 200; i++) Once(talk, reply, input);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 200; i++) Once(talk, reply, input);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static void Once(SessionTalk talk, ReplyBuffer reply, byte[] input)
    {
        reply.Clear();
        talk.Session.Process(input, reply, out int consumed);
        if (consumed != input.Length) Assert.Fail("not all input was consumed");
    }

    [TestCase("12", true, 12UL)]
    [TestCase(" +7 x", true, 7UL)]
    [TestCase("18446744073709551615", true, ulong.MaxValue)]
    [TestCase("18446744073709551616", false, 0UL)]
    [TestCase("-1", false, 0UL)]
    [TestCase("", false, 0UL)]
    [TestCase("1a", false, 0UL)]
    [TestCase("-", false, 0UL)]
    public void NumbersAreReadAsTheCLibraryReadsThem(string text, bool expected, ulong value)
    {
        Assert.That(TextNumber.TryParse(Encoding.ASCII.GetBytes(text), out ulong read), Is.EqualTo(expected));
        Assert.That(read, Is.EqualTo(value));
    }
}
