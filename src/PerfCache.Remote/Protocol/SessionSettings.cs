// SPDX-License-Identifier: MIT
using PerfCache.Remote.Lending;

namespace PerfCache.Remote.Protocol;

/// <summary>What the sessions of a server share.</summary>
internal sealed class SessionSettings
{
    /// <summary>The time.</summary>
    internal required ServerClock Clock { get; init; }

    /// <summary>The largest item: key, value and what memcached keeps besides.</summary>
    internal int ItemBytesMax { get; init; } = 1 << 20;

    /// <summary>Who may log in; null where nobody has to.</summary>
    internal PasswordFile? Passwords { get; init; }

    /// <summary>The store of a user that has one of his own.</summary>
    internal Func<string, LendableStore?>? StoreOfUser { get; init; }

    /// <summary>The reply to <c>version</c>.</summary>
    internal byte[] VersionLine { get; init; } = "VERSION 1.6.18-perfcache"u8.ToArray();

    /// <summary>What <c>stats</c> tells of the server; null for nothing.</summary>
    internal IServerFacts? Facts { get; init; }
}

/// <summary>What a server tells of itself.</summary>
internal interface IServerFacts
{
    /// <summary>Writes name and value of each fact.</summary>
    /// <param name="topic">Nothing for the usual ones, or "settings", "conns".</param>
    /// <param name="store">The store of the session that asks.</param>
    /// <param name="add">Takes one.</param>
    /// <returns>False when the topic is unknown.</returns>
    bool TryWrite(string topic, LendableStore store, Action<string, string> add);

    /// <summary>Begins to count anew.</summary>
    void Reset();
}
