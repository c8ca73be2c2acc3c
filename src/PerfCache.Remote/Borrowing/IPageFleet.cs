// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Borrowing;

/// <summary>Names one version of one page at a server. The version is part of the name, so that a late store of an old
/// version can never answer a question for a newer one.</summary>
/// <param name="ObjectId">The object (file, table) in the borrower's cache.</param>
/// <param name="Page">The page within the object.</param>
/// <param name="Generation">The version of the page, kept by the borrower.</param>
internal readonly record struct RemotePageKey(ulong ObjectId, ulong Page, uint Generation);

/// <summary>What came of asking a server for one page.</summary>
internal enum FleetOutcome : byte
{
    /// <summary>Nobody was asked, or the deadline came first: the server may still have it.</summary>
    NoAnswer,

    /// <summary>The server answered that it does not have it.</summary>
    Missing,

    /// <summary>Bytes came, as many as were asked for. Whether they are the right ones is for the borrower to say.</summary>
    Found,
}

/// <summary>One page that is asked for: written by the asker, answered in place.</summary>
internal struct FleetGet
{
    /// <summary>Which.</summary>
    public RemotePageKey Key;

    /// <summary>The server that <see cref="IPageFleet.ServerOf"/> named.</summary>
    public int Server;

    /// <summary>Where the value goes: exactly <see cref="ValueBytes"/> long. Belongs to the fleet until the call has
    /// ended; holds anything unless the outcome is found.</summary>
    public Memory<byte> Destination;

    /// <summary>Bytes of the value; one of another length counts as missing.</summary>
    public readonly int ValueBytes => Destination.Length;

    /// <summary>What came of it.</summary>
    public FleetOutcome Outcome;
}

/// <summary>Hears what came of pages that were sent. Called on a thread of the fleet; must not wait.</summary>
internal interface IFleetListener
{
    /// <summary>A store has ended.</summary>
    /// <param name="key">Of what.</param>
    /// <param name="server">Where.</param>
    /// <param name="stored">False when the server refused it, went away, or did not answer in time.</param>
    void PutEnded(in RemotePageKey key, int server, bool stored);

    /// <summary>A server was lost, or came back without what it had: all its pages are gone.</summary>
    /// <param name="server">Which.</param>
    void ServerLost(int server);
}

/// <summary>
/// Servers that keep pages, as a borrower sees them: stock memcached or our lender, over any transport.
/// </summary>
/// <remarks>Nothing of it blocks but the gets, and those only until their deadline. A server that fails costs its pages
/// and nothing else; it is tried again with back-off.</remarks>
internal interface IPageFleet : IAsyncDisposable
{
    /// <summary>How many servers there are, whether they answer or not.</summary>
    int ServerCount { get; }

    /// <summary>The server that keeps a page, by rendezvous hashing over all servers that are in service.</summary>
    /// <returns>Its number; -1 when none is in service (down, or suspended for being slow or refusing).</returns>
    int ServerOf(ulong objectId, ulong page);

    /// <summary>True when a server may be asked now: there is a connection, and it is neither slow nor silent.</summary>
    bool CanGet(int server);

    /// <summary>Copies a value into a send buffer and lets a thread of the fleet send it with others. Never waits, never
    /// allocates.</summary>
    /// <returns>False, with nothing done, when no send buffer is free or the server is not in service.</returns>
    bool TryPut(in RemotePageKey key, int server, ReadOnlySpan<byte> value);

    /// <summary>Asks, without waiting and as far as there is room, that the server forgets a version.</summary>
    void Forget(in RemotePageKey key, int server);

    /// <summary>Asks for pages, of several servers side by side, in one batch for each; returns when all are answered or
    /// the deadline is there. Late answers are thrown away and never touch the destinations.</summary>
    /// <param name="gets">The pages.</param>
    /// <param name="deadline">How long, from now.</param>
    ValueTask GetAsync(Memory<FleetGet> gets, TimeSpan deadline);

    /// <summary>The same on the caller's thread, for callers that may wait there.</summary>
    void Get(Memory<FleetGet> gets, TimeSpan deadline);

    /// <summary>The time that a get of this server is worth waiting for: adaptive, from the p99 that was seen.</summary>
    TimeSpan DeadlineOf(int server);
}
