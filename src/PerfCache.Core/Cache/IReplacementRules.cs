// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;

namespace PerfCache.Cache;

/// <summary>Which of the two contracts a rule follows.</summary>
public enum RuleKind
{
    /// <summary>A hit decides by the state word of the frame alone (<see cref="IFlagRules"/>).</summary>
    Flag,

    /// <summary>Every hit may move the frame on a list (<see cref="IListRules"/>).</summary>
    List,
}

/// <summary>What a hit does to the frame, decided by a flag rule from the state word alone.</summary>
/// <remarks>Packed into an int so that the whole decision folds into compares and one byte store.</remarks>
public readonly record struct HitEffect
{
    private const int NoneCode = -1;
    private const int DeferBit = 1 << 8;
    private readonly int _code;

    private HitEffect(int code) => _code = code;

    /// <summary>The hit changes nothing.</summary>
    public static HitEffect None => new(NoneCode);

    /// <summary>True for <see cref="None"/>.</summary>
    public bool IsNone => _code == NoneCode;

    /// <summary>True when <see cref="IReplacementRules.OnDeferredHit"/> is to be called.</summary>
    public bool Defers => (_code & DeferBit) != 0;

    /// <summary>The value that the referenced byte gets.</summary>
    public byte Referenced => (byte)_code;

    /// <summary>True when a frame in this state has the mark, and the rule need not be called; False for None.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool LeavesAsIs(ulong word) => _code == (byte)word;

    /// <summary>The hit sets the referenced byte, or finds it set.</summary>
    public static HitEffect Mark(byte referenced) => new(referenced);

    /// <summary>The hit sets the referenced byte, and the rule wants to be called under the lock, soon.</summary>
    public static HitEffect MarkAndDefer(byte referenced) => new(referenced | DeferBit);
}

/// <summary>
/// A replacement rule: it decides where a page goes when it comes in, what a hit does, and which frames to free.
/// The cache does everything else.
/// </summary>
/// <remarks>
/// A rule is a struct used as a type parameter, so that its verbs are compiled into the cache and none is a virtual
/// call. It keeps its own state in its fields and in lists made from the <see cref="CacheSpace"/>; a frame that is not
/// free belongs to the rule, which keeps it on a list (or in a batch of its own) until it evicts it or is told that it
/// goes. A rule reads no clock and never waits. Except for <see cref="OnHit"/>, every verb runs under the cache's lock.
/// <para>Implement <see cref="IFlagRules"/> or <see cref="IListRules"/>, not this interface alone.</para>
/// </remarks>
public interface IReplacementRules
{
    /// <summary>The contract that the rule follows; a constant, so that the other branch is not compiled.</summary>
    static abstract RuleKind Kind { get; }

    /// <summary>
    /// Flag rules: what a hit does, from the frame's state alone. Pure, and called without a lock from many threads;
    /// when the frame changes at the same time, either answer is acceptable. List rules are never asked.
    /// </summary>
    static abstract HitEffect OnHit(FrameState state);

    /// <summary>
    /// True where an access through the reader that read the same page last counts like any other; false (linux-*) where
    /// it does not, as in the kernel (<see cref="PageReader"/>). A constant.
    /// </summary>
    static virtual bool CountsRepeats => true;

    /// <summary>
    /// True for a rule that remembers pages which are gone (<see cref="CacheSpace.EvictToGhost(FrameId, out FrameId)"/>). A constant: without
    /// it <see cref="GhostRowCount"/> and <see cref="OnMiss"/> are not called.
    /// </summary>
    static virtual bool UsesGhosts => false;

    /// <summary>
    /// True for a list rule whose hits read the state of the frame, so that it is asked for when hits are known beforehand. A
    /// constant, and a hint: the state may be read without it.
    /// </summary>
    static virtual bool HitsReadState => false;

    /// <summary>
    /// True for a list rule that reads a column of its own with each access (<see cref="HintAccess"/>). A constant: without it
    /// <see cref="HintAccess"/> is not called.
    /// </summary>
    static virtual bool HintsAccesses => false;

    /// <summary>
    /// True for a list rule with ghosts that may drop some when a page is hit, not only when one is missed. A constant.
    /// </summary>
    static virtual bool HitsDropGhosts => false;

    /// <summary>
    /// True for a rule that evicts one page at a time and can name it beforehand (<see cref="TakeVictim"/>):
    /// <see cref="MetadataCache{TRules, TMode}"/> then puts the page that comes in straight into the frame of the one that
    /// goes. A constant: without it <see cref="TakeVictim"/> is not called.
    /// </summary>
    static virtual bool TakesVictims => false;

    /// <summary>The most ghosts that the rule will have at a time; asked once, before <see cref="Attach"/>.</summary>
    /// <param name="frameCount">The most frames that the cache, or the rule's partition of it, will have.</param>
    uint GhostRowCount(uint frameCount) => 0;

    /// <summary>Called once, before the verbs below: the rule makes its lists and all else that it keeps, and remembers the
    /// space. A cache on several nodes attaches a copy of the rule to the space of each.</summary>
    void Attach(CacheSpace space);

    /// <summary>
    /// List rules with ghosts: a page is missed, and a frame for it will be looked for now. For rules whose next victim
    /// depends on the page that comes in; flag rules, of which several misses may be under way, are not told.
    /// </summary>
    /// <param name="shadow">The shadow in the page's slot, or <see cref="ShadowEntry.None"/>. A rule that drops its ghost
    /// here is not shown it again by <see cref="OnInsert"/>.</param>
    void OnMiss(ShadowEntry shadow)
    {
    }

    /// <summary>
    /// A page will be read soon: the rule may ask for the memory that this will touch
    /// (<see cref="Memory.NativeArray{T}.Prefetch"/>), and do nothing else.
    /// </summary>
    /// <param name="page">The page.</param>
    /// <param name="row">The row of the table that its slot names at the moment, a frame or a ghost; by then it may be
    /// another. <see cref="FrameId.None"/> where there is none.</param>
    void HintAccess(PageKey page, FrameId row)
    {
    }

    /// <summary>
    /// Flag rules: a hit said <see cref="HitEffect.Defers"/>; it may have happened a while ago, and the same frame may
    /// be named twice. List rules: a hit, now.
    /// </summary>
    void OnDeferredHit(FrameId frame);

    /// <summary>A page has come into a frame that was free.</summary>
    /// <param name="frame">The frame: live, on no list, without flags.</param>
    /// <param name="shadow">What the page left behind when it was evicted last, if that is still known. Where it names a
    /// ghost, that one is the rule's to drop (<see cref="CacheSpace.DropGhost"/>).</param>
    /// <param name="countsAsAccess">False when the access that caused this is a repetition which the reader does not
    /// count (<see cref="PageReader"/>).</param>
    void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess);

    /// <summary>Chooses frames and evicts them, by <see cref="CacheSpace.Evict(FrameId, ShadowEntry)"/>.</summary>
    /// <returns>The number of frames freed: at least one, unless none can be, and at most
    /// <see cref="CacheSpace.ReclaimMax"/>. A frame that the space would not free
    /// (somebody holds it) is off the rule's hands; it comes back by <see cref="OnInsert"/> when it is let go.</returns>
    int Reclaim();

    /// <summary>
    /// Chooses the page that <see cref="Reclaim"/> would evict and takes its frame off the rule's lists, but does not evict:
    /// the cache does, and the frame comes back by <see cref="OnInsert"/> with another page.
    /// </summary>
    /// <param name="ghost">The ghost that stands for the page from now on
    /// (<see cref="CacheSpace.AddGhost"/>), already where the rule keeps its ghosts, or <see cref="FrameId.None"/>.</param>
    /// <returns>The frame, or <see cref="FrameId.None"/> when there is none.</returns>
    FrameId TakeVictim(out FrameId ghost) => throw new NotSupportedException("the rule names no victims");

    /// <summary>The page in this frame goes for another reason than reclaim: the rule must forget the frame.</summary>
    void OnRemove(FrameId frame);

    /// <summary>Checks the rule's own invariants. For tests.</summary>
    void Validate();
}

/// <summary>
/// A rule whose hits look at the state word only (linux-*, fifo, clock, sieve, s3-fifo), so they need no lock. A cache
/// that serves hits without one constrains its rule to this interface; <see cref="MetadataCache{TRules, TMode}"/> takes a
/// lock or has one thread, and accepts both kinds.
/// </summary>
public interface IFlagRules : IReplacementRules
{
    /// <summary>
    /// Bits of the state word that are all a hit needs to see: where they are <see cref="SettledState"/>,
    /// <see cref="IReplacementRules.OnHit"/> would change nothing. A constant; 0 for a rule that has no such state, whose
    /// hits are always asked.
    /// </summary>
    /// <remarks>The state that most hits find: it is recognised together with "live, not locked", by one compare.
    /// </remarks>
    static virtual ulong SettledMask => 0;

    /// <summary>The value of the bits of <see cref="SettledMask"/> in that state; a constant.</summary>
    static virtual ulong SettledState => 0;

    /// <summary>
    /// A page has come into a frame of this rule with flags and mark, which the rule keeps: it was migrated from another
    /// node, or <see cref="OnRefaultElsewhere"/> gave it flags there. It goes where pages with such flags are, as the
    /// youngest.
    /// </summary>
    /// <param name="frame">The frame: live, on no list.</param>
    void OnArrive(FrameId frame);

    /// <summary>
    /// A page whose shadow this rule left comes back into a frame of another node of its partition, which has a copy of
    /// this rule. The shadow's ages are this rule's; where it names a ghost, that one is to be dropped.
    /// </summary>
    /// <param name="shadow">The shadow.</param>
    /// <param name="countsAsAccess">As in <see cref="IReplacementRules.OnInsert"/>.</param>
    /// <returns>The flags and the mark of <see cref="FrameState"/> with which the page comes in there
    /// (<see cref="OnArrive"/>): what <see cref="IReplacementRules.OnInsert"/> would have set here. 0: as a page that left no
    /// shadow.</returns>
    ulong OnRefaultElsewhere(ShadowEntry shadow, bool countsAsAccess) => 0;
}

/// <summary>
/// A rule that moves frames on a hit (lru, 2q, arc, lirs, lfu, w-tinylfu, belady): every hit runs under the lock.
/// For replay, simulation and single-threaded use.
/// </summary>
public interface IListRules : IReplacementRules;
