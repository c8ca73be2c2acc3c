// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;
using PerfCache.Memory;

namespace OwnPolicy;

/// <summary>
/// First in, first out, but a page that was hit often enough since it last came to the tail goes back to the head.
/// </summary>
/// <remarks>
/// A flag rule: a hit looks at the frame's state and stores one byte at most, so it needs no lock and runs live too.
/// </remarks>
internal struct NthChance(int hits) : IFlagRules
{
    private readonly int _hits = hits;
    private CacheSpace _space = null!;
    private FrameList _list = null!;

    public static RuleKind Kind => RuleKind.Flag;

    // The referenced byte counts hits and stays at its most. OnHit is static and pure: many threads call it at once.
    public static HitEffect OnHit(FrameState state) =>
        HitEffect.Mark((byte)Math.Min(byte.MaxValue, (state.Packed & FrameState.ReferencedMask) + 1));

    // A page that has been hit so often: its hits write nothing.
    public static ulong SettledMask => FrameState.ReferencedMask;

    public static ulong SettledState => byte.MaxValue;

    public void Attach(CacheSpace space)
    {
        _space = space;
        _list = space.NewList("nth-chance list");
    }

    // No hit of this rule asks for more than the byte.
    public readonly void OnDeferredHit(FrameId frame)
    {
    }

    public readonly void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess) => _list.PushHead(frame);

    // Pages keep their count when they are moved to another NUMA node.
    public readonly void OnArrive(FrameId frame) => _list.PushHead(frame);

    public readonly int Reclaim()
    {
        // Live, hits go on meanwhile; once around is enough.
        for (uint left = _list.Count; ; left--)
        {
            FrameId victim = _list.PopTail();
            if (victim.IsNone) return 0;
            if (left == 0 || _space.Frames.Head(victim).Referenced < _hits)
                return _space.Evict(victim, ShadowEntry.None) ? 1 : 0;
            _space.Frames.SetReferenced(victim, 0);
            _list.PushHead(victim);
        }
    }

    public readonly void OnRemove(FrameId frame) => _list.Remove(frame);

    public readonly void Validate()
    {
        _list.Validate();
        if (_list.Count != _space.RuleFrameCount)
            throw new InvariantException($"nth-chance: expected {_space.RuleFrameCount} frames, found {_list.Count}");
    }
}
