// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Hits: everything that takes no lock.</summary>
public unsafe partial class PageCache<TRules, TProbe>
{
    private const ulong LiveAndLocked = FrameState.Live | FrameState.Locked;

    /// <summary>Above this many pins a frame takes no more: the top bit of the count stays clear.</summary>
    private const ulong PinsFull = 1UL << 63;

    /// <summary>Where hits look that take the short way: the index's directories, a load nearer. Where hits are counted there
    /// are none, and every hit goes the other way: that costs the short one no test.</summary>
    private PageIndex.DirectoryView[] _directories = [];

    /// <summary>The same for readers; none while they pin.</summary>
    private PageIndex.DirectoryView[] _directoriesForReaders = [];

    /// <summary>The page as a lease, if it is resident; loads nothing.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="lease">Receives the lease; dispose it.</param>
    /// <returns>False when the page is not resident.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page.</exception>
    /// <exception cref="TimeoutException">A writer has kept the page for itself for too long.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGet(ObjectId owner, ulong page, out PageLease lease)
    {
        if (TryPinSettled(owner, page, out FrameId frame))
        {
            lease = Lease(frame);
            return true;
        }

        // By value: a variable whose address is given away cannot stay in registers.
        lease = TryGetSlow(owner, page);
        return !lease.IsEmpty;
    }

    /// <summary>Looks the page up, checks it and tells the rule, as a hit does, without holding it or reading it.</summary>
    /// <returns>True when the page is resident.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Touch(ObjectId owner, ulong page)
    {
        return TryFindSettled(_directories, owner, page, out _) || TouchSlow(owner, page);
    }

    /// <summary>Copies bytes of a resident page without holding it: the copy is checked by the frame's version.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="offset">Where in the page to begin.</param>
    /// <param name="destination">Receives the bytes; its content is undefined when the answer is false.</param>
    /// <returns>False when the page is not resident.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range is not in a page; there is no such object or page.</exception>
    public bool TryCopy(ObjectId owner, ulong page, int offset, Span<byte> destination)
    {
        if ((uint)offset > (uint)PageBytes || destination.Length > PageBytes - offset) ThrowNotInPage(offset, destination.Length);
        const int TriesMax = 4;
        for (int tries = 0; tries < TriesMax; tries++)
        {
            FrameId frame = FindChecked(owner, page, out ulong word);
            if (frame.IsNone) break;
            TProbe.At(CacheStep.Checked);
            new ReadOnlySpan<byte>(_memory.Address(frame) + offset, destination.Length).CopyTo(destination); // C4
            TProbe.At(CacheStep.Copied);
            MemoryOrder.ReadBarrier(); // C5
            ulong now = Volatile.Read(ref _heads[frame.Value].Word); // C6
            const ulong Same = FrameState.VersionMask | LiveAndLocked;
            if (((now ^ word) & Same) == 0 || TProbe.Omits(CacheCheck.VersionAfterCopy)) return true;
        }

        using PageLease lease = TryGetSlow(owner, page);
        if (lease.IsEmpty) return false;
        lease.Span.Slice(offset, destination.Length).CopyTo(destination);
        return true;
    }

    /// <summary>True when the page is resident. Changes nothing, and the rule hears nothing.</summary>
    public bool Contains(ObjectId owner, ulong page)
    {
        using (_lock.EnterScope())
        {
            if (!_index.IsPage(owner, page)) return false;
            return _index.Entry(_index.FindSlot(owner, page)).IsFrame;
        }
    }

    /// <summary>
    /// L1 to L4 for the usual hit: the object has a directory, and the hit leaves the frame as it is. This alone is
    /// compiled into the callers; everything else lies behind one call, so that the loop around a hit keeps its variables
    /// in registers.
    /// </summary>
    /// <param name="owner">An object of this cache, or not.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="frame">Receives the frame, pinned.</param>
    /// <returns>False when nothing is proved, and <see cref="TryPin(ObjectId, ulong, bool)"/> is the next to ask.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryPinSettled(ObjectId owner, ulong page, out FrameId frame)
    {
        frame = FrameId.None;
        if (!PageIndex.TryFindEntryDense(_directories, _slots, owner, page, out SlotEntry entry) || !entry.IsFrame)
            return false; // L1
        TProbe.At(CacheStep.Found);
        ref FrameHead head = ref entry.HeadIn(_heads);
        ulong word = Interlocked.Add(ref head.Word, FrameState.OnePin); // L2
        TProbe.At(CacheStep.Pinned);
        if ((IsUsualHit(word, LiveAndLocked | PinsFull) && head.Key == new PageKey(owner, page)) // L3, L4
            || TProbe.Omits(CacheCheck.AfterPin))
        {
            frame = entry.Frame;
            return true;
        }

        Interlocked.Add(ref head.Word, FrameState.PinsMask);
        return false;
    }

    /// <summary>The usual hit as addresses instead of a lease, which stay in registers: for the C interface, which keeps
    /// the pin by itself and gives it back with <see cref="PageLease.Unpin"/>.</summary>
    /// <param name="owner">An object of this cache, or not.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="word">Receives the address of the state word that has the pin.</param>
    /// <returns>Where the bytes are, or null: then nothing is proved, and the other verbs are the next to ask.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* TryPinUsual(ObjectId owner, ulong page, out ulong* word)
    {
        word = null;
        if (!TryPinSettled(owner, page, out FrameId frame)) return null;
        word = (ulong*)Unsafe.AsPointer(ref _heads[frame.Value].Word);
        return AddressOf(frame);
    }

    /// <summary>C1 to C3 for the usual hit, as <see cref="TryPinSettled"/>.</summary>
    /// <param name="directories">Those that the caller may look in.</param>
    /// <param name="owner">An object of this cache, or not.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="frame">Receives the frame.</param>
    /// <returns>False when nothing is proved.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryFindSettled(PageIndex.DirectoryView[] directories, ObjectId owner, ulong page, out FrameId frame)
    {
        frame = FrameId.None;
        if (!PageIndex.TryFindEntryDense(directories, _slots, owner, page, out SlotEntry entry) || !entry.IsFrame)
            return false; // C1
        TProbe.At(CacheStep.Found);
        ref FrameHead head = ref entry.HeadIn(_heads);
        ulong word = Volatile.Read(ref head.Word); // C2
        if (!IsUsualHit(word, LiveAndLocked) || head.Key != new PageKey(owner, page)) return false; // C3
        frame = entry.Frame;
        return true;
    }

    /// <summary>L1 to L4, and what the hit does to the frame, unless it is a repetition that does not count.</summary>
    /// <returns>The frame, pinned, or none: then nothing is proved.</returns>
    private FrameId TryPin(ObjectId owner, ulong page, bool countsAsAccess = true)
    {
        SlotEntry entry = _index.FindEntryShared(owner, page); // L1
        if (!entry.IsFrame) return FrameId.None;
        FrameId frame = entry.Frame;
        TProbe.At(CacheStep.Found);
        ref FrameHead head = ref _heads[frame.Value];
        ulong word = Interlocked.Add(ref head.Word, FrameState.OnePin); // L2
        TProbe.At(CacheStep.Pinned);
        if (((word & (LiveAndLocked | PinsFull)) == FrameState.Live && head.Key == new PageKey(owner, page)) // L3, L4
            || TProbe.Omits(CacheCheck.AfterPin))
        {
            if (countsAsAccess) NoteHit(frame, ref head, word);
            else CountHit(ref head);
            return frame;
        }

        Interlocked.Add(ref head.Word, FrameState.PinsMask);
        return FrameId.None;
    }

    /// <summary>C1 to C3, and what the hit does to the frame.</summary>
    private FrameId FindChecked(ObjectId owner, ulong page, out ulong word)
    {
        SlotEntry entry = _index.FindEntryShared(owner, page); // C1
        word = 0;
        if (!entry.IsFrame) return FrameId.None;
        FrameId frame = entry.Frame;
        TProbe.At(CacheStep.Found);
        ref FrameHead head = ref _heads[frame.Value];
        word = Volatile.Read(ref head.Word); // C2
        if ((word & LiveAndLocked) != FrameState.Live || head.Key != new PageKey(owner, page)) return FrameId.None; // C3
        NoteHit(frame, ref head, word);
        return frame;
    }

    /// <summary>What a frame has that is live and nobody's alone, and whose rule has nothing to note: a constant of the
    /// compiled code.</summary>
    private static ulong UsualHit
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => FrameState.Live | TRules.SettledState;
    }

    /// <summary>True when a frame in this state is live and nobody's alone, and a hit changes nothing.</summary>
    /// <param name="word">The state.</param>
    /// <param name="mask">The bits of which only "live" may be set.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsUsualHit(ulong word, ulong mask)
    {
        if (TRules.SettledMask != 0) return (word & (mask | TRules.SettledMask)) == UsualHit;
        HitEffect effect = TRules.OnHit(new FrameState(word));
        return (word & mask) == UsualHit && (effect.IsNone || effect.LeavesAsIs(word));
    }

    /// <summary>The rule's part of a hit: mostly nothing, sometimes a byte, rarely word to the rule.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void NoteHit(FrameId frame, ref FrameHead head, ulong word)
    {
        CountHit(ref head);
        HitEffect effect = TRules.OnHit(new FrameState(word));
        if (!effect.LeavesAsIs(word) && !effect.IsNone) NoteChange(frame, ref head, effect, word);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void NoteChange(FrameId frame, ref FrameHead head, HitEffect effect, ulong word)
    {
        // Only if it is not yet so: a store would take the line away from all other readers.
        if ((byte)word != effect.Referenced)
        {
            head.Referenced = effect.Referenced;
            // A page that was read ahead is not referenced: its first hit comes by here.
            if (_readsAhead) NoteFirstUse(frame);
        }

        if (effect.Defers) Defer(frame, word);
    }

    private void Defer(FrameId frame, ulong word)
    {
        if (!_activations.Add(frame, new FrameState(word).Version)) return;
        // Full: hand over, unless somebody is at work already, who will.
        if (_options.ActivationBatch == 1) Enter();
        else if (!_lock.TryEnter()) return;
        try
        {
            DrainActivations();
        }
        finally
        {
            _lock.Exit();
        }
    }

    /// <summary>Under the lock: shows hits what they may look in; called when any of that has changed.</summary>
    private void ShowDirectories()
    {
        PageIndex.DirectoryView[] directories = _options.CountHits ? [] : _index.Directories;
        Volatile.Write(ref _directories, directories);
        Volatile.Write(ref _directoriesForReaders, _readersPin ? [] : directories);
    }

    /// <summary>Under the lock: tells the rule of the hits that it wanted to hear of.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void DrainActivations()
    {
        if (_activations.HasSome) DrainActivationsNow();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void DrainActivationsNow()
    {
        Receiver receiver = new() { Cache = this };
        _activations.Drain(ref receiver);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private PageLease Lease(FrameId frame) => new(ref _heads[frame.Value], AddressOf(frame), _pageBytes);

    private static void ThrowNotInPage(int offset, int length) => throw new ArgumentOutOfRangeException(
        nameof(offset), $"bytes {offset} to {(long)offset + length} are not within one page");

    private struct Receiver : IActivationReceiver
    {
        public PageCache<TRules, TProbe> Cache;

        public readonly void Receive(FrameId frame, uint version)
        {
            FrameState state = Cache._frames.State(frame);
            // Evicted meanwhile, or set aside: then it will come back as a new page does.
            if (!state.IsLive || state.Version != version || Cache._space.IsHeld(frame)) return;
            Cache.ShareOf(frame).Rules.OnDeferredHit(frame);
        }
    }
}
