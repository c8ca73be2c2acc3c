// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.ObjectPool;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Puma;

namespace PerfCache.Remote.Borrowing;

/// <summary>The way back: what is asked for, for how long, and what is believed.</summary>
public sealed partial class BorrowedMemory
{
    /// <inheritdoc/>
    public bool Knows(PageKey page)
    {
        if (_isDisposed || _catalogue is null) return false;
        RemoteState state = _catalogue.TryFind(page, out RemoteEntry entry) ? entry.State : RemoteState.None;
        bool isSuspended = state != RemoteState.None && !_fleet.CanGet(entry.Server);
        switch (BorrowRules.ForMiss(state != RemoteState.None, IsBusy(state), isSuspended))
        {
            case MissSource.Disk:
                Note(isSuspended ? Count.LeftAlone : Count.KnownMisses);
                return false;
            case MissSource.Wait:
                // A real miss does not wait: the source has the page now.
                Note(Count.OnTheirWay);
                return false;
            default:
                return true;
        }
    }

    /// <inheritdoc/>
    public bool IsWorthAsking(int requestPages)
    {
        if (_races[(int)ReadsOf(requestPages)] is not { } race) return true;
        bool asks;
        lock (_raceLock) asks = race.Asks(Stopwatch.GetTimestamp());
        if (!asks) Note(Count.SourceFaster);
        return asks;
    }

    /// <inheritdoc/>
    public void Read(Memory<OverflowRead> reads, int requestPages)
    {
        if (_isDisposed) return;
        GetRound round = _rounds.Get();
        if (round.Begin(reads.Span))
        {
            long started = Stopwatch.GetTimestamp();
            _fleet.Get(round.Gets, DeadlineOf(round, requestPages));
            End(round, reads.Span, requestPages, started);
        }

        round.Clear();
        _rounds.Return(round);
    }

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask ReadAsync(Memory<OverflowRead> reads, int requestPages)
    {
        if (_isDisposed) return;
        GetRound round = _rounds.Get();
        if (round.Begin(reads.Span))
        {
            long started = Stopwatch.GetTimestamp();
            await _fleet.GetAsync(round.Gets, DeadlineOf(round, requestPages)).ConfigureAwait(false);
            End(round, reads.Span, requestPages, started);
        }

        round.Clear();
        _rounds.Return(round);
    }

    /// <inheritdoc/>
    public void OnSourceRead(int requestPages, long elapsedTicks) => NoteTime(requestPages, elapsedTicks, ofSource: true);

    private static bool IsBusy(RemoteState state) => state is RemoteState.Queued or RemoteState.Sent;

    /// <summary>How long these pages are worth waiting for: as long as the slowest of their servers may take, but no longer
    /// than reading them would.</summary>
    private TimeSpan DeadlineOf(GetRound round, int requestPages)
    {
        TimeSpan deadline = TimeSpan.Zero;
        foreach (ref readonly FleetGet get in round.Gets.Span)
        {
            TimeSpan ofServer = _fleet.DeadlineOf(get.Server);
            if (ofServer > deadline) deadline = ofServer;
        }

        if (_races[(int)ReadsOf(requestPages)] is not { } race) return deadline;
        double ticks;
        lock (_raceLock) ticks = race.SourceTicks;
        if (double.IsNaN(ticks)) return deadline;
        TimeSpan most = TimeSpan.FromSeconds(ticks * _options.SourceTimesMax / Stopwatch.Frequency);
        if (most < _options.GetTimeoutMin) most = _options.GetTimeoutMin;
        return deadline < most ? deadline : most;
    }

    private void End(GetRound round, Span<OverflowRead> reads, int requestPages, long started)
    {
        int hits = 0, missing = 0, expired = 0, wrong = 0;
        Span<FleetGet> gets = round.Gets.Span;
        for (int i = 0; i < gets.Length; i++)
        {
            ref FleetGet get = ref gets[i];
            ServerCounts server = _servers[get.Server];
            Interlocked.Increment(ref server.Gets);
            ref OverflowRead read = ref reads[round.Place(i)];
            read.IsFilled = get.Outcome == FleetOutcome.Found && round.IsRight(i, read.Destination.Span);
            if (read.IsFilled)
            {
                hits++;
                Interlocked.Increment(ref server.Hits);
                continue;
            }

            // Not asked for again; if it is evicted again, it is put again.
            _catalogue!.TryRemove(read.Page, get.Key.Generation);
            if (get.Outcome == FleetOutcome.Missing) missing++;
            else if (get.Outcome == FleetOutcome.NoAnswer) expired++;
            else wrong++;
            if (get.Outcome != FleetOutcome.Found) continue;
            Interlocked.Increment(ref server.Wrong);
            _fleet.Forget(get.Key, get.Server);
        }

        Note(Count.Gets, gets.Length);
        Note(Count.Hits, hits);
        if (missing > 0) Note(Count.Missing, missing);
        if (expired > 0) Note(Count.Expired, expired);
        if (wrong > 0) Note(Count.Wrong, wrong);
        // Nobody was there to be timed.
        if (expired == gets.Length && !_fleet.CanGet(gets[0].Server)) return;
        NoteTime(requestPages, Stopwatch.GetTimestamp() - started, ofSource: false, isInVain: hits < gets.Length);
    }

    /// <summary>One question to the servers. Pooled, with all that it needs.</summary>
    private sealed class GetRound(BorrowedMemory owner)
    {
        private readonly FleetGet[] _gets = new FleetGet[IOverflowTier.ReadMax];
        private readonly ulong[] _checksums = new ulong[IOverflowTier.ReadMax];
        private readonly byte[] _places = new byte[IOverflowTier.ReadMax];
        private readonly PageSeal? _seal = owner._options.Encrypts ? new PageSeal(owner._sealKey) : null;
        private byte[] _sealed = [];
        private int _count;

        internal Memory<FleetGet> Gets => _gets.AsMemory(0, _count);

        /// <summary>The place of a get among the reads.</summary>
        internal int Place(int get) => _places[get];

        /// <summary>Writes a get for each page that the catalogue still knows.</summary>
        /// <returns>False when there is none.</returns>
        internal bool Begin(Span<OverflowRead> reads)
        {
            int valueBytes = owner._pool!.ValueBytes;
            if (_seal is not null && _sealed.Length < reads.Length * valueBytes)
                _sealed = GC.AllocateUninitializedArray<byte>(reads.Length * valueBytes, pinned: true);
            for (int i = 0; i < reads.Length; i++)
            {
                reads[i].IsFilled = false;
                PageKey page = reads[i].Page;
                if (!owner._catalogue!.TryFind(page, out RemoteEntry entry) || IsBusy(entry.State)) continue;
                _checksums[_count] = entry.Checksum;
                _places[_count] = (byte)i;
                _gets[_count] = new FleetGet
                {
                    Key = new RemotePageKey(page.ObjectId.Value, page.Page, entry.Generation),
                    Server = entry.Server,
                    Destination = _seal is null ? reads[i].Destination : _sealed.AsMemory(_count * valueBytes, valueBytes),
                };
                _count++;
            }

            return _count > 0;
        }

        /// <summary>True when what came is what was put; then the page is in its destination.</summary>
        internal bool IsRight(int get, Span<byte> page)
        {
            Span<byte> value = _gets[get].Destination.Span;
            if (_seal is not null) return _seal.TryOpen(value, _gets[get].Key, _checksums[get], page);
            return owner._fingerprint.Of(value) == _checksums[get] || owner.Omits(BorrowCheck.Checksum);
        }

        internal void Clear()
        {
            Array.Clear(_gets, 0, _count);
            _count = 0;
        }

        internal sealed class Policy(BorrowedMemory owner) : PooledObjectPolicy<GetRound>
        {
            public override GetRound Create() => new(owner);

            public override bool Return(GetRound obj) => true;
        }
    }
}
