// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Borrowing;

/// <summary>
/// Chooses a server for each page: every server draws a number for the page, and the highest wins. When a server goes, only
/// its pages move, each to the one that drew second; when it comes back, they return.
/// </summary>
internal sealed class RendezvousHash
{
    private readonly ulong[] _seeds;

    /// <summary>Takes names that stay the same from run to run; equal names are told apart by their places.</summary>
    internal RendezvousHash(IEnumerable<string> servers) =>
        _seeds = [.. servers.Select((name, place) => Mix(HashOf(name) + (ulong)place))];

    /// <summary>The number that a page itself has in the draw.</summary>
    internal static ulong HashOf(ulong objectId, ulong page) => Mix(Mix(objectId) ^ page);

    /// <summary>What a server draws for a page.</summary>
    internal ulong Draw(int server, ulong pageHash) => Mix(pageHash ^ _seeds[server]);

    private static ulong HashOf(string name)
    {
        ulong hash = 14_695_981_039_346_656_037;
        foreach (char letter in name) hash = (hash ^ letter) * 1_099_511_628_211;
        return hash;
    }

    // The finalizer of SplitMix64: each bit of the input changes half of the output's.
    private static ulong Mix(ulong value)
    {
        value += 0x9e37_79b9_7f4a_7c15;
        value = (value ^ (value >> 30)) * 0xbf58_476d_1ce4_e5b9;
        value = (value ^ (value >> 27)) * 0x94d0_49bb_1331_11eb;
        return value ^ (value >> 31);
    }
}
