// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Traces;

/// <summary>What <c>auto</c> makes of content and name.</summary>
internal sealed class FormatDetectionTests
{
    private static string Detect(byte[] bytes, string name = "trace", TraceOptions? options = null)
    {
        using ITraceReader reader = TraceBytes.Source(bytes, options ?? new TraceOptions(), name).Open();
        return reader.Format;
    }

    [TestCase("1\n2\n", ExpectedResult = "text")]
    [TestCase("*\n# file 0 x\n0 1 r\n", ExpectedResult = "text")]
    [TestCase("3 4\n", ExpectedResult = "text")]
    [TestCase("1 8 0 0\n9 1 0 1\n", ExpectedResult = "arc")]
    [TestCase("s 0x1fffff50 1\n", ExpectedResult = "address")]
    [TestCase("time,key,size\n1,2,3\n", ExpectedResult = "csv")]
    [TestCase("id\tsize\n1\t2\n", ExpectedResult = "csv")]
    [TestCase("0,20941264,8192,W,0.551706\n", ExpectedResult = "spc")]
    [TestCase("128166372003061629,usr,0,Read,7014609920,24576,41286\n", ExpectedResult = "msr")]
    public string Text(string text) => Detect(TraceBytes.Text(text));

    [TestCase("lcs")]
    [TestCase("oracle")]
    [TestCase("vscsi")]
    public void BinaryFormatsThatShowThemselves(string format) =>
        Assert.That(Detect(SampleTraces.Bytes(format)), Is.EqualTo(format));

    [Test]
    public void BothVersionsOfVscsiShowThemselves() =>
        Assert.That(Detect(SampleTraces.Bytes("vscsi/2")), Is.EqualTo("vscsi"));

    [TestCase("t.oracleGeneral", ExpectedResult = "oracle")]
    [TestCase("t.oracleGeneral.bin", ExpectedResult = "oracle")]
    [TestCase("t.twr.zst", ExpectedResult = "twr")]
    [TestCase("t.be64.gz", ExpectedResult = "be64")]
    public string ANameDecidesWhereTheContentDoesNot(string name) => Detect(new byte[120], name);

    [TestCase("be32")]
    [TestCase("be64")]
    [TestCase("le32")]
    [TestCase("le64")]
    [TestCase("twr")]
    public void BareRecordsCannotBeTold(string format)
    {
        string expected = "trace.gz: is binary and neither its content nor its name tells the format; bare ids carry " +
            "no header, so say --format be32, be64, le32, le64, twr or oracle";
        Assert.That(TraceBytes.Error(SampleTraces.Bytes(format), new TraceOptions(), "trace.gz"),
            Is.EqualTo(expected));
    }

    [Test]
    public void AscendingNumbersAreNotMistakenForOracle()
    {
        byte[] numbers = TraceBytes.Join(
            [.. Enumerable.Range(1, 3000).Select(i => TraceBytes.Fields((ulong)i))]);
        Assert.That(TraceBytes.Error(numbers, new TraceOptions()),
            Does.Contain("neither its content nor its name"));
    }

    [Test]
    public void AnUnknownLineIsShown() =>
        Assert.That(TraceBytes.Error(TraceBytes.Text("# a\nGET /index.html\n"), new TraceOptions()),
            Is.EqualTo(
            "made-up: line 2 ('GET /index.html') is of no text format that can be told; say --format text, csv, arc, " +
            "lirs, spc, msr or address"));

    [Test]
    public void ColumnsMeanCsv()
    {
        var options = new TraceOptions { CsvColumns = "id=2" };
        Assert.That(Detect(TraceBytes.Text("1,2\n"), options: options), Is.EqualTo("csv"));
    }

    [Test]
    public void CompressionIsUndoneBeforeLooking()
    {
        Assert.That(Detect(TraceBytes.Gzip(SampleTraces.Bytes("oracle"))), Is.EqualTo("oracle"));
        Assert.That(Detect(TraceBytes.Zstd(SampleTraces.Bytes("spc"))), Is.EqualTo("spc"));
    }
}
