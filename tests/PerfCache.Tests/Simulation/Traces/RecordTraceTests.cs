// SPDX-License-Identifier: MIT
using System.Text;
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Traces;

/// <summary>The formats of fixed binary records.</summary>
internal sealed class RecordTraceTests
{
    internal static byte[] Oracle(uint time, ulong id, uint size, long next) =>
        TraceBytes.Fields(time, id, size, next);

    internal static byte[] Vscsi1(ulong block, uint length, ulong time, ushort command) =>
        TraceBytes.Fields(1u, length, 0u, command, (ushort)0x0100, block, time);

    internal static byte[] Vscsi2(ulong block, uint length, ulong time, ushort command) =>
        TraceBytes.Fields(command, (ushort)0x0200, 1u, length, 0u, block, time, 99UL);

    internal static byte[] Twr(uint time, ulong id, uint keySize, uint valueSize, uint operation) =>
        TraceBytes.Fields(time, id, keySize << 22 | valueSize, operation << 24 | 60);

    /// <summary>An lcs file; the field numbers are id, size, time, last, next, op, TTL, tenant, content
    /// type.</summary>
    internal static byte[] Lcs(string format, byte[] fieldNumbers, long requests, params byte[][] records)
    {
        var header = new byte[LcsHeader.Bytes];
        byte[] magic = TraceBytes.Fields(LcsHeader.Magic);
        magic.CopyTo(header, 0);
        Encoding.ASCII.GetBytes(format).CopyTo(header, 8);
        fieldNumbers.CopyTo(header, 248);
        TraceBytes.Fields(requests).CopyTo(header, 488);
        TraceBytes.Fields((uint)(format.Length - 1)).CopyTo(header, 1000);
        TraceBytes.Fields((uint)(records.Length > 0 ? records[0].Length : 0)).CopyTo(header, 1004);
        magic.CopyTo(header, 1016);
        return TraceBytes.Join([header, .. records]);
    }

    [Test]
    public void OracleRecordsPointAtTheNextRequest()
    {
        byte[] trace = TraceBytes.Join(
            Oracle(5, 7, 512, 3), Oracle(6, 8, 1024, -1), Oracle(6, 7, 512, long.MaxValue));
        Assert.That(TraceBytes.Read(trace, "oracle"), Is.EqualTo(new Request[]
        {
            new(7, Size: 512, Time: 5, Next: 3), new(8, Size: 1024, Time: 6, Next: long.MaxValue),
            new(7, Size: 512, Time: 6, Next: long.MaxValue),
        }));
    }

    [Test]
    public void RequestsOfSizeZeroAreKept() =>
        Assert.That(TraceBytes.Ids(Oracle(0, 9, 0, -1), "oracle"), Is.EqualTo(new ulong[] { 9 }));

    [Test]
    public void BothVersionsOfVscsi()
    {
        Request[] expected =
        [
            new(42932745, Size: 512, Time: 5633898611441, IsWrite: true),
            new(40409911, Size: 6656, Time: 5633898747060),
        ];
        byte[] first = TraceBytes.Join(
            Vscsi1(42932745, 512, 5633898611441, 0x2a), Vscsi1(40409911, 6656, 5633898747060, 0x28));
        byte[] second = TraceBytes.Join(
            Vscsi2(42932745, 512, 5633898611441, 0x2a), Vscsi2(40409911, 6656, 5633898747060, 0x28));
        Assert.That(TraceBytes.Read(first, "vscsi"), Is.EqualTo(expected));
        Assert.That(TraceBytes.Read(second, "vscsi"), Is.EqualTo(expected));
    }

    [Test]
    public void TwrSizesAreKeyPlusValueAndAGetOfNothingIsSkipped()
    {
        byte[] trace = TraceBytes.Join(
            Twr(1, 7, keySize: 40, valueSize: 1000, operation: 1),
            Twr(2, 8, keySize: 40, valueSize: 0, operation: 1),
            Twr(3, 9, keySize: 1023, valueSize: 4194303, operation: 3),
            Twr(4, 10, keySize: 0, valueSize: 0, operation: 9));
        Assert.That(TraceBytes.Read(trace, "twr"), Is.EqualTo(new Request[]
        {
            new(7, Size: 1040, Time: 1), new(9, Size: 4195326, Time: 3, IsWrite: true),
            new(10, Time: 4, IsWrite: true),
        }));
    }

    [Test]
    public void LcsRecordsAreWhatTheHeaderSays()
    {
        byte[] trace = Lcs("<IQIqB", [2, 3, 1, 0, 4, 5, 0, 0, 0], 2,
            TraceBytes.Fields(10u, 7UL, 512u, 2L, (byte)1), TraceBytes.Fields(11u, 7UL, 512u, -1L, (byte)3));
        Assert.That(TraceBytes.Read(trace, "lcs"), Is.EqualTo(new Request[]
        {
            new(7, Size: 512, Time: 10, Next: 2),
            new(7, Size: 512, Time: 11, IsWrite: true, Next: long.MaxValue),
        }));
    }

    [Test]
    public void LcsIdsOfAnyIntegerWidthHaveNoSign()
    {
        byte[] narrow = Lcs("<i", [1, 0, 0, 0, 0, 0, 0, 0, 0], 0, TraceBytes.Fields(-1));
        Assert.That(TraceBytes.Ids(narrow, "lcs"), Is.EqualTo(new ulong[] { uint.MaxValue }));
        byte[] letters = Lcs("<cbBhHlLqQ", [9, 2, 4, 0, 0, 0, 0, 0, 0], 0, TraceBytes.Fields(
            (byte)1, (byte)0xff, (byte)3, (ushort)0xfffe, (ushort)5, 6u, 7u, 8UL, ulong.MaxValue));
        Assert.That(TraceBytes.Read(letters, "lcs"),
            Is.EqualTo(new Request[] { new(ulong.MaxValue, Size: 0, Time: -2) }));
    }

    [Test]
    public void StreamsOfBareIds()
    {
        byte[] bytes = [1, 2, 3, 4, 5, 6, 7, 0xf8];
        Assert.That(TraceBytes.Ids(bytes, "be32"), Is.EqualTo(new ulong[] { 0x01020304, 0x050607f8 }));
        Assert.That(TraceBytes.Ids(bytes, "le32"), Is.EqualTo(new ulong[] { 0x04030201, 0xf8070605 }));
        Assert.That(TraceBytes.Ids(bytes, "be64"), Is.EqualTo(new ulong[] { 0x01020304050607f8 }));
        Assert.That(TraceBytes.Ids(bytes, "le64"), Is.EqualTo(new ulong[] { 0xf807060504030201 }));
    }

    [TestCase("le32", 4)]
    [TestCase("be64", 8)]
    [TestCase("oracle", 24)]
    [TestCase("twr", 20)]
    public void ARecordThatIsCutOffIsAnError(string format, int recordBytes)
    {
        byte[] trace = Enumerable.Repeat((byte)1, recordBytes * 2 + 3).ToArray();
        Assert.That(TraceBytes.Error(trace, format), Is.EqualTo(
            $"made-up: byte {recordBytes * 2}: the last record has 3 bytes of {recordBytes}; the file is cut off or " +
            $"is not of the format {format}"));
    }

    [Test]
    public void AVscsiRecordThatIsCutOffIsAnError()
    {
        byte[] trace = Vscsi1(1, 512, 0, 0x28);
        Assert.That(TraceBytes.Error([.. trace, .. trace[..31]], "vscsi"),
            Does.Contain("byte 32: the last record has 31 bytes of 32"));
        var split = new TraceOptions { Format = "vscsi", Split = true };
        Assert.That(TraceBytes.Error([.. trace, .. trace[..31]], split),
            Does.Contain("byte 32: the last record has 31 bytes of 32"));
    }

    [Test]
    public void AnUnknownVersionOfVscsiIsAnError()
    {
        byte[] trace = TraceBytes.Fields(1u, 512u, 0u, (ushort)0x2a, (ushort)0x0300, 1UL, 1UL);
        Assert.That(TraceBytes.Error(trace, "vscsi"), Is.EqualTo(
            "made-up: byte 0: is neither vscsi version 1 nor 2 (version bytes 3 at 15, 0 at 3); is it another --format?"));
    }

    [Test]
    public void WhatIsWrongWithAnLcsHeaderIsSaid()
    {
        byte[] ids = [1, 0, 0, 0, 0, 0, 0, 0, 0];
        byte[] good = Lcs("<Q", ids, 1, TraceBytes.Fields(7UL));
        Assert.That(TraceBytes.Error(new byte[2000], "lcs"),
            Does.Contain("byte 0: is not lcs: its first 8 bytes are not the magic 0x123456789abcdef0"));
        Assert.That(TraceBytes.Error(good[..1000], "lcs"),
            Does.Contain("byte 1000: the lcs header is cut off; it has 1024 bytes"));
        Assert.That(TraceBytes.Error(With(good, 1016, 0), "lcs"),
            Does.Contain("byte 1016: the lcs header does not end with the magic"));
        Assert.That(TraceBytes.Error(With(good, 8, (byte)'>'), "lcs"),
            Does.Contain("byte 8: the lcs format string '>Q' does not begin with '<'"));
        Assert.That(TraceBytes.Error(With(good, 9, (byte)'z'), "lcs"),
            Does.Contain("has the unknown field letter 'z'"));
        Assert.That(TraceBytes.Error(With(good, 1000, 2), "lcs"),
            Does.Contain("states 2 fields in 8 bytes and its format string has 1 in 8"));
        Assert.That(TraceBytes.Error(With(good, 248, 2), "lcs"),
            Does.Contain("byte 248: the lcs header names field 2 of 1"));
        Assert.That(TraceBytes.Error(With(good, 248, 0), "lcs"),
            Does.Contain("byte 248: the lcs header names no integer field as the id"));
        Assert.That(TraceBytes.Error(With(good, 488, 2), "lcs"),
            Does.Contain("byte 1032: the trace ends after 1 requests and its header promises 2"));
    }

    private static byte[] With(byte[] bytes, int at, byte value)
    {
        byte[] changed = [.. bytes];
        changed[at] = value;
        return changed;
    }
}
