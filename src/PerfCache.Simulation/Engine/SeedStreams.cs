// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Workloads;

namespace PerfCache.Simulation.Engine;

/// <summary>
/// Independent generators from one seed, each named after what it decides ("arrivals", "sizes"). A model that
/// draws once more from one stream leaves all others as they were, so two runs that differ in a remedy see the
/// same packets.
/// </summary>
internal readonly struct SeedStreams(ulong seed)
{
    /// <summary>The generator with a name; the same whenever it is asked for.</summary>
    internal SeededRandom Stream(string name)
    {
        // FNV-1a tells names apart, and the output function of SplitMix64 spreads what differs over all bits.
        ulong hash = 0xcbf29ce484222325;
        foreach (char letter in name) hash = unchecked((hash ^ letter) * 0x100000001b3);
        return new SeededRandom(unchecked(SeededRandom.Mix(seed + SeededRandom.Weyl) ^ SeededRandom.Mix(hash)));
    }
}
