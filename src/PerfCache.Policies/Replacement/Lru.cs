// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// Least recently used: the yardstick of all others. Textbook rule (e.g. Mattson et al., "Evaluation techniques for
/// storage hierarchies", IBM Systems Journal 9(2), 1970).
/// </summary>
/// <remarks>
/// Remembers: one list by last use. Hit: to the head. Insert: at the head. Victim: the tail.
/// A list rule, because every hit moves its page.
/// </remarks>
public struct Lru : IListRules
{
    private CacheSpace _space;
    private FrameList _list;

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.List;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <summary>The pages, most recently used first.</summary>
    public readonly FrameList List => _list;

    /// <inheritdoc/>
    public static HitEffect OnHit(FrameState state) => HitEffect.None;

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        _space = space;
        _list = space.NewList("lru list");
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void OnDeferredHit(FrameId frame) => _list.MoveToHead(frame);

    /// <inheritdoc/>
    public readonly void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess) => _list.PushHead(frame);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly FrameId TakeVictim(out FrameId ghost)
    {
        ghost = FrameId.None;
        FrameId victim = _list.PopTail();
        if (!victim.IsNone) _space.PrefetchNextVictim(_list);
        return victim;
    }

    /// <inheritdoc/>
    public readonly int Reclaim() => _space.EvictTaken(TakeVictim(out FrameId ghost), ghost);

    /// <inheritdoc/>
    public readonly void OnRemove(FrameId frame) => _list.Remove(frame);

    /// <inheritdoc/>
    public readonly void Validate()
    {
        _list.Validate();
        RuleInvariant.CheckAllResident(_space, _list.Count);
    }
}
