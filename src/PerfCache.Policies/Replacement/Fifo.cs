// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// First in, first out: the cheapest rule, and the floor that any other has to beat. Textbook rule.
/// </summary>
/// <remarks>
/// Remembers: one list by arrival. Hit: nothing. Insert: at the head. Victim: the tail.
/// A flag rule that uses no flag: a hit writes nothing at all.
/// </remarks>
public struct Fifo : IFlagRules
{
    private CacheSpace _space;
    private FrameList _list;

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.Flag;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <summary>The pages, last arrived first.</summary>
    public readonly FrameList List => _list;

    /// <inheritdoc/>
    public static HitEffect OnHit(FrameState state) => HitEffect.None;

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        _space = space;
        _list = space.NewList("fifo list");
    }

    /// <inheritdoc/>
    public readonly void OnDeferredHit(FrameId frame)
    {
    }

    /// <inheritdoc/>
    public readonly void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess) => _list.PushHead(frame);

    /// <inheritdoc/>
    public readonly void OnArrive(FrameId frame) => _list.PushHead(frame);

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
