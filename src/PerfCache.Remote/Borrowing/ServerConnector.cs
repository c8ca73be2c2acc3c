// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace PerfCache.Remote.Borrowing;

/// <summary>Makes connections to one server: reaches it, speaks TLS, logs in. Each within one deadline.</summary>
internal sealed class ServerConnector(ServerAddress address, FleetOptions options, CancellationToken stop)
{
    private const int LineBytesMax = 512;

    // Plenty for a batch of pages; the system doubles it for its own bookkeeping.
    private const int SocketBufferBytes = 512 * 1024;

    private readonly SocketWait _wait = new();

    /// <summary>Makes a connection whose calls never wait.</summary>
    /// <exception cref="IOException">It failed; the message says why.</exception>
    /// <exception cref="SocketException">It cannot be reached.</exception>
    /// <exception cref="OperationCanceledException">The fleet is being closed.</exception>
    internal Socket Connect()
    {
        long until = Stopwatch.GetTimestamp() + (long)(options.ConnectTimeout.TotalSeconds * Stopwatch.Frequency);
        using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(stop);
        late.CancelAfter(options.ConnectTimeout);
        Socket? socket = null;
        try
        {
            socket = address.IsTls ? OpenTlsAsync(late.Token).GetAwaiter().GetResult() : Reach(until, late.Token);
            socket.Blocking = false;
            if (address.User is not null) LogIn(socket, until);
            return socket;
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            socket?.Dispose();
            throw new IOException($"no connection within {options.ConnectTimeout.TotalSeconds:0.###} s");
        }
        catch (System.Security.Authentication.AuthenticationException failure)
        {
            socket?.Dispose();
            throw new IOException($"TLS: {failure.Message}");
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }

    /// <summary>Reaches the server without the runtime's own waiting: a socket that was ever waited for there wakes a thread
    /// of the runtime with each byte.</summary>
    private Socket Reach(long until, CancellationToken late)
    {
        SocketException? last = null;
        foreach (EndPoint endPoint in Resolve(late))
        {
            Socket socket = New(endPoint);
            socket.Blocking = false;
            try
            {
                socket.Connect(endPoint);
                return socket;
            }
            catch (SocketException failure) when (failure.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
            {
                SocketError outcome = AwaitConnected(socket, until);
                if (outcome == SocketError.Success) return socket;
                last = new SocketException((int)outcome);
            }
            catch (SocketException failure)
            {
                last = failure;
            }

            socket.Dispose();
            late.ThrowIfCancellationRequested();
        }

        throw last ?? new SocketException((int)SocketError.HostNotFound);
    }

    private SocketError AwaitConnected(Socket socket, long until)
    {
        _wait.Clear();
        int place = _wait.Add(socket.Handle, writes: true);
        while (true)
        {
            // In short steps, so that a fleet that is closed does not wait for a host that is not there.
            long step = Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 20);
            _wait.WaitUntil(Math.Min(step, until));
            if (_wait.IsReady(place))
                return (SocketError)(int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
            stop.ThrowIfCancellationRequested();
            if (Stopwatch.GetTimestamp() >= until) return SocketError.TimedOut;
        }
    }

    private IEnumerable<EndPoint> Resolve(CancellationToken late)
    {
        if (address.EndPoint is not DnsEndPoint name) return [address.EndPoint];
        IPAddress[] found = Dns.GetHostAddressesAsync(name.Host, late).GetAwaiter().GetResult();
        return found.Select(number => new IPEndPoint(number, name.Port));
    }

    private static Socket New(EndPoint endPoint)
    {
        bool isUnix = endPoint.AddressFamily == AddressFamily.Unix;
        Socket socket = new(endPoint.AddressFamily, SocketType.Stream, isUnix ? ProtocolType.Unspecified : ProtocolType.Tcp)
        {
            SendBufferSize = SocketBufferBytes,
        };
        if (!isUnix) socket.NoDelay = true;
        return socket;
    }

    private async Task<Socket> OpenTlsAsync(CancellationToken late)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address.EndPoint, late).ConfigureAwait(false);
        }
        catch
        {
            socket.Dispose();
            throw;
        }

        SslClientAuthenticationOptions tls = options.Tls ?? new SslClientAuthenticationOptions();
        if (tls.TargetHost is null)
        {
            tls = new SslClientAuthenticationOptions
            {
                TargetHost = address.Host,
                ClientCertificates = tls.ClientCertificates,
                CertificateChainPolicy = tls.CertificateChainPolicy,
                RemoteCertificateValidationCallback = tls.RemoteCertificateValidationCallback,
                CertificateRevocationCheckMode = tls.CertificateRevocationCheckMode,
                EnabledSslProtocols = tls.EnabledSslProtocols,
            };
        }

        return await TlsBridge.OpenAsync(socket, tls, late).ConfigureAwait(false);
    }

    /// <summary>Memcached's login: a store whose value is the name and password.</summary>
    private void LogIn(Socket socket, long until)
    {
        byte[] login = Encoding.UTF8.GetBytes($"{address.User} {address.Password}");
        byte[] request = [.. Encoding.ASCII.GetBytes($"set login 0 0 {login.Length}\r\n"), .. login, .. "\r\n"u8];
        string answer = Exchange(socket, request, until);
        if (answer != "STORED") throw new IOException($"login of '{address.User}' refused: {answer}");
    }

    /// <summary>Sends a request and reads one line.</summary>
    /// <exception cref="IOException">It failed, or no line came in time.</exception>
    internal string Exchange(Socket socket, ReadOnlySpan<byte> request, long until)
    {
        // So short that the buffer of a connection that was just made takes it whole.
        int sent = socket.Send(request, SocketFlags.None, out SocketError error);
        if (error != SocketError.Success || sent != request.Length) throw new IOException($"cannot send: {error}");
        byte[] line = new byte[LineBytesMax];
        int length = 0;
        while (length < line.Length)
        {
            int received = socket.Receive(line.AsSpan(length), SocketFlags.None, out error);
            if (error == SocketError.Success && received > 0)
            {
                length += received;
                int end = line.AsSpan(0, length).IndexOf("\r\n"u8);
                if (end >= 0 && end != length - 2) throw new IOException("more came than was asked for");
                if (end >= 0) return Encoding.ASCII.GetString(line, 0, end);
                continue;
            }

            if (error != SocketError.WouldBlock) throw new IOException("the server closed the connection");
            if (Stopwatch.GetTimestamp() >= until) throw new IOException("no answer in time");
            stop.ThrowIfCancellationRequested();
            _wait.Clear();
            _wait.Add(socket.Handle);
            _wait.WaitUntil(Math.Min(until, Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 20)));
        }

        throw new IOException("an answer without an end");
    }
}
