// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Traces;

/// <summary>From what a user writes for TRACE to a source, and what can be wrong before the first
/// request.</summary>
public sealed class TraceSourceTests : FolderFixture
{
    private string Write(string name, byte[] bytes)
    {
        string path = PathOf(name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    [Test]
    public void AFileCanBeOpenedAgainAndAgain()
    {
        string path = Write("a.txt.gz", TraceBytes.Gzip(TraceBytes.Text("1\n2\n")));
        ITraceSource source = TraceSource.Parse(path);
        Assert.That(source.Name, Is.EqualTo(path));
        for (int round = 0; round < 2; round++)
        {
            Assert.That(source.CanReopen, Is.True);
            Assert.That(TraceBytes.Read(source), Is.EqualTo(new Request[] { new(1), new(2) }));
        }
    }

    [Test]
    public void StandardInputIsReadOnceAndHasNoLength()
    {
        var options = new TraceOptions
        {
            OpenStandardInput = () => new MemoryStream(TraceBytes.Text("1\n2\n")),
        };
        ITraceSource source = TraceSource.Parse("-", options);
        Assert.That(source.CanReopen, Is.False);
        Assert.That(TraceBytes.Read(source), Has.Count.EqualTo(2));
        Assert.That(TraceBytes.Error(() => source.Open()),
            Is.EqualTo("-: a pipe can be read once only; save it to a file first"));
    }

    [Test]
    public void AGeneratorWinsOverAFileOfItsName()
    {
        ITraceSource source = TraceSource.Parse("loop:objects=3,requests=5");
        Assert.That(source.Name, Is.EqualTo("loop:objects=3,requests=5"));
        Assert.That(source.CanReopen, Is.True);
        Assert.That(source.FormatPage(0, 2), Is.EqualTo("2"));
        Assert.That(TraceBytes.Read(source),
            Is.EqualTo(new Request[] { new(0), new(1), new(2), new(0), new(1) }));
    }

    [Test]
    public void WhatIsMissing()
    {
        string path = PathOf("none.txt");
        Assert.That(TraceBytes.Error(() => TraceSource.Parse(path)),
            Is.EqualTo($"{path}: no such file; check the path"));
        Assert.That(TraceBytes.Error(() => new FileTraceSource(path, new TraceOptions()).Open()),
            Is.EqualTo($"{path}: no such file; check the path"));
        Assert.That(TraceBytes.Error(() => TraceSource.Parse("zipff:objects=1")), Is.EqualTo(
            "zipff:objects=1: no such file, and the generators are zipf:, uniform:, loop:, scan:, scanhot:, shift:"));
        Assert.That(TraceBytes.Error(() => TraceSource.Parse("")),
            Does.Contain("name a file, - or a generator"));
    }

    [Test]
    public void WhatIsNoTrace()
    {
        Assert.That(TraceBytes.Error(() => TraceSource.Parse(Folder).Open()),
            Is.EqualTo($"{Folder}: is a directory; name one trace file in it"));
        foreach (byte[] empty in (byte[][])[[], TraceBytes.Gzip([]), TraceBytes.Zstd([])])
            Assert.That(TraceBytes.Error(() => TraceSource.Parse(Write("empty", empty)).Open()),
                Does.EndWith("empty: is empty; a trace has at least one request"));
    }

    [Test]
    public void WhatCannotBeRead()
    {
        var denied = new TraceOptions { OpenFile = _ => throw new UnauthorizedAccessException() };
        Assert.That(TraceBytes.Error(() => new FileTraceSource("secret", denied).Open()),
            Is.EqualTo("secret: permission to read it is denied; check its mode and owner"));
        var broken = new TraceOptions
        {
            OpenFile = _ => new FailingStream(),
            Format = "text",
            BufferBytes = 16,
        };
        Assert.That(TraceBytes.Error(() => TraceBytes.Read(new FileTraceSource("disk", broken))),
            Is.EqualTo("disk: cannot read on at byte 32: the device is gone"));
    }

    [Test]
    public void WrongOptions()
    {
        string path = Write("a.txt", TraceBytes.Text("1\n"));
        Assert.That(TraceBytes.Error(() => TraceSource.Parse(path, new TraceOptions { Format = "vmdk" })),
            Is.EqualTo(
            "--format vmdk: no such trace format; the formats are auto, text, csv, oracle, lcs, vscsi, twr, arc, lirs, " +
            "spc, msr, be32, be64, le32, le64, address"));
        Assert.That(TraceBytes.Error(() => TraceSource.Parse(path, new TraceOptions { PageBytes = 0 })),
            Is.EqualTo("--page-bytes 0: must be from 1 to 1073741824; 4096 is usual"));
    }

    [Test]
    public void ControlCharactersOfANameDoNotBreakTheLine() =>
        Assert.That(TraceBytes.Error(() => TraceSource.Parse("a\nb\u001b[2J")),
            Is.EqualTo("a?b?[2J: no such file; check the path"));

    [Test]
    public void EveryFormatIsListedOnceWithALine() =>
        Assert.That(TraceFormats.Names.Select(format => format.Name).ToArray(),
            Is.Unique.And.Length.EqualTo(16));

    /// <summary>Lines without end, until the device fails.</summary>
    private sealed class FailingStream : ReadOnlyStream
    {
        private int _left = 32;

        public override int Read(Span<byte> buffer)
        {
            if (_left == 0)
                throw new IOException("the device is gone");
            int got = Math.Min(buffer.Length, _left);
            for (int i = 0; i < got; i++, _left--)
                buffer[i] = (byte)(_left % 2 == 0 ? '1' : '\n');
            return got;
        }
    }
}
