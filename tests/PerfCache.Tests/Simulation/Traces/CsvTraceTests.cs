// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Traces;

internal sealed class CsvTraceTests
{
    private static TraceOptions Csv(string? columns = null) => new() { Format = "csv", CsvColumns = columns };

    [Test]
    public void ColumnsAreNumberedFromOne()
    {
        byte[] trace = TraceBytes.Text(
            "version,time,op,size,lbn\n1,5633898,2a,512,42932745\n1,5633899,28,1024,42932746\n");
        Assert.That(TraceBytes.Read(trace, Csv("id=5,size=4,time=2")), Is.EqualTo(new Request[]
        {
            new(42932745, Size: 512, Time: 5633898), new(42932746, Size: 1024, Time: 5633899),
        }));
    }

    [Test]
    public void AHeaderNamesTheColumnsItself()
    {
        byte[] trace = TraceBytes.Text("time;obj_id;obj_size\n10;7;100\n");
        Assert.That(TraceBytes.Read(trace, Csv()), Is.EqualTo(new Request[] { new(7, Size: 100, Time: 10) }));
        Assert.That(TraceBytes.Read(trace, Csv("id=obj_size")), Is.EqualTo(new Request[] { new(100) }));
    }

    [Test]
    public void WithoutAHeaderTheFirstLineIsARequest() =>
        Assert.That(TraceBytes.Ids(TraceBytes.Text("7\t1\n8\t2\n"), Csv("id=1")),
            Is.EqualTo(new ulong[] { 7, 8 }));

    [Test]
    public void QuotesHexadecimalAndFractionsOfTime()
    {
        byte[] trace = TraceBytes.Text("\"a,b\",0xff,12.75\r\n\"c\"\"d\", \"16\" ,13\r\n");
        Assert.That(TraceBytes.Read(trace, Csv("id=2,time=3")), Is.EqualTo(new Request[]
        {
            new(255, Time: 12), new(16, Time: 13),
        }));
    }

    [Test]
    public void AHugeSizeIsClamped() =>
        Assert.That(TraceBytes.Read(TraceBytes.Text("1,99999999999\n"), Csv("id=1,size=2"))[0].Size,
            Is.EqualTo(uint.MaxValue));

    [TestCase("size=1", "the id is missing")]
    [TestCase("id", "'id' is not NAME=COLUMN")]
    [TestCase("id=0", "'0' is not a column from 1 to 10000")]
    [TestCase("id=1,id=2", "'id' is there twice")]
    [TestCase("id=1,colour=2", "'colour' is none of id, size, time")]
    public void AWrongOptionIsSaidBeforeTheTraceIsOpened(string columns, string expected)
    {
        string message = TraceBytes.Error(() => TraceSource.Parse("missing.csv", Csv(columns)));
        Assert.That(message,
            Does.StartWith($"--csv-columns {columns}: {expected}; expected id=N[,size=N][,time=N]"));
    }

    [TestCase("1,2\n", null, "line 1 has no csv header that names an id column; say which columns to read with --csv-columns")]
    [TestCase("a,b\n1,2\n", "id=c", "line 1 has no column named 'c', which --csv-columns asks for")]
    [TestCase("1,2,3\n1,2\n", "id=3", "line 2 has 2 fields ('1,2') and column 3 is asked for")]
    [TestCase("1,2\n1,-2\n", "id=2", "line 2 has the negative id -2")]
    [TestCase("1\n18446744073709551616\n", "id=1", "line 2 has the id 18446744073709551616, which is larger than")]
    [TestCase("key,size\n1,2\nab12,3\n", null, "line 3 has 'ab12' where the id should be, a decimal number")]
    [TestCase("0x10000000000000000\n", "id=1", "which is larger than 18446744073709551615")]
    [TestCase("1,x\n", "id=1,time=2", "line 1 has 'x' where the time should be")]
    public void WhatIsWrongIsSaidInOneLine(string text, string? columns, string expected) =>
        Assert.That(TraceBytes.Error(TraceBytes.Text(text), Csv(columns)), Does.Contain(expected));
}
