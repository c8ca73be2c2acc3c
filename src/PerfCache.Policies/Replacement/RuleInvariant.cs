// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Memory;

namespace PerfCache.Policies.Replacement;

/// <summary>The invariant that every rule shares.</summary>
internal static class RuleInvariant
{
    /// <summary>A rule keeps each resident frame in exactly one place, so its places sum up to the resident pages.</summary>
    internal static void CheckAllResident(CacheSpace space, long kept)
    {
        if (kept != space.RuleFrameCount)
            throw new InvariantException($"rule: expected {space.RuleFrameCount} frames on its lists, found {kept}");
    }
}
