// SPDX-License-Identifier: MIT
using PerfCache.Cache.Nodes;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Exchange migration: a page changes its frame for one of another node while everybody may read it.</summary>
/// <remarks>
/// <code>
/// exchange, of frame s for frame t, which is private
///   (lock)  X1 acquire the state of s: live, no pins, not locked, not being written
///           X2 copy the bytes            X3 read barrier
///   (lock)  X4 the state again: as in X1, and the same version    X5 key and state of t; its flags are a release
///           X6 slot := t, a release      X7 exchange s {no pins, live} for {dead, version + 1}
///           X8 write barrier; s goes to limbo or is free
///   failed  X9 slot := s, a release      X10 t dead, version + 1; to limbo or free, or held while it is pinned
/// </code>
/// <para>X4 is under the lock, where nobody begins or ends a write: when the version is that of X1 and no writer is there,
/// the copy is the page, and stays so until the lock is left. X3 keeps the copying before it; the model says that it could
/// go, since a load that is performed as late as under the lock still reads the page.</para>
/// <para>The slot changes before s dies, so a reader always finds one of the two live: who came by the old slot and finds s
/// dead looks at the slot again, without the lock, and is led to t. For a moment both are live with the same bytes; nobody
/// can write meanwhile, because W1 takes the lock. Readers that hold s keep X7 from succeeding. Then s stays the page's
/// frame, and a reader that was quick enough to pin t meanwhile keeps a <em>twin</em>: a frame that is dead and has the
/// page's bytes. A writer waits for it as for any lease (W2).</para>
/// <para>Readers without pins that found s, or a t that was taken back, are waited for as after an eviction: by limbo.
/// </para>
/// <para>M1: a page has one frame that is live, outside the lock. M2: frames of pages in flight are private, at most a
/// batch a migration. M3: a page keeps its flags, its mark and its place among the dirty ones; its node's rule gets it as
/// the youngest among those with such flags.</para>
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    private const ulong StaysWhereItIs = FrameState.PinsMask | FrameState.Locked | FrameState.Writeback | FrameState.Lent;

    private readonly List<(FrameId Frame, uint Version)> _twins = [];
    private readonly long[] _migratedIn;
    private readonly long[] _migratedOut;
    private long _migrationsInUse;
    private long _migrationsTakenBack;
    private long _migrationsWithoutRoom;

    /// <summary>What came of an attempt to move a page.</summary>
    private enum MoveEnd : byte
    {
        Moved,
        AlreadyThere,
        Gone,
        InUse,
        NoRoom,

        /// <summary>In use, and found out only when the target was published: that has a fate of its own.</summary>
        TakenBack,
    }

    /// <summary>A page between X1 and X4.</summary>
    private readonly record struct Move(PageKey Key, FrameId From, FrameId To, uint Version);

    /// <summary>Moves pages now, on this thread, whatever the budget says; pages that are in use stay where they are.</summary>
    /// <returns>What became of each page.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The cache has no frames on the node.</exception>
    public MigrationReport Migrate(MigrationRequest request)
    {
        MigrationWork work = Begin(request);
        Span<Move> moves = new Move[_options.Nodes!.Migration.BatchPages];
        while (!work.HasMet) MoveBatch(work, moves, moves.Length);
        return work.Report(stillInUse: work.InUse.Count);
    }

    /// <summary>One batch: as many pages as may be copied together.</summary>
    /// <param name="work">What is to be moved.</param>
    /// <param name="moves">Room for the batch.</param>
    /// <param name="most">The most pages.</param>
    /// <returns>Pages that were copied.</returns>
    private int MoveBatch(MigrationWork work, Span<Move> moves, int most)
    {
        int count = TakeMoves(work, moves[..(int)Math.Min(Math.Min(most, moves.Length), work.Left)]);
        TProbe.At(CacheStep.MoveChosen);
        for (int i = 0; i < count; i++) _memory.Page(moves[i].From).CopyTo(_memory.Page(moves[i].To)); // X2
        MemoryOrder.ReadBarrier(); // X3
        TProbe.At(CacheStep.MoveCopied);
        // A part at a time, so that others get the lock in between.
        const int UnderOneLock = 32;
        for (int i = 0; i < count; i += UnderOneLock) EndMoves(work, moves[i..Math.Min(count, i + UnderOneLock)]);
        return count;
    }

    /// <summary>X1 for the next pages.</summary>
    private int TakeMoves(MigrationWork work, Span<Move> moves)
    {
        int count = 0;
        Enter();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            work.BeginLook();
            while (count < moves.Length && work.TryNext(this, out PageKey key))
            {
                MoveEnd? end = TryTakeMove(key, work, out moves[count]);
                if (end is { } known) Note(work, key, known);
                else count++;
            }
        }
        finally
        {
            Exit();
        }

        return count;
    }

    /// <summary>Under the lock: X1, and a frame to go to.</summary>
    /// <returns>Null when the page can be copied; else why not.</returns>
    private MoveEnd? TryTakeMove(PageKey key, MigrationWork work, out Move move)
    {
        move = default;
        if (!_index.IsPage(key.ObjectId, key.Page)) return MoveEnd.Gone;
        SlotEntry entry = _index.Entry(_index.FindSlot(key.ObjectId, key.Page));
        if (!entry.IsFrame) return MoveEnd.Gone;
        FrameId from = entry.Frame;
        if (_frames.Owner(from).Node == work.Node) return MoveEnd.AlreadyThere;
        if (!IsMovable(from, out ulong word)) return MoveEnd.InUse; // X1
        FrameId to = TakeTarget(PartitionOf(from), work);
        if (to.IsNone) return MoveEnd.NoRoom;
        // Making room may have evicted the very page.
        if (((Volatile.Read(ref _heads[from.Value].Word) ^ word) & FrameState.VersionMask) != 0)
        {
            FreePrivate(to);
            return MoveEnd.Gone;
        }

        move = new Move(key, from, to, new FrameState(word).Version);
        return null;
    }

    /// <summary>Under the lock: a live frame that nobody holds, back in its rule's hands if it was set aside.</summary>
    private bool IsMovable(FrameId frame, out ulong word)
    {
        word = Volatile.Read(ref _heads[frame.Value].Word);
        ulong stays = TProbe.Omits(CacheCheck.PinsBeforeMove) ? StaysWhereItIs & ~FrameState.PinsMask : StaysWhereItIs;
        if ((word & stays) != 0) return false;
        if (!_space.IsHeld(frame)) return true;
        // Set aside by reclaim: let go by now, or dirty, and then it stays until it is written.
        return TryReturnHeld(ShareOf(frame), frame);
    }

    /// <summary>Under the lock: a private frame of the target node, beyond those that it keeps for misses.</summary>
    private FrameId TakeTarget(Partition partition, MigrationWork work)
    {
        NodeShare share = partition.Shares[work.Node];
        if (_pools[work.Node].FreeCount > _lowWaterOfNode[work.Node] && !partition.IsFull) return share.Space.AllocatePrivate();
        if (!work.Request.MayEvict) return FrameId.None;
        Need need = Just(partition, work.Node);
        if (!HasRoom(need) && !LimboIsFull)
        {
            ReturnHeld(partition);
            // Its own pages of that node, so that nobody else loses any for its sake.
            if (partition.IsFull) ReclaimOfOwn(partition, share, uint.MaxValue);
            else share.Rules.Reclaim();
            if (_space.Limbo.Count > 0) EmptyLimbo();
        }

        return HasRoom(need) ? share.Space.AllocatePrivate() : FrameId.None;
    }

    private void EndMoves(MigrationWork work, ReadOnlySpan<Move> moves)
    {
        Enter();
        try
        {
            // The rules hear first of what was hit: after it, the old frame's version is gone.
            if (!_disposed) DrainActivations();
            foreach (Move move in moves)
            {
                MoveEnd end = _disposed ? MoveEnd.Gone : Exchange(move);
                if (end is not (MoveEnd.Moved or MoveEnd.TakenBack)) FreePrivate(move.To);
                Note(work, move.Key, end);
            }

            NoteEnd();
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Under the lock: X4 to X10.</summary>
    private MoveEnd Exchange(Move move)
    {
        (FrameId from, FrameId to) = (move.From, move.To);
        ref FrameHead source = ref _heads[from.Value];
        ulong word = Volatile.Read(ref source.Word); // X4
        bool isSame = new FrameState(word).Version == move.Version
            || (TProbe.Omits(CacheCheck.VersionAfterMove) && source.Key == move.Key);
        if ((word & FrameState.Live) == 0 || source.Key != move.Key) return MoveEnd.Gone;
        if (!isSame || !IsMovable(from, out word)) return MoveEnd.InUse;
        NodeShare old = ShareOf(from);
        old.Rules.OnRemove(from);
        // What the rule had put off until now is among the flags.
        word = Volatile.Read(ref source.Word);
        PublishTwin(move, word);
        TProbe.At(CacheStep.Redirected);
        if (!TryKillMoved(ref source, out FrameState last))
        {
            TakeBack(move, old);
            return MoveEnd.TakenBack;
        }

        MemoryOrder.WriteBarrier(); // X8
        if (last.Referenced != (byte)word) _frames.SetReferenced(to, last.Referenced);
        if (last.Has(FrameState.Dirty)) _dirty!.Replace(from, to);
        if (_readsAhead) _streams!.Exchange(to, _streams.Exchange(from, default));
        NodeShare share = ShareOf(to);
        share.Space.EndPrivate();
        share.Rules.OnArrive(to);
        _migratedOut[old.Space.Node]++;
        _migratedIn[share.Space.Node]++;
        old.Space.FreeDead(from);
        return MoveEnd.Moved;
    }

    /// <summary>X5 and X6.</summary>
    private void PublishTwin(Move move, ulong word)
    {
        ref FrameHead target = ref _heads[move.To.Value];
        if (_readsAhead) SetMark(move.To, default);
        target.Key = move.Key;
        target.Referenced = (byte)word;
        // X5. The lowest byte of the flags' half word: pins and version are others'.
        Volatile.Write(ref target.Flags, (byte)FrameState.FlagByte(word & FrameState.FlagsMask));
        _index.Redirect(_frames.Slot(move.From), move.To); // X6
    }

    /// <summary>X7.</summary>
    private static bool TryKillMoved(ref FrameHead source, out FrameState last)
    {
        ulong now = Volatile.Read(ref source.Word);
        while (true)
        {
            last = new FrameState(now);
            if ((now & FrameState.PinsMask) != 0 && !TProbe.Omits(CacheCheck.PinsBeforeMove)) return false;
            ulong seen = Interlocked.CompareExchange(ref source.Word, last.Freed().Packed, now);
            if (seen == now) return true;
            now = seen;
        }
    }

    /// <summary>X9 and X10: a lease of the old frame came in between.</summary>
    private void TakeBack(Move move, NodeShare old)
    {
        _index.Redirect(_frames.Slot(move.To), move.From); // X9
        TProbe.At(CacheStep.Redirected);
        // Off its rule's lists, as a frame that reclaim has met in use.
        old.Space.SetAside(move.From);
        CacheSpace space = ShareOf(move.To).Space;
        space.EndPrivate();
        FrameState killed = space.Kill(move.To); // X10
        if (killed.Pins != 0) _twins.Add((move.To, killed.Version));
    }

    /// <summary>Under the lock: counts what came of a page.</summary>
    private void Note(MigrationWork work, PageKey key, MoveEnd end)
    {
        if (end is MoveEnd.InUse or MoveEnd.TakenBack) _migrationsInUse++;
        if (end == MoveEnd.TakenBack) _migrationsTakenBack++;
        if (end == MoveEnd.NoRoom) _migrationsWithoutRoom++;
        work.Note(key, end);
    }

    /// <summary>Under the lock, by a writer who has W1: twins of the page that are still pinned.</summary>
    private (FrameId Frame, uint Version)[] TwinsOf(FrameId frame)
    {
        _twins.RemoveAll(twin => !IsTwinHeld(twin));
        PageKey key = _heads[frame.Value].Key;
        return [.. _twins.Where(twin => _heads[twin.Frame.Value].Key == key)];
    }

    private bool IsTwinHeld((FrameId Frame, uint Version) twin)
    {
        FrameState state = new(Volatile.Read(ref _heads[twin.Frame.Value].Word));
        return !state.IsLive && state.Version == twin.Version && state.Pins != 0;
    }

    private bool IsAnyTwinHeld((FrameId Frame, uint Version)[] twins)
    {
        foreach ((FrameId Frame, uint Version) twin in twins)
            if (IsTwinHeld(twin)) return true;
        return false;
    }
}
