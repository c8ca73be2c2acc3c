// SPDX-License-Identifier: MIT
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PerfCache.Tests.Remote;

/// <summary>A client that says lines and reads lines, with a deadline on each wait.</summary>
internal sealed class TextPeer : IDisposable
{
    private readonly byte[] _bytes = new byte[64 * 1024];
    private int _from;
    private int _end;

    internal TextPeer(EndPoint server)
    {
        Socket = new Socket(
            server.AddressFamily, SocketType.Stream,
            server is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified)
        {
            ReceiveTimeout = 10_000,
            SendTimeout = 10_000,
        };
        // Or every second small piece waits for the other side's delayed acknowledgement.
        if (server is IPEndPoint) Socket.NoDelay = true;
        Socket.Connect(server);
    }

    internal Socket Socket { get; }

    internal void Send(string text) => Socket.Send(Encoding.Latin1.GetBytes(text));

    /// <summary>A line without its end; null when the server has closed the connection.</summary>
    internal string? Line()
    {
        StringBuilder line = new();
        while (true)
        {
            if (Byte() is not { } next) return line.Length == 0 ? null : line.ToString();
            if (next == '\n') return line.ToString().TrimEnd('\r');
            line.Append((char)next);
        }
    }

    /// <summary>So many bytes as text.</summary>
    internal string Text(int count)
    {
        StringBuilder text = new();
        while (text.Length < count && Byte() is { } next) text.Append((char)next);
        return text.ToString();
    }

    /// <summary>Says something, then "mn", and returns all lines of the answer.</summary>
    internal List<string> Ask(string request)
    {
        Send(request + "mn\r\n");
        List<string> lines = [];
        while (Line() is { } line && line != "MN") lines.Add(line);
        return lines;
    }

    /// <summary>As <see cref="Ask"/> for several requests that are under way together.</summary>
    internal List<List<string>> AskAll(IReadOnlyList<string> requests)
    {
        Send(string.Concat(requests.Select(request => request + "mn\r\n")));
        List<List<string>> answers = [];
        foreach (string _ in requests)
        {
            List<string> lines = [];
            while (Line() is { } line && line != "MN") lines.Add(line);
            answers.Add(lines);
        }

        return answers;
    }

    public void Dispose() => Socket.Dispose();

    private byte? Byte()
    {
        if (_from == _end)
        {
            _from = 0;
            try
            {
                _end = Socket.Receive(_bytes);
            }
            catch (SocketException failure) when (failure.SocketErrorCode == SocketError.ConnectionReset)
            {
                _end = 0;
            }

            if (_end == 0) return null;
        }

        return _bytes[_from++];
    }
}
