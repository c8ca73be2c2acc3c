// SPDX-License-Identifier: MIT
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace PerfCache.Remote.Borrowing;

/// <summary>
/// A connection in TLS that looks like a plain one: one end of a local pair of sockets is handed out, and two tasks carry
/// bytes between the other end and the encrypted stream.
/// </summary>
/// <remarks>
/// The fleet waits for plain sockets, several at once and each until a deadline, and drops a wait without losing bytes; an
/// SslStream can do neither. One more copy of each byte is little beside its encryption. Closing either end closes both.
/// </remarks>
internal static class TlsBridge
{
    private const int UnixFamily = 1;
    private const int StreamType = 1;
    private const int CloseOnExec = 0x80000;
    private const int BufferBytes = 64 * 1024;

    /// <summary>Puts TLS on a connection.</summary>
    /// <param name="connected">The connection; taken over, also when this fails.</param>
    /// <param name="options">How; the name to check must be in it.</param>
    /// <param name="cancellation">Ends the handshake.</param>
    /// <returns>The plain end.</returns>
    internal static async Task<Socket> OpenAsync(
        Socket connected, SslClientAuthenticationOptions options, CancellationToken cancellation)
    {
        SslStream stream = new(new NetworkStream(connected, ownsSocket: true));
        try
        {
            await stream.AuthenticateAsClientAsync(options, cancellation).ConfigureAwait(false);
            int[] pair = new int[2];
            if (SocketPair(UnixFamily, StreamType | CloseOnExec, 0, pair) != 0)
                throw new IOException("the system gives no pair of sockets");
            Socket outer = new(new SafeSocketHandle(pair[0], ownsHandle: true));
            Socket inner = new(new SafeSocketHandle(pair[1], ownsHandle: true));
            _ = CarryBothAsync(inner, stream);
            return outer;
        }
        catch
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task CarryBothAsync(Socket inner, SslStream stream)
    {
        using (inner)
        await using (stream.ConfigureAwait(false))
        {
            // The first one that ends ends the other: its socket and stream are closed under it.
            await Task.WhenAny(CarryOutAsync(inner, stream), CarryInAsync(stream, inner)).ConfigureAwait(false);
        }
    }

    private static async Task CarryOutAsync(Socket from, SslStream to)
    {
        byte[] buffer = new byte[BufferBytes];
        try
        {
            while (true)
            {
                int count = await from.ReceiveAsync(buffer, SocketFlags.None).ConfigureAwait(false);
                if (count == 0) return;
                await to.WriteAsync(buffer.AsMemory(0, count)).ConfigureAwait(false);
            }
        }
        catch (Exception failure) when (IsEnd(failure))
        {
            // The end shows at the other side as the end of a connection.
        }
    }

    private static async Task CarryInAsync(SslStream from, Socket to)
    {
        byte[] buffer = new byte[BufferBytes];
        try
        {
            while (true)
            {
                int count = await from.ReadAsync(buffer).ConfigureAwait(false);
                if (count == 0) return;
                for (int sent = 0; sent < count;)
                    sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), SocketFlags.None).ConfigureAwait(false);
            }
        }
        catch (Exception failure) when (IsEnd(failure))
        {
            // As above.
        }
    }

    private static bool IsEnd(Exception failure) =>
        failure is IOException or ObjectDisposedException or SocketException or InvalidOperationException;

    [DllImport("libc", EntryPoint = "socketpair")]
    private static extern int SocketPair(int family, int type, int protocol, [Out] int[] pair);
}
