// SPDX-License-Identifier: MIT
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace PerfCache.Remote.Server;

/// <summary>Receives and sends on a socket that does not block, by the system's own calls.</summary>
/// <remarks>
/// A loop serves its sockets from one thread and closes them there, so it needs neither the count of users that the runtime's
/// calls keep for each nor what they do to find out whether the socket blocks.
/// Linux only, as <see cref="OsPoll"/>.
/// </remarks>
internal static class OsSocket
{
    private const int DontWait = 0x40;
    private const int NoSignal = 0x4000;
    private const int Interrupted = 4;
    private const int WouldBlock = 11;

    /// <summary>Receives what is there.</summary>
    /// <param name="descriptor">The socket's.</param>
    /// <param name="room">Where to; not empty.</param>
    /// <param name="received">The number of bytes; 0 when the other side has ended.</param>
    /// <returns>Success, WouldBlock when nothing is there, or that the connection is broken.</returns>
    internal static SocketError Receive(nint descriptor, Span<byte> room, out int received)
    {
        while (true)
        {
            nint bytes = Receive((int)descriptor, ref MemoryMarshal.GetReference(room), (nuint)room.Length, DontWait);
            if (Ends(bytes, out received, out SocketError error)) return error;
        }
    }

    /// <summary>Sends as much as the system takes.</summary>
    /// <param name="descriptor">The socket's.</param>
    /// <param name="bytes">What to send; not empty.</param>
    /// <param name="sent">The number of bytes.</param>
    /// <returns>Success, WouldBlock when there is no room, or that the connection is broken.</returns>
    internal static SocketError Send(nint descriptor, ReadOnlySpan<byte> bytes, out int sent)
    {
        while (true)
        {
            nint taken = Send(
                (int)descriptor, ref MemoryMarshal.GetReference(bytes), (nuint)bytes.Length, DontWait | NoSignal);
            if (Ends(taken, out sent, out SocketError error)) return error;
        }
    }

    /// <returns>False when a signal came in between, and the call is to be made again.</returns>
    private static bool Ends(nint result, out int bytes, out SocketError error)
    {
        bytes = (int)Math.Max(0, result);
        error = SocketError.Success;
        if (result >= 0) return true;
        int number = Marshal.GetLastPInvokeError();
        error = number == WouldBlock ? SocketError.WouldBlock : SocketError.ConnectionReset;
        return number != Interrupted;
    }

    [DllImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static extern nint Receive(int descriptor, ref byte buffer, nuint bytes, int flags);

    [DllImport("libc", EntryPoint = "send", SetLastError = true)]
    private static extern nint Send(int descriptor, ref byte buffer, nuint bytes, int flags);
}
