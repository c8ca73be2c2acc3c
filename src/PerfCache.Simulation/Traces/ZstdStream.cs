// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// Zstandard through the system's library, frame after frame. Both buffers are arrays that the collector
/// does not move, so their addresses may stand in the library's structures without unsafe code.
/// </summary>
internal sealed class ZstdStream : ReadOnlyStream
{
    private const int BufferBytes = 128 * 1024;

    private readonly string _name;
    private readonly RawTraceStream _raw;
    private readonly byte[] _input = GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true);
    private readonly byte[] _output = GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true);
    private readonly nint _inputAddress;
    private readonly nint _outputAddress;
    private nint _decoder;
    private int _inputAt;
    private int _inputEnd;
    private bool _inputEnded;
    private int _outputAt;
    private int _outputEnd;
    private bool _frameComplete;

    internal ZstdStream(string name, RawTraceStream raw, string libraryName)
    {
        _name = name;
        _raw = raw;
        if (!ZstdLibrary.IsPresent(libraryName))
            throw new TraceFormatException(
                $"{name}: is zstd-compressed and {libraryName} is not installed; install the package " +
                "libzstd1, or decompress the file first with zstd -d");
        _inputAddress = Marshal.UnsafeAddrOfPinnedArrayElement(_input, 0);
        _outputAddress = Marshal.UnsafeAddrOfPinnedArrayElement(_output, 0);
        _decoder = ZstdLibrary.Create();
        if (_decoder == 0)
            throw new TraceFormatException($"{name}: the zstd decoder could not be made: out of memory");
    }

    ~ZstdStream() => FreeDecoder();

    public override int Read(Span<byte> buffer)
    {
        while (_outputAt == _outputEnd)
        {
            // A full output may mean that the decoder holds more, so the end of the input is not yet the end.
            bool mayHoldMore = _outputEnd == _output.Length;
            if (_inputAt == _inputEnd && !_inputEnded)
                RefillInput();
            if (_inputAt == _inputEnd && _inputEnded && (_frameComplete || !mayHoldMore))
                return End();
            Decompress();
        }
        int ready = Math.Min(buffer.Length, _outputEnd - _outputAt);
        _output.AsSpan(_outputAt, ready).CopyTo(buffer);
        _outputAt += ready;
        return ready;
    }

    protected override void Dispose(bool disposing)
    {
        FreeDecoder();
        if (disposing)
            _raw.Dispose();
        base.Dispose(disposing);
    }

    private void RefillInput()
    {
        _inputAt = 0;
        _inputEnd = _raw.Read(_input);
        _inputEnded = _inputEnd == 0;
    }

    private int End()
    {
        if (_frameComplete)
            return 0;
        throw new TraceFormatException(
            $"{_name}: the zstd data is cut off: it ends at compressed byte {_raw.BytesRead}, in the middle " +
            "of a frame; fetch the file again");
    }

    private void Decompress()
    {
        ObjectDisposedException.ThrowIf(_decoder == 0, this);
        var input = new ZstdLibrary.Stretch
        {
            Start = _inputAddress,
            Length = (nuint)_inputEnd,
            Position = (nuint)_inputAt,
        };
        var output = new ZstdLibrary.Stretch { Start = _outputAddress, Length = (nuint)_output.Length };
        nuint code = ZstdLibrary.Decompress(_decoder, ref output, ref input);
        GC.KeepAlive(this);
        long inputOffset = _raw.BytesRead - _inputEnd + (long)input.Position;
        if (ZstdLibrary.IsError(code))
            throw new TraceFormatException(
                $"{_name}: damaged zstd data near compressed byte {inputOffset}" +
                $" ({ZstdLibrary.ErrorName(code)}); fetch the file again, or try zstd -d");
        _inputAt = (int)input.Position;
        _outputAt = 0;
        _outputEnd = (int)output.Position;
        _frameComplete = code == 0;
    }

    private void FreeDecoder()
    {
        nint decoder = _decoder;
        _decoder = 0;
        if (decoder != 0)
            ZstdLibrary.Free(decoder);
    }
}
