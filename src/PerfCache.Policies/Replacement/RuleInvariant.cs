// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Policies.Replacement;

/// <summary>The invariants that rules share, and how a rule says that one of its own does not hold.</summary>
internal static class RuleInvariant
{
    /// <summary>A rule keeps each resident frame in exactly one place, so its places sum up to the resident pages.</summary>
    internal static void CheckAllResident(CacheSpace space, long kept)
    {
        if (kept != space.RuleFrameCount)
            throw new InvariantException($"rule: expected {space.RuleFrameCount} frames on its lists, found {kept}");
    }

    /// <summary>Fails unless <paramref name="holds"/>: for the Validate() of a rule.</summary>
    internal static void Check(bool holds, string rule, string expected, object found)
    {
        if (!holds) throw new InvariantException($"{rule}: expected {expected}, found {found}");
    }

    /// <summary>Marks count no further than the rule lets them.</summary>
    internal static void CheckMarks(FrameTable frames, FrameList list, byte markMax, string invariant)
    {
        foreach (FrameId frame in list.FromHead())
        {
            byte mark = frames.Head(frame).Referenced;
            if (mark > markMax)
                throw new InvariantException($"{list.Name}: expected {invariant}: {frame}'s mark at most {markMax}, found {mark}");
        }
    }
}
