// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PerfCache.Benchmarks;

/// <summary>
/// One client with so many requests under way: whatever has been answered is asked anew in one call. All replies have one
/// length, so counting them is a division; the first byte of each is looked at.
/// </summary>
internal sealed class LenderLoad : IDisposable
{
    private const int FillDepth = 16;
    private const int LatencySamplesMax = 1 << 20;

    private readonly Socket _socket;
    private readonly byte[][] _requests;
    private readonly byte[] _outgoing;
    private readonly byte[] _incoming;
    private readonly long[] _sentAt;
    private readonly long[] _latencies = new long[LatencySamplesMax];
    private readonly int _depth;
    private readonly int _replyBytes;
    private readonly byte _replyStart;
    private uint _random = 2_463_534_242;

    public LenderLoad(EndPoint peer, int keys, int valueBytes, int depth, bool reads)
    {
        _socket = Connect(peer);
        _depth = depth;
        byte[] value = new byte[valueBytes];
        for (int i = 0; i < value.Length; i++) value[i] = (byte)('a' + (i % 26));
        byte[][] stores = new byte[keys][];
        for (int key = 0; key < keys; key++)
            stores[key] = [.. Encoding.ASCII.GetBytes($"ms key-{key:D8} {valueBytes}\r\n"), .. value, .. "\r\n"u8];
        _incoming = new byte[256 * 1024];
        for (int key = 0; key < keys; key += FillDepth)
        {
            int count = Math.Min(FillDepth, keys - key);
            for (int i = 0; i < count; i++) _socket.Send(stores[key + i]);
            for (int answered = 0; answered < 4 * count;) answered += Answered(4 * count - answered);
        }

        _requests = reads
            ? [.. Enumerable.Range(0, keys).Select(key => Encoding.ASCII.GetBytes($"mg key-{key:D8} v\r\n"))]
            : stores;
        _replyBytes = reads ? $"VA {valueBytes}\r\n".Length + valueBytes + 2 : "HD\r\n".Length;
        _replyStart = (byte)(reads ? 'V' : 'H');
        _outgoing = new byte[depth * _requests[0].Length];
        _sentAt = new long[depth];
    }

    public static Socket Connect(EndPoint peer)
    {
        Socket socket = new(
            peer.AddressFamily, SocketType.Stream, peer is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
        try
        {
            if (peer is IPEndPoint) socket.NoDelay = true;
            socket.Connect(peer);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Asks for so long.</summary>
    /// <returns>Replies a second, and the time in microseconds that 99 of 100 replies took at most.</returns>
    public (double Rate, double P99) Measure(int millis)
    {
        long start = Stopwatch.GetTimestamp();
        long end = start + (Stopwatch.Frequency * millis / 1000);
        long replies = 0;
        int samples = 0;
        long sent = 0;
        int partial = 0;
        Send(_depth, ref sent);
        while (true)
        {
            int received = _socket.Receive(_incoming);
            if (received == 0) throw new IOException("the server has closed the connection");
            long now = Stopwatch.GetTimestamp();
            int done = 0;
            for (int at = (_replyBytes - partial) % _replyBytes; at < received; at += _replyBytes)
            {
                if (_incoming[at] != _replyStart) throw new IOException("a reply does not begin as it should");
            }

            partial += received;
            done = partial / _replyBytes;
            partial -= done * _replyBytes;
            for (int i = 0; i < done && samples < LatencySamplesMax; i++)
                _latencies[samples++] = now - _sentAt[(replies + i) % _depth];
            replies += done;
            if (now < end) Send(done, ref sent);
            else if (replies == sent) break;
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Array.Sort(_latencies, 0, samples);
        return (replies / seconds, _latencies[samples * 99L / 100] * 1e6 / Stopwatch.Frequency);
    }

    public void Dispose() => _socket.Dispose();

    private int Answered(int bytes)
    {
        int received = _socket.Receive(_incoming.AsSpan(0, bytes));
        if (received == 0 || _incoming.AsSpan(0, received).IndexOfAnyExcept("HD\r\n"u8) >= 0)
            throw new IOException("a store was not answered with HD");
        return received;
    }

    private void Send(int count, ref long sent)
    {
        if (count == 0) return;
        int bytes = 0;
        long now = Stopwatch.GetTimestamp();
        for (int i = 0; i < count; i++)
        {
            _random ^= _random << 13;
            _random ^= _random >> 17;
            _random ^= _random << 5;
            byte[] request = _requests[_random % (uint)_requests.Length];
            request.CopyTo(_outgoing, bytes);
            bytes += request.Length;
            _sentAt[sent++ % _depth] = now;
        }

        _socket.Send(_outgoing, 0, bytes, SocketFlags.None);
    }
}
