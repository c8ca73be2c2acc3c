// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Protocol;

namespace PerfCache.Remote.Server;

/// <summary>Connections that speak TLS. The encryption costs more than any loop could spare, so these are tasks.</summary>
internal sealed partial class MemcachedServer
{
    private const int TlsInputBytes = 32 * 1024;
    private const int TlsFlushBytes = 64 * 1024;

    private readonly CancellationTokenSource _tlsStop = new();
    private int _tlsCount;

    private async Task AcceptTlsAsync(Socket listener)
    {
        while (!_tlsStop.IsCancellationRequested)
        {
            Socket socket;
            try
            {
                socket = await listener.AcceptAsync(_tlsStop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (SocketException)
            {
                Interlocked.Increment(ref _failures);
                await Task.Delay(10).ConfigureAwait(false);
                continue;
            }

            Interlocked.Increment(ref _accepted);
            if (ConnectionCount >= Options.ConnectionsMax)
            {
                Interlocked.Increment(ref _rejected);
                socket.Dispose();
                continue;
            }

            Interlocked.Increment(ref _tlsCount);
            socket.NoDelay = true;
            _ = ServeTlsAsync(socket);
        }
    }

    private async Task ServeTlsAsync(Socket socket)
    {
        // Off the thread that accepts, which must not wait for a handshake.
        await Task.Yield();
        MemcachedSession? session = null;
        try
        {
            NetworkStream network = new(socket, ownsSocket: true);
            SslStream stream = new(network);
            await using (stream.ConfigureAwait(false))
            {
                using (CancellationTokenSource handshake = CancellationTokenSource.CreateLinkedTokenSource(_tlsStop.Token))
                {
                    handshake.CancelAfter(Options.HandshakeTimeout);
                    await stream.AuthenticateAsServerAsync(Options.Tls!, handshake.Token).ConfigureAwait(false);
                }

                session = Register(new MemcachedSession(_settings, StoreOf(stream)));
                await TalkTlsAsync(stream, session).ConfigureAwait(false);
            }
        }
        catch (Exception failure) when (failure is IOException or OperationCanceledException or SocketException
            or System.Security.Authentication.AuthenticationException or ObjectDisposedException)
        {
            // The client went away, was too slow, or is not who he must be.
            NoteFailure(failure);
        }
        finally
        {
            if (session is not null) Closed(session);
            socket.Dispose();
            Interlocked.Decrement(ref _tlsCount);
        }
    }

    private LendableStore StoreOf(SslStream stream)
    {
        if (stream.RemoteCertificate is not { } certificate) return _stores.Default;
        using X509Certificate2 known = new(certificate);
        return _stores.Find("tls:" + known.GetNameInfo(X509NameType.SimpleName, forIssuer: false)) ?? _stores.Default;
    }

    private async Task TalkTlsAsync(SslStream stream, MemcachedSession session)
    {
        byte[] input = ArrayPool<byte>.Shared.Rent(TlsInputBytes);
        using ReplyBuffer reply = new(TlsFlushBytes) { FlushAt = TlsFlushBytes };
        int kept = 0;
        int charged = 0;
        try
        {
            while (true)
            {
                if (session.WantedBytes > input.Length || kept == input.Length)
                    input = GrowTls(input, kept, session, ref charged);
                TimeSpan limit = session.NeedsLogin ? Options.HandshakeTimeout
                    : !session.IsIdle ? Options.RequestTimeout
                    : Options.IdleTimeout > TimeSpan.Zero ? Options.IdleTimeout : Timeout.InfiniteTimeSpan;
                using CancellationTokenSource late = CancellationTokenSource.CreateLinkedTokenSource(_tlsStop.Token);
                late.CancelAfter(limit);
                int received = await stream.ReadAsync(input.AsMemory(kept), late.Token).ConfigureAwait(false);
                if (received == 0) return;
                session.Counters.BytesRead += received;
                kept += received;
                late.CancelAfter(Options.RequestTimeout);
                SessionVerdict verdict;
                do
                {
                    verdict = session.Process(input.AsSpan(0, kept), reply, out int consumed);
                    input.AsSpan(consumed, kept - consumed).CopyTo(input);
                    kept -= consumed;
                    await stream.WriteAsync(reply.WrittenMemory, late.Token).ConfigureAwait(false);
                    session.Counters.BytesWritten += reply.Length;
                    reply.Clear();
                }
                while (verdict == SessionVerdict.ReplyFull);
                if (verdict == SessionVerdict.Close) return;
            }
        }
        finally
        {
            InFlight.Give(charged);
            ArrayPool<byte>.Shared.Return(input);
        }
    }

    /// <summary>A larger buffer, or the same one and a session that refuses what does not fit.</summary>
    private byte[] GrowTls(byte[] input, int kept, MemcachedSession session, ref int charged)
    {
        int wanted = Math.Max(session.WantedBytes, kept * 2);
        byte[] larger = ArrayPool<byte>.Shared.Rent(wanted);
        if (!InFlight.TryTake(larger.Length))
        {
            ArrayPool<byte>.Shared.Return(larger);
            session.InputRefused = true;
            if (kept == input.Length) throw new IOException("no room for the rest of a command");
            return input;
        }

        input.AsSpan(0, kept).CopyTo(larger);
        InFlight.Give(charged);
        charged = larger.Length;
        ArrayPool<byte>.Shared.Return(input);
        return larger;
    }

    private void StopTls(TimeSpan timeout)
    {
        long until = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        _tlsStop.CancelAfter(TimeSpan.FromMilliseconds(100));
        SpinWait wait = default;
        while (Volatile.Read(ref _tlsCount) > 0 && Environment.TickCount64 < until) wait.SpinOnce();
    }
}
