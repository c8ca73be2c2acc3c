// SPDX-License-Identifier: MIT
using System.IO.Compression;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// Gzip that notices a cut-off file. The platform's decoder verifies the checksum of a member that it sees
/// to the end, but takes the end of the input in the middle of a member for the end of the data, so half a
/// download would replay as a shorter trace.
///
/// The check: behind the last byte of the file this class puts one more, tiny member whose content is a
/// known marker. After a complete file the decoder starts a new member there and the decoded data ends with
/// the marker, which is held back from the caller. After a cut-off file the same bytes are taken for the
/// rest of the unfinished member, and the marker cannot come out: it is stored compressed, so even a member
/// that copies its input verbatim does not produce it.
/// </summary>
internal sealed class CheckedGzipStream : ReadOnlyStream
{
    private const int MarkerBytes = 48;

    private static readonly byte[] s_marker = MakeMarker();
    private static readonly byte[] s_markerMember = Compress(s_marker);

    private readonly string _name;
    private readonly InputThenMarker _input;
    private readonly GZipStream _decoder;

    // Decoded bytes not handed out yet; the last MarkerBytes of them may turn out to be the marker.
    private readonly byte[] _held = new byte[64 * 1024];
    private int _heldStart;
    private int _heldEnd;
    private bool _ended;

    internal CheckedGzipStream(string name, RawTraceStream raw)
    {
        _name = name;
        _input = new InputThenMarker(raw);
        _decoder = new GZipStream(_input, CompressionMode.Decompress);
    }

    public override int Read(Span<byte> buffer)
    {
        while (!_ended && _heldEnd - _heldStart <= MarkerBytes)
            Refill();
        int ready = Math.Min(buffer.Length, _heldEnd - _heldStart - (_ended ? 0 : MarkerBytes));
        _held.AsSpan(_heldStart, ready).CopyTo(buffer);
        _heldStart += ready;
        return ready;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _decoder.Dispose();
        base.Dispose(disposing);
    }

    private void Refill()
    {
        _held.AsSpan(_heldStart, _heldEnd - _heldStart).CopyTo(_held);
        _heldEnd -= _heldStart;
        _heldStart = 0;
        int got;
        try
        {
            got = _decoder.Read(_held, _heldEnd, _held.Length - _heldEnd);
        }
        catch (InvalidDataException failure)
        {
            throw _input.MarkerServed ? CutOff() : new TraceFormatException(
                $"{_name}: damaged gzip data near compressed byte {_input.BytesRead}; fetch the file again",
                failure);
        }
        _heldEnd += got;
        if (got == 0)
            End();
    }

    private void End()
    {
        if (!_input.MarkerServed)
            throw new TraceFormatException(
                $"{_name}: bytes that are not gzip follow the gzip data near compressed byte {_input.BytesRead}" +
                "; cut them off or fetch the file again");
        if (!_held.AsSpan(0, _heldEnd).EndsWith(s_marker))
            throw CutOff();
        _heldEnd -= MarkerBytes;
        _ended = true;
    }

    private TraceFormatException CutOff() => new(
        $"{_name}: the gzip data is cut off: it ends at compressed byte {_input.BytesRead}, in the middle; " +
        "fetch the file again");

    // Two bytes in turn: compressible, so that no verbatim copy of the marker lies inside its member.
    private static byte[] MakeMarker()
    {
        var marker = new byte[MarkerBytes];
        for (int i = 0; i < marker.Length; i++)
            marker[i] = (byte)(i < MarkerBytes / 2 ? 0xc3 : 0x96);
        return marker;
    }

    private static byte[] Compress(byte[] content)
    {
        var member = new MemoryStream();
        using (var encoder = new GZipStream(member, CompressionLevel.SmallestSize, leaveOpen: true))
            encoder.Write(content);
        return member.ToArray();
    }

    /// <summary>The compressed file and, once it has ended, the marker's member.</summary>
    private sealed class InputThenMarker(RawTraceStream raw) : ReadOnlyStream
    {
        private int _markerAt;

        internal bool MarkerServed => _markerAt > 0;

        internal long BytesRead => raw.BytesRead;

        public override int Read(Span<byte> buffer)
        {
            int got = MarkerServed || buffer.IsEmpty ? 0 : raw.Read(buffer);
            if (got > 0 || buffer.IsEmpty)
                return got;
            got = Math.Min(buffer.Length, s_markerMember.Length - _markerAt);
            s_markerMember.AsSpan(_markerAt, got).CopyTo(buffer);
            _markerAt += got;
            return got;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                raw.Dispose();
            base.Dispose(disposing);
        }
    }
}
