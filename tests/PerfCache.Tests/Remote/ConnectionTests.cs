// SPDX-License-Identifier: MIT
using System.Net.Sockets;
using PerfCache.Remote.Server;

namespace PerfCache.Tests.Remote;

/// <summary>
/// Goal: a connection that is closed holds nothing and can reach nobody. Method: a connection of a socket of its own, asked
/// before and after it is closed; the system has given the socket's number to another socket by then.
/// </summary>
[TestFixture, Platform("Linux")]
public sealed class ConnectionTests
{
    [Test]
    public void AClosedConnectionGivesItsBytesBackAndReachesNobody()
    {
        InFlightBytes inFlight = new(1 << 20);
        Connection connection = new(NewSocket(), session: null!, id: 1, inFlight);
        nint descriptor = connection.Descriptor;
        Assert.That(connection.TryKeep([1, 2, 3], 100), Is.True);
        Assert.That(connection.TryKeepUnsent([4, 5]), Is.True);
        Assert.That((connection.HasUnsent, inFlight.Bytes > 0), Is.EqualTo((true, true)));

        connection.Close();
        using Socket next = NewSocket();
        Assert.That(descriptor, Is.GreaterThanOrEqualTo((nint)0));
        Assert.That((connection.KeptBytes, connection.HasUnsent, inFlight.Bytes), Is.EqualTo((0, false, 0L)));
        Assert.That(connection.Descriptor, Is.EqualTo((nint)(-1)), "not a number that the system may give away");
        SocketError sending = OsSocket.Send(connection.Descriptor, [6], out int sent);
        SocketError receiving = OsSocket.Receive(connection.Descriptor, new byte[1], out int received);
        Assert.That(sending, Is.Not.AnyOf(SocketError.Success, SocketError.WouldBlock));
        Assert.That(receiving, Is.Not.AnyOf(SocketError.Success, SocketError.WouldBlock));
        Assert.That((sent, received), Is.EqualTo((0, 0)));
    }

    private static Socket NewSocket() => new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
}
