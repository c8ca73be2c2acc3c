// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Flipping;
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>
/// One run in virtual time: packets arrive for the guests, the driver domain flips or copies them, and the policies
/// of <c>PerfCache.Policies.Flipping</c> (the same objects as a real exchange has) decide what goes back and what is
/// migrated.
/// </summary>
/// <remarks>
/// A frame is one number that is in exactly one place: a guest's programs, page cache, free frames, arrived packets
/// or pool; the driver's card ring; or its supply. Only changes of hands touch the counts that policies and samples
/// read. Life of a flip: the card has received into the oldest frame of its ring; what the guest posted for it goes to
/// the driver's side; the frame becomes the guest's; the driver takes another frame for the ring; the guest chooses a
/// free frame and posts it.
/// I1: every frame of the host is in exactly one place.
/// I2: the residency counts are those of the frames in the guests' places.
/// I3: a guest owns as many frames as at the start, less those posted that its supply took already.
/// </remarks>
internal sealed partial class FlipSimulation : IEventTarget
{
    private const int SampleCount = 240;

    // Kinds of events; the argument is the guest.
    private const int ChunkArrives = 1;
    private const int PolicyIsDue = 2;
    private const int MigrationIsDue = 3;
    private const int SampleIsDue = 4;

    private readonly FlipScenario _scenario;
    private readonly FlipRemedy _remedy;
    private readonly FrameNumbers _numbers;
    private readonly DomainResidency _residency;
    private readonly FrameSupply _supply;
    private readonly DeliveryRule _delivery;
    private readonly DeliveryCosts _costs;
    private readonly StreamModel _stream;
    private readonly GuestState[] _guests;
    private readonly EventQueue _queue = new();
    private readonly List<FlipSample> _samples = [];
    private readonly long _durationNanos;
    private readonly int _ringSlots;
    private readonly double _poolOperationNanos;
    private readonly double _migratePageNanos;
    private readonly double _migrateFreeNanos;
    private readonly double _migrateCallNanos;
    private readonly CancellationToken _cancellation;
    private bool _isStopped;

    /// <summary>A guest and everything that is counted about it.</summary>
    private sealed class GuestState(FlipGuest memory, NetworkLoad load, MigrationRule? migration, int cardSlots)
    {
        public readonly FlipGuest Memory = memory;
        public readonly NetworkLoad Load = load;
        public readonly MigrationRule? Migration = migration;
        public readonly FrameId[] Card = new FrameId[cardSlots];
        public readonly int[] Sizes = new int[NetworkLoad.ChunkMax];
        public int CardFirst;
        public int CardCount;
        public int ChunkPackets;
        public int Posted;
        public long Packets;
        public long Flips;
        public long Copies;
        public long Dropped;
        public double DeliveryNanos;
        public double RemedyNanos;
        public double RemedyNanosAtSample;
        public long SampledAtNanos;
        public double RemoteShareMax;
        public bool MigrationIsScheduled;
    }

    internal FlipSimulation(FlipScenario scenario, FlipRemedy remedy, int poolFrames, PoolCalibration? calibration,
        CancellationToken cancellation)
    {
        scenario.Check();
        (_scenario, _remedy, _cancellation) = (scenario, remedy, cancellation);
        _durationNanos = scenario.DurationNanos;
        int guests = scenario.Guests;
        _ringSlots = (int)scenario.Value("ring-slots");
        _numbers = new FrameNumbers(Math.Max(scenario.GuestFrames, FrameSupply.DriverFrames(scenario)));
        _residency = new DomainResidency(guests + 1, [.. Enumerable.Range(1, guests)]);
        _supply = FrameSupply.Of(scenario, _numbers, _residency);
        _delivery = new DeliveryRule(remedy.Delivery, (int)scenario.Value("copy-break-bytes"));
        _costs = new DeliveryCosts(scenario.Parameters);
        _stream = new StreamModel(scenario);
        _poolOperationNanos = remedy.GiveBack == GiveBack.Pool ? scenario.Value("pool-operation-ns") : 0;
        _migratePageNanos = scenario.Value("migrate-page-us") * 1000;
        _migrateFreeNanos = scenario.Value("migrate-free-us") * 1000;
        _migrateCallNanos = scenario.Value("migrate-call-us") * 1000;
        _guests = new GuestState[guests];
        for (int i = 0; i < guests; i++)
        {
            FlipGuest memory = new(scenario, remedy, _numbers, _residency, i);
            memory.Exchange = new FrameExchange(
                FlipPolicies.ExchangeOf(scenario, remedy, poolFrames, i == scenario.LoadedGuest ? calibration : null),
                memory, nowTicks: 0);
            MigrationOptions? migration = FlipPolicies.MigrationOf(scenario, remedy);
            NetworkLoad load = scenario.Recorded?.Of(i) ?? new QueryLoad(scenario, i);
            _guests[i] = new GuestState(
                memory, load, migration is null ? null : new MigrationRule(migration, 0), (int)scenario.Value("card-slots"));
            PostFrames(i, _ringSlots);
            while (_guests[i].CardCount < _guests[i].Card.Length && TryFillCard(i)) { }
        }
    }

    /// <summary>Runs to the end, or until it is cancelled.</summary>
    internal FlipResult Run()
    {
        StreamResult[] unused = _stream.Run(Loaded.Memory, _residency.HomeOf(_scenario.LoadedGuest), StreamRandom());
        if (unused.Any(kernel => kernel.RemoteShare != 0)) throw new InvalidOperationException("the run starts with remote pages");
        for (int i = 0; i < _guests.Length; i++)
        {
            ScheduleChunk(i);
            ScheduleDeadline(_guests[i].Memory.Exchange.DeadlineTicks, PolicyIsDue, i);
            Migrate(i, 0);
        }

        _queue.Schedule(0, this, SampleIsDue);
        while (!_isStopped && _queue.Count > 0) _queue.RunNext();
        return Result();
    }

    /// <inheritdoc/>
    public void Handle(long nowNanos, int kind, long argument)
    {
        int guest = (int)argument;
        switch (kind)
        {
            case ChunkArrives:
                Deliver(guest, nowNanos);
                ScheduleChunk(guest);
                break;
            case PolicyIsDue:
                _guests[guest].Memory.ConsumeUntil(nowNanos);
                ScheduleDeadline(_guests[guest].Memory.Exchange.Advance(nowNanos), PolicyIsDue, guest);
                break;
            case MigrationIsDue:
                _guests[guest].MigrationIsScheduled = false;
                _guests[guest].Memory.ConsumeUntil(nowNanos);
                Migrate(guest, nowNanos);
                break;
            default:
                Sample(nowNanos);
                break;
        }
    }

    private GuestState Loaded => _guests[_scenario.LoadedGuest];

    private void ScheduleChunk(int guest)
    {
        GuestState state = _guests[guest];
        state.ChunkPackets = state.Load.Next(state.Sizes, out long atNanos);
        if (state.ChunkPackets > 0) _queue.Schedule(Math.Max(atNanos, _queue.NowNanos), this, ChunkArrives, guest);
    }

    private void ScheduleDeadline(long atNanos, int kind, int guest)
    {
        if (atNanos < _durationNanos) _queue.Schedule(Math.Max(atNanos, _queue.NowNanos), this, kind, guest);
    }

    private void Deliver(int guest, long nowNanos)
    {
        GuestState state = _guests[guest];
        state.Memory.ConsumeUntil(nowNanos);
        for (int i = 0; i < state.ChunkPackets; i++)
        {
            int bytes = state.Sizes[i];
            state.Packets++;
            if (_delivery.Copies(bytes))
            {
                state.Copies++;
                state.DeliveryNanos += _costs.CopyNanos(bytes);
                state.Memory.Arrive(FrameId.None, nowNanos);
                continue;
            }

            state.DeliveryNanos += _costs.FlipNanos(bytes);
            int frames = DeliveryCosts.FramesOf(bytes);
            if (state.Posted < frames) PostFrames(guest, _ringSlots - state.Posted);
            if (state.Posted < frames || state.CardCount < frames)
            {
                state.Dropped++;
                continue;
            }

            for (int k = 0; k < frames; k++) Flip(guest, nowNanos);
        }

        PostFrames(guest, _ringSlots - state.Posted);
        while (state.CardCount < state.Card.Length && TryFillCard(guest)) { }
        state.RemoteShareMax = Math.Max(state.RemoteShareMax, _residency.RemoteShare(guest));
        if (state.Migration is not null && _remedy.HasThreshold) Migrate(guest, nowNanos);
    }

    private void Flip(int guest, long nowNanos)
    {
        GuestState state = _guests[guest];
        FrameId full = state.Card[state.CardFirst];
        state.CardFirst = state.CardFirst + 1 == state.Card.Length ? 0 : state.CardFirst + 1;
        state.CardCount--;
        state.Posted--;
        _supply.TakePosted(guest);
        state.Memory.Arrive(full, nowNanos);
        TryFillCard(guest);
        state.Flips++;
        state.RemedyNanos += _poolOperationNanos;
    }

    private bool TryFillCard(int guest)
    {
        GuestState state = _guests[guest];
        if (!_supply.TryTake(guest, _remedy.Placement, out FrameId frame)) return false;
        int place = state.CardFirst + state.CardCount;
        state.Card[place >= state.Card.Length ? place - state.Card.Length : place] = frame;
        state.CardCount++;
        return true;
    }

    private void PostFrames(int guest, int count)
    {
        GuestState state = _guests[guest];
        for (int i = 0; i < count && state.Memory.Exchange.TryTakeFrameToGive(out FrameId frame); i++)
        {
            _supply.Post(guest, frame);
            state.Posted++;
        }
    }

    private void Migrate(int guest, long nowNanos)
    {
        GuestState state = _guests[guest];
        if (state.Migration is not { } rule) return;
        MigrationPlan plan = rule.Plan(nowNanos, state.Memory.MovablePages, _residency.Pages(guest));
        long deadline = plan.DeadlineTicks;
        if (plan.Pages > 0) deadline = rule.Report(nowNanos, plan.Pages, MovePages(guest, plan.Pages));
        if (state.MigrationIsScheduled || deadline >= _durationNanos) return;
        state.MigrationIsScheduled = true;
        ScheduleDeadline(deadline, MigrationIsDue, guest);
    }

    private int MovePages(int guest, int count)
    {
        GuestState state = _guests[guest];
        int home = _residency.HomeOf(guest);
        state.RemedyNanos += _migrateCallNanos;
        for (int moved = 0; moved < count; moved++)
        {
            FrameId remote = state.Memory.TakeRemote(out bool isFree);
            if (!_supply.TryExchange(remote, home, out FrameId local))
            {
                state.Memory.PutBack(remote, isFree);
                return moved;
            }

            _residency.Remove(guest, _numbers.NodeOf(remote));
            _residency.Add(guest, home);
            state.Memory.PutBack(local, isFree);
            state.RemedyNanos += isFree ? _migrateFreeNanos : _migratePageNanos;
        }

        return count;
    }
}
