// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Traces;

/// <summary>Plain, gzip and zstd by their first bytes, and the ways in which compressed data can be
/// broken.</summary>
internal sealed class CompressionTests
{
    private const int Requests = 100_000;

    // Scattered numbers compress badly enough to spread over many input buffers.
    private static readonly byte[] s_plain = TraceBytes.Text(string.Concat(
        Enumerable.Range(0, Requests).Select(i => $"{(uint)i * 2654435761u}\n")));

    private static readonly ulong[] s_ids = TraceBytes.Ids(s_plain, "text");

    [Test]
    public void TheContentDecidesNotTheName()
    {
        Assert.That(TraceBytes.Ids(TraceBytes.Gzip(s_plain), "text"), Is.EqualTo(s_ids));
        Assert.That(TraceBytes.Ids(TraceBytes.Zstd(s_plain), "text"), Is.EqualTo(s_ids));
    }

    [Test]
    public void MembersAndFramesMayFollowOneAnother()
    {
        byte[] first = s_plain[..500_000];
        byte[] second = s_plain[500_000..];
        byte[] gzip = TraceBytes.Join(TraceBytes.Gzip(first), TraceBytes.Gzip([]), TraceBytes.Gzip(second));
        Assert.That(TraceBytes.Ids(gzip, "text"), Is.EqualTo(s_ids));
        byte[] zstd = TraceBytes.Join(TraceBytes.Zstd(first), TraceBytes.Zstd([]), TraceBytes.Zstd(second));
        Assert.That(TraceBytes.Ids(zstd, "text"), Is.EqualTo(s_ids));
    }

    [Test]
    public void BytesMayComeOneByOne()
    {
        byte[] small = TraceBytes.Text("1\n2\n3\n");
        foreach (byte[] compressed in (byte[][])[
            small, TraceBytes.Join(TraceBytes.Gzip(small[..3]), TraceBytes.Gzip(small[3..])),
            TraceBytes.Zstd(small)])
        {
            var options = new TraceOptions
            {
                Format = "text",
                BufferBytes = 1,
                OpenStandardInput = () => new TrickleStream(compressed),
            };
            ITraceSource source = TraceSource.Parse("-", options);
            Assert.That(TraceBytes.Read(source).Select(request => request.Id),
                Is.EqualTo(new ulong[] { 1, 2, 3 }));
        }
    }

    [Test]
    public void GzipCutOffAnywhereIsAnError()
    {
        byte[] gzip = TraceBytes.Gzip(TraceBytes.Text("1\n2\n3\n4\n5\n6\n7\n8\n9\n"));
        for (int length = 2; length < gzip.Length; length++)
            Assert.That(TraceBytes.Error(gzip[..length], "text"), Is.EqualTo(
                $"made-up: the gzip data is cut off: it ends at compressed byte {length}, in the middle; fetch the " +
                "file again"));
    }

    [Test]
    public void AStoredGzipMemberCutOffAnywhereIsAnError()
    {
        // A member that stores its content verbatim: bytes put behind the cut come out as content.
        byte[] content = new byte[200];
        content.AsSpan().Fill((byte)'\n');
        byte[] stored =
        [
            0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1, 200, 0, 55, 255, .. content, 0, 0, 0, 0, 200, 0, 0, 0,
        ];
        for (int length = 11; length < 15 + content.Length; length++)
            Assert.That(TraceBytes.Error(stored[..length], "text"), Does.Contain("cut off"),
                $"{length} bytes");
    }

    [Test]
    public void LargeGzipCutOffIsAnError()
    {
        byte[] gzip = TraceBytes.Gzip(s_plain);
        foreach (int missing in (int[])[1, 4, 7, 8, 9, 100, 5000, gzip.Length / 2])
            Assert.That(TraceBytes.Error(gzip[..^missing], "text"), Does.Contain("cut off"),
                $"{missing} bytes missing");
    }

    [Test]
    public void DamagedGzipIsAnError()
    {
        byte[] gzip = TraceBytes.Gzip(s_plain);
        gzip[^6] ^= 1;
        Assert.That(TraceBytes.Error(gzip, "text"), Does.Contain("damaged gzip data near compressed byte"));
        gzip[^6] ^= 1;
        Assert.That(TraceBytes.Error([.. gzip, .. new byte[20_000]], "text"),
            Does.Contain("bytes that are not gzip follow the gzip data"));
    }

    [Test]
    public void ZstdCutOffAnywhereIsAnError()
    {
        byte[] zstd = TraceBytes.Zstd(TraceBytes.Text("1\n2\n3\n4\n5\n6\n7\n8\n9\n"));
        for (int length = 4; length < zstd.Length; length++)
            Assert.That(TraceBytes.Error(zstd[..length], "text"), Is.EqualTo(
                $"made-up: the zstd data is cut off: it ends at compressed byte {length}, in the middle of a frame; " +
                "fetch the file again"));
        zstd = TraceBytes.Zstd(s_plain);
        Assert.That(TraceBytes.Error(zstd[..^5], "text"), Does.Contain("cut off"));
    }

    [Test]
    public void DamagedZstdIsAnError()
    {
        byte[] zstd = TraceBytes.Zstd(s_plain);
        Assert.That(TraceBytes.Error([.. zstd, 1, 2, 3, 4, 5, 6, 7, 8], "text"),
            Does.Contain("made-up: damaged zstd data near compressed byte").And.Contain("try zstd -d"));
    }

    [Test]
    public void MuchContentOutOfFewBytesOfZstdComesOutWhole()
    {
        byte[] plain = new byte[3_000_000];
        Assert.That(TraceBytes.Ids(TraceBytes.Zstd(plain), "le64"), Has.Length.EqualTo(375_000).And.All.Zero);
    }

    [Test]
    public void AMissingLibraryIsSaidWithTheRemedy()
    {
        var options = new TraceOptions
        {
            Format = "text",
            ZstdLibraryName = "libzstd-that-is-not-there.so.1",
        };
        Assert.That(TraceBytes.Error([0x28, 0xb5, 0x2f, 0xfd, 0], options), Is.EqualTo(
            "made-up: is zstd-compressed and libzstd-that-is-not-there.so.1 is not installed; install the package " +
            "libzstd1, or decompress the file first with zstd -d"));
    }

    /// <summary>A pipe whose writer is slow: one byte a read, no length.</summary>
    private sealed class TrickleStream(byte[] bytes) : ReadOnlyStream
    {
        private int _at;

        public override int Read(Span<byte> buffer)
        {
            if (_at == bytes.Length || buffer.IsEmpty)
                return 0;
            buffer[0] = bytes[_at++];
            return 1;
        }
    }
}
