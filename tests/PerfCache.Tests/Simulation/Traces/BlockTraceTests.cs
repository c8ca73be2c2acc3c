// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Traces;

/// <summary>The formats in which a record is a run of blocks: arc, spc, msr and, split, vscsi.</summary>
internal sealed class BlockTraceTests
{
    private static TraceOptions Split(string format, int pageBytes = 4096) =>
        new() { Format = format, Split = true, PageBytes = pageBytes };

    [Test]
    public void AnArcLineIsARequestForEachBlock()
    {
        byte[] trace = TraceBytes.Text("1936993 3 0 0\n5 1 0 1\n9 0 0 2\n\n18446744073709551614 2 0 3\n");
        Assert.That(TraceBytes.Ids(trace, "arc"), Is.EqualTo(new ulong[]
        {
            1936993, 1936994, 1936995, 5, ulong.MaxValue - 1, ulong.MaxValue,
        }));
    }

    [Test]
    public void ArcBlocksOf512BytesSplitIntoPages()
    {
        byte[] trace = TraceBytes.Text("7 1 0 0\n7 2 0 1\n8 8 0 2\n");
        Assert.That(TraceBytes.Ids(trace, Split("arc")), Is.EqualTo(new ulong[] { 0, 0, 1, 1 }));
        Assert.That(TraceBytes.Ids(trace, Split("arc", 512)), Has.Length.EqualTo(11));
    }

    [Test]
    public void AnSpcLineIsARequestForEachPage()
    {
        byte[] trace = TraceBytes.Text("0,20941264,8192,W,0.551706\n1,7,1024,r,12\n1,8,0,R,.5,more\n");
        ITraceSource source = TraceBytes.Source(trace, new TraceOptions { Format = "spc" });
        Assert.That(TraceBytes.Read(source), Is.EqualTo(new Request[]
        {
            new(2617658, 0, Time: 551706, IsWrite: true), new(2617659, 0, Time: 551706, IsWrite: true),
            new(0, 1, Time: 12_000_000), new(1, 1, Time: 12_000_000),
            new(1, 1, Time: 500_000),
        }), "a request of no bytes asks for the page that it points at");
        Assert.That(source.FormatPage(1, 8), Is.EqualTo("1 8"));
    }

    [Test]
    public void AnMsrLineIsARequestForEachPageAndHostsDoNotShareDisks()
    {
        byte[] trace = TraceBytes.Text(
            "Timestamp,Hostname,DiskNumber,Type,Offset,Size,ResponseTime\n" +
            "128166372003061629,usr,0,Read,4095,2,17\n128166372016382155,usr,1,Write,8192,4096,17\n" +
            "128166372016382156,web,1,read,0,1,17\n");
        Assert.That(TraceBytes.Read(trace, "msr"), Is.EqualTo(new Request[]
        {
            new(0, 0, Time: 128166372003061629), new(1, 0, Time: 128166372003061629),
            new(2, 1, Time: 128166372016382155, IsWrite: true),
            new(0, 1025, Time: 128166372016382156),
        }));
    }

    [Test]
    public void PageBytesDecideWhereSpcAndMsrAreCut()
    {
        byte[] trace = TraceBytes.Text("0,0,8192,r,0\n");
        Assert.That(TraceBytes.Ids(trace, new TraceOptions { Format = "spc", PageBytes = 1024 }),
            Has.Length.EqualTo(8));
        Assert.That(TraceBytes.Ids(trace, Split("spc", 1024)), Has.Length.EqualTo(8),
            "splitting is what spc does anyway");
    }

    [Test]
    public void VscsiIdsAreBlocksUnlessSplit()
    {
        byte[] trace = TraceBytes.Join(
            RecordTraceTests.Vscsi1(block: 15, length: 1024, time: 5, command: 0x2a),
            RecordTraceTests.Vscsi1(block: 16, length: 512, time: 6, command: 0x28),
            RecordTraceTests.Vscsi1(block: 24, length: 0, time: 7, command: 0x28));
        Assert.That(TraceBytes.Ids(trace, "vscsi"), Is.EqualTo(new ulong[] { 15, 16, 24 }));
        Assert.That(TraceBytes.Read(trace, Split("vscsi")), Is.EqualTo(new Request[]
        {
            new(1, Time: 5, IsWrite: true), new(2, Time: 5, IsWrite: true), new(2, Time: 6), new(3, Time: 7),
        }));
    }

    [TestCase("5 x 0 0\n", "arc", "line 1 has 'x' where the number of blocks should be")]
    [TestCase("5 1\n6\n", "arc", "line 2 has too few fields ('6'); expected FIRST COUNT ignored NUMBER")]
    [TestCase("0 1152921504606846976 0 0\n", "arc", "line 1 asks for 1152921504606846976 blocks from block 0 on; a line may have 2^32 blocks")]
    [TestCase("18446744073709551615 2 0 0\n", "arc", "and none beyond 18446744073709551615")]
    [TestCase("0,1,512,x,0\n", "spc", "line 1 has the operation 'x' where r or w should be")]
    [TestCase("0,1,512\n", "spc", "line 1 has too few fields ('0,1,512'); expected ASU,LBA,BYTES,r|w,SECONDS")]
    [TestCase("0,-1,512,r,0\n", "spc", "line 1 has the negative LBA -1")]
    [TestCase("0,36028797018963968,512,r,0\n", "spc", "line 1 asks for 512 bytes at byte 18446744073709551616; a request ends before byte 2^64")]
    [TestCase("0,0,18446744073709551615,r,0\n", "spc", "covers at most 2^32 pages")]
    [TestCase("0,0,512,r,1.x\n", "spc", "line 1 has the time '1.x'; expected seconds such as 12.345678")]
    [TestCase("1,h,0,Erase,0,1,1\n", "msr", "line 1 has the operation 'Erase' where Read or Write should be")]
    [TestCase("1,h,0,Read,18446744073709551615,2,1\n", "msr", "a request ends before byte 2^64")]
    [TestCase("1,h,1024,Read,0,1,1\n", "msr", "line 1 has the disk number 1024; disks are numbered from 0 to 1023")]
    [TestCase("1,h,0,Read,5\n", "msr", "line 1 has too few fields")]
    public void WhatIsWrongIsSaidInOneLine(string text, string format, string expected) =>
        Assert.That(TraceBytes.Error(TraceBytes.Text(text), format), Does.Contain(expected));

    [Test]
    public void AVscsiRequestBeyondTheAddressSpaceIsRefused()
    {
        byte[] trace = RecordTraceTests.Vscsi1(block: ulong.MaxValue, length: 512, time: 0, command: 0x28);
        Assert.That(TraceBytes.Error(trace, Split("vscsi")),
            Does.Contain("byte 0: the request of 512 bytes at block 18446744073709551615 does not end before byte 2^64"));
    }

    [Test]
    public void AFormatWithoutBlocksCannotBeSplit() =>
        Assert.That(TraceBytes.Error(TraceBytes.Text("1\n"), Split("text")),
            Is.EqualTo("made-up: is of the format text, which has no blocks to split into pages; leave out --split"));
}
