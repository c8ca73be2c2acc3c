// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Traces;

/// <summary>The formats text, lirs and address.</summary>
internal sealed class TextTraceTests
{
    [Test]
    public void OnePageALine()
    {
        byte[] trace = TraceBytes.Text("7\n0\n18446744073709551615\n007\n");
        Assert.That(TraceBytes.Ids(trace, "text"), Is.EqualTo(new ulong[] { 7, 0, ulong.MaxValue, 7 }));
    }

    [Test]
    public void MarkersCommentsAndEmptyLinesAreSkipped()
    {
        byte[] trace = TraceBytes.Text("*\n# a comment\n\n1\n  \n2\n*** phase 2\n3\n");
        Assert.That(TraceBytes.Ids(trace, "text"), Is.EqualTo(new ulong[] { 1, 2, 3 }));
        Assert.That(TraceBytes.Ids(trace, "lirs"), Is.EqualTo(new ulong[] { 1, 2, 3 }));
    }

    [Test]
    public void LineEndsMayBeOfAnySystemAndTheLastOneMayBeMissing()
    {
        Assert.That(TraceBytes.Ids(TraceBytes.Text("1\r\n2\r\n\r\n3"), "text"),
            Is.EqualTo(new ulong[] { 1, 2, 3 }));
        Assert.That(TraceBytes.Ids(TraceBytes.Text("\uFEFF1\n 2\t\n"), "text"),
            Is.EqualTo(new ulong[] { 1, 2 }));
    }

    [Test]
    public void FileAndPageWithAnOptionalOperation()
    {
        byte[] trace = TraceBytes.Text(
            "# file 0 /var/lib/a b.db\n# file 3 /tmp/c\n0 10\n3\t11 w\n0 12 r\n3  10\n");
        ITraceSource source = TraceBytes.Source(trace, new TraceOptions { Format = "text" });
        Assert.That(TraceBytes.Read(source), Is.EqualTo(new Request[]
        {
            new(10), new(11, File: 3, IsWrite: true), new(12), new(10, File: 3),
        }));
        Assert.That(source.FormatPage(3, 11), Is.EqualTo("3 11"));

        using ITraceReader reader = source.Open();
        Assert.That(reader.Columns, Is.EqualTo(TraceColumns.File | TraceColumns.Write | TraceColumns.Notes));
        Assert.That(reader.FileNames,
            Is.EqualTo(new Dictionary<int, string> { [0] = "/var/lib/a b.db", [3] = "/tmp/c" }));
    }

    [Test]
    public void ATraceWithoutFilesHasNoFileColumn()
    {
        ITraceSource source = TraceBytes.Source(TraceBytes.Text("5\n"), new TraceOptions { Format = "text" });
        using ITraceReader reader = source.Open();
        Assert.That(reader.Columns, Is.EqualTo(TraceColumns.None));
        Assert.That(source.FormatPage(0, 5), Is.EqualTo("5"));
    }

    [Test]
    public void AnAddressIsItsOwnId()
    {
        byte[] trace = TraceBytes.Text("l 0x1fffff50 1\ns 0x1FFFFF58\nl ffffffffffffffff 7\n#eof\n");
        ITraceSource source = TraceBytes.Source(trace, new TraceOptions { Format = "address" });
        Assert.That(source.FormatPage(0, 0x1fffff58), Is.EqualTo("0x1fffff58"),
            "known before the trace is opened");
        Assert.That(TraceBytes.Read(source), Is.EqualTo(new Request[]
        {
            new(0x1fffff50), new(0x1fffff58, IsWrite: true), new(ulong.MaxValue),
        }));
    }

    [TestCase("1\n-5\n", "text", "made-up: line 2 has the negative page number -5; it must be from 0 to 18446744073709551615")]
    [TestCase("1\n2\n18446744073709551616\n", "text", "made-up: line 3 has the page number 18446744073709551616, which is larger than 18446744073709551615")]
    [TestCase("99999999999999999999999999999999999999999\n", "text", "is larger than")]
    [TestCase("1\nx2\n", "text", "made-up: line 2 has 'x2' where the page number should be, a decimal number; is it another --format?")]
    [TestCase("1\n2 3\n", "text", "line 2 has more than a page number ('2 3')")]
    [TestCase("1 2\n3\n", "text", "line 2 has one number ('3') where the lines before have FILE PAGE")]
    [TestCase("1 2\n1 3 x\n", "text", "line 2 has 'x' where r (read) or w (write) should be")]
    [TestCase("1 2 r 4\n", "text", "line 1 has more than FILE PAGE [r|w]: '1 2 r 4'")]
    [TestCase("2147483648 2\n", "text", "line 1 has the file number 2147483648; files are numbered from 0 to 2147483647")]
    [TestCase("1 2\n-1 2\n", "text", "line 2 has the negative file number -1")]
    [TestCase("*\n\n# nothing\n", "text", "holds no request")]
    [TestCase("1 2\n", "lirs", "line 1 has more than a page number")]
    [TestCase("\u0001\u0002\u0003\n", "text", "line 1 has bytes that are not text where the page number should be (\\x01\\x02\\x03); is the trace binary")]
    [TestCase("x 0x12\n", "address", "line 1 has the operation 'x' where l (load) or s (store) should be")]
    [TestCase("l 0x12\nl 0xfg\n", "address", "line 2 has '0xfg' where a hexadecimal address such as 0x1ff0 should be")]
    [TestCase("l\n", "address", "line 1 has '' where a hexadecimal address")]
    [TestCase("l 0x10000000000000000\n", "address", "line 1 has the address 0x10000000000000000, which is larger than 64 bits")]
    public void WhatIsWrongIsSaidInOneLine(string text, string format, string expected) =>
        Assert.That(TraceBytes.Error(TraceBytes.Text(text), format), Does.Contain(expected));

    [Test]
    public void BinaryDataWithoutLineEndsIsNotReadForEver()
    {
        string message = TraceBytes.Error(new byte[3_000_000], "text");
        Assert.That(message, Does.StartWith("made-up: line 1 is longer than 65536 bytes; is this text?"));
    }
}
