// SPDX-License-Identifier: MIT
using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>What a proxy does to replies; each number is a share of all replies.</summary>
internal sealed record ReplyFaults
{
    /// <summary>Closes the connection in the middle of the reply.</summary>
    public double Cut { get; init; }

    /// <summary>Sends half of the reply, and the rest and all that follows never.</summary>
    public double Stall { get; init; }

    /// <summary>Holds the reply, and with it those behind it, back.</summary>
    public double Delay { get; init; }

    /// <summary>How long.</summary>
    public TimeSpan DelayTime { get; init; } = TimeSpan.FromMilliseconds(5);

    /// <summary>Turns one bit round, anywhere in the reply.</summary>
    public double FlipBit { get; init; }

    /// <summary>Sends the reply after the next one.</summary>
    public double Swap { get; init; }

    /// <summary>Sends the reply twice.</summary>
    public double Duplicate { get; init; }

    /// <summary>Sends nothing of the reply.</summary>
    public double Omit { get; init; }

    /// <summary>Sends the reply without its last bytes.</summary>
    public double Truncate { get; init; }

    /// <summary>Says another length than the value's.</summary>
    public double WrongLength { get; init; }

    /// <summary>Sends an earlier value in the place of this one.</summary>
    public double Replay { get; init; }
}

/// <summary>
/// Stands between a fleet and a server and does to replies what networks and bad servers do. Choices follow from a seed, in
/// the order in which replies come; that order is the machine's.
/// </summary>
internal sealed class FaultyProxy : IAsyncDisposable
{
    private readonly EndPoint _server;
    private readonly Socket _listener;
    private readonly Random _random;
    private readonly object _lock = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Socket> _open = [];
    private readonly Task _accepting;
    private byte[]? _earlier;

    internal FaultyProxy(EndPoint server, int seed)
    {
        _server = server;
        _random = new Random(seed);
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(64);
        Address = $"{_listener.LocalEndPoint}";
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    internal string Address { get; }

    /// <summary>What it does from now on.</summary>
    internal ReplyFaults Faults { get; set; } = new();

    /// <summary>While set nothing passes, in either direction, and no connection ends.</summary>
    internal bool IsPartitioned { get; set; }

    /// <summary>Replies that something was done to.</summary>
    internal int FaultCount { get; private set; }

    /// <summary>Ends all connections.</summary>
    internal void CloseAll()
    {
        lock (_lock)
        {
            foreach (Socket socket in _open) socket.Dispose();
            _open.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        CloseAll();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                Socket client = await _listener.AcceptAsync(_stop.Token);
                Socket server = new(
                    _server.AddressFamily, SocketType.Stream,
                    _server is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
                lock (_lock)
                {
                    _open.Add(client);
                    _open.Add(server);
                }

                client.NoDelay = true;
                try
                {
                    await server.ConnectAsync(_server);
                }
                catch (SocketException)
                {
                    client.Dispose();
                    server.Dispose();
                    continue;
                }

                _ = CarryAsync(client, server, client, server, (bytes, _) => bytes.Length, isReply: false);
                _ = CarryAsync(server, client, client, server, WholeReply, isReply: true);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // Closed, or the client has gone again.
            }
        }
    }

    /// <summary>Carries pieces from one side to the other.</summary>
    private async Task CarryAsync(
        Socket from, Socket to, Socket client, Socket server, Func<byte[], int, int> pieceOf, bool isReply)
    {
        byte[] kept = [];
        byte[]? held = null;
        byte[] buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                int count = await from.ReceiveAsync(buffer, SocketFlags.None, _stop.Token);
                if (count == 0) break;
                kept = [.. kept, .. buffer.AsSpan(0, count)];
                int at = 0;
                for (int length; (length = pieceOf(kept[at..], 0)) > 0; at += length)
                {
                    while (IsPartitioned) await Task.Delay(2, _stop.Token);
                    byte[] piece = kept[at..(at + length)];
                    if (isReply) held = await SendReplyAsync(to, piece, held);
                    else await to.SendAsync(piece, SocketFlags.None, _stop.Token);
                    if (at + length == kept.Length)
                    {
                        at += length;
                        break;
                    }
                }

                kept = kept[at..];
                if (held is not null && kept.Length == 0)
                {
                    await to.SendAsync(held, SocketFlags.None, _stop.Token);
                    held = null;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException or IOException)
        {
            // Either side has gone, or the proxy cut them.
        }

        client.Dispose();
        server.Dispose();
    }

    /// <summary>Sends one reply, or what is made of it.</summary>
    /// <returns>A reply that goes out after the next one.</returns>
    private async Task<byte[]?> SendReplyAsync(Socket to, byte[] reply, byte[]? held)
    {
        ReplyFaults faults = Faults;
        double draw;
        int place;
        byte[]? earlier;
        lock (_lock)
        {
            draw = _random.NextDouble();
            place = _random.Next(reply.Length);
            earlier = _earlier;
            if (reply.Length > 100) _earlier = reply;
        }

        bool Chosen(double share)
        {
            bool isChosen = draw >= 0 && draw < share;
            draw = isChosen ? -1 : draw - share;
            if (isChosen) FaultCount++;
            return isChosen;
        }

        if (Chosen(faults.Cut))
        {
            await to.SendAsync(reply.AsMemory(0, place), SocketFlags.None, _stop.Token);
            throw new IOException("cut");
        }

        if (Chosen(faults.Stall))
        {
            await to.SendAsync(reply.AsMemory(0, place), SocketFlags.None, _stop.Token);
            await Task.Delay(Timeout.Infinite, _stop.Token);
        }

        if (Chosen(faults.Delay)) await Task.Delay(faults.DelayTime, _stop.Token);
        if (Chosen(faults.FlipBit)) reply[place] ^= (byte)(1 << (place % 8));
        if (Chosen(faults.Truncate)) reply = reply[..^Math.Min(reply.Length - 1, 1 + (place % 5))];
        if (Chosen(faults.WrongLength) && reply.AsSpan().StartsWith("VA 4"u8)) reply[3] = (byte)'3';
        if (Chosen(faults.Replay) && earlier is not null && reply.Length == earlier.Length)
        {
            // The line, whose number fits, with somebody else's bytes behind it.
            int line = reply.AsSpan().IndexOf((byte)'\n') + 1;
            earlier.AsSpan(line).CopyTo(reply.AsSpan(line));
        }

        if (Chosen(faults.Omit)) return held;
        if (held is null && Chosen(faults.Swap)) return reply;
        byte[] sent = Chosen(faults.Duplicate) ? [.. reply, .. reply] : reply;
        if (held is not null) sent = [.. sent, .. held];
        await to.SendAsync(sent, SocketFlags.None, _stop.Token);
        return null;
    }

    /// <summary>The length of the first whole reply; 0 when none is whole.</summary>
    private static int WholeReply(byte[] bytes, int from)
    {
        int line = bytes.AsSpan(from).IndexOf((byte)'\n') + 1;
        if (line == 0 || !bytes.AsSpan(from).StartsWith("VA "u8)) return line;
        if (!Utf8Parser.TryParse(bytes.AsSpan(from + 3), out int length, out _)) return line;
        int whole = line + length + 2;
        return bytes.Length - from >= whole ? whole : 0;
    }
}
