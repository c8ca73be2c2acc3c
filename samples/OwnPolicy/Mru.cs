// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;
using PerfCache.Memory;

namespace OwnPolicy;

/// <summary>
/// Most recently used: the victim is the page that was used last. Right for a loop over more pages than fit: what was
/// just used comes around last.
/// </summary>
/// <remarks>A list rule: every hit moves its page, so it replays and simulates, and does not run live.</remarks>
internal struct Mru : IListRules
{
    private CacheSpace _space;
    private FrameList _list;

    public static RuleKind Kind => RuleKind.List;

    // List rules are not asked: OnDeferredHit is called for each hit.
    public static HitEffect OnHit(FrameState state) => HitEffect.None;

    public void Attach(CacheSpace space)
    {
        _space = space;
        _list = space.NewList("mru list");
    }

    public readonly void OnDeferredHit(FrameId frame) => _list.MoveToHead(frame);

    public readonly void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess) => _list.PushHead(frame);

    public readonly int Reclaim()
    {
        FrameId victim = _list.Head;
        if (victim.IsNone) return 0;
        // Off the rule's lists first, then evicted.
        _list.Remove(victim);
        return _space.Evict(victim, ShadowEntry.None) ? 1 : 0;
    }

    public readonly void OnRemove(FrameId frame) => _list.Remove(frame);

    public readonly void Validate()
    {
        _list.Validate();
        if (_list.Count != _space.RuleFrameCount)
            throw new InvariantException($"mru: expected {_space.RuleFrameCount} frames, found {_list.Count}");
    }
}
