// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Flipping;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Simulation.Scenarios.Flipping;

internal sealed partial class FlipSimulation
{
    private void Sample(long nowNanos)
    {
        for (int i = 0; i < _guests.Length; i++)
        {
            GuestState state = _guests[i];
            state.Memory.ConsumeUntil(nowNanos);
            double[] shares = new double[_residency.Nodes];
            for (int node = 0; node < shares.Length; node++)
                shares[node] = (double)_residency.PagesOn(i, node) / _residency.Pages(i);
            ExchangePool? pool = state.Memory.Exchange.Pool;
            double elapsed = Math.Max(1, nowNanos - state.SampledAtNanos);
            _samples.Add(new FlipSample(nowNanos, i, shares, pool?.SizeFrames ?? 0,
                pool?.OutFrames ?? 0, state.Migration?.Migrated ?? 0,
                (state.RemedyNanos - state.RemedyNanosAtSample) / elapsed));
            (state.RemedyNanosAtSample, state.SampledAtNanos) = (state.RemedyNanos, nowNanos);
            state.RemoteShareMax = Math.Max(state.RemoteShareMax, _residency.RemoteShare(i));
        }

        CheckTotals();
        _isStopped = _cancellation.IsCancellationRequested;
        if (nowNanos >= _durationNanos) _isStopped = true;
        else _queue.Schedule(Math.Min(_durationNanos, nowNanos + Math.Max(1, _durationNanos / SampleCount)), this, SampleIsDue);
    }

    private FlipResult Result()
    {
        int guest = _scenario.LoadedGuest;
        int home = _residency.HomeOf(guest);
        GuestState state = Loaded;
        FrameExchange exchange = state.Memory.Exchange;
        FlipSample[] own = [.. _samples.Where(sample => sample.Guest == guest)];
        double remedyShare = state.RemedyNanos / Math.Max(1, _queue.NowNanos);
        double speedMean = own.Average(sample => SpeedAt(sample));
        int exchanged = state.Memory.Cache.Count + state.Memory.Free.Count;
        int driverFree = 0;
        int driverRemote = 0;
        for (int node = 0; node < _residency.Nodes; node++)
        {
            driverFree += _supply.FreeOn(node);
            if (node != 0) driverRemote += _supply.FreeOn(node);
        }

        return new FlipResult
        {
            Placement = _scenario.Placement,
            Remedy = _remedy,
            Seed = _scenario.Seed,
            DurationNanos = _durationNanos,
            GuestFrames = _scenario.GuestFrames,
            Packets = state.Packets,
            Flips = state.Flips,
            Copies = state.Copies,
            Dropped = state.Dropped,
            RemoteShare = _residency.RemoteShare(guest),
            RemoteShareMax = state.RemoteShareMax,
            RemoteShareOfExchanged = exchanged == 0 ? 0 : (double)state.Memory.MovablePages / exchanged,
            DriverRemoteShare = driverFree == 0 ? 0 : (double)driverRemote / driverFree,
            LossAtEnd = 1 - (_stream.SpeedByLatency(_residency.RemoteShare(guest)) * (1 - remedyShare)),
            LossMean = 1 - speedMean,
            RemedyShare = remedyShare,
            DeliveryNanos = state.DeliveryNanos,
            Migrated = state.Migration?.Migrated ?? 0,
            MigrationFailed = state.Migration?.Failed ?? 0,
            PoolFrames = exchange.Pool?.SizeFrames ?? 0,
            PoolFramesMax = exchange.LargestPoolFrames,
            PoolAllocated = exchange.Allocated,
            Stream = _stream.Run(state.Memory, home, StreamRandom()),
            Samples = _samples,
            Events = _queue.EventsRun,
            Complete = _queue.NowNanos >= _durationNanos,
        };
    }

    // Charged as if the work had one processor and the remedy took its time from it: the worst case.
    private double SpeedAt(FlipSample sample) =>
        _stream.SpeedByLatency(sample.RemoteShare) * Math.Max(0, 1 - sample.RemedyShare);

    private SeededRandom StreamRandom() => new SeedStreams(_scenario.Seed).Stream("pages of STREAM");

    /// <summary>I3, cheap enough for every sample.</summary>
    private void CheckTotals()
    {
        for (int i = 0; i < _guests.Length; i++)
        {
            int given = _guests[i].Posted - _supply.PostedFrames(i);
            if (_residency.Pages(i) + given != _scenario.GuestFrames)
                throw new InvalidOperationException(
                    $"I3: guest {i} owns {_residency.Pages(i)} frames and gave {given}; it had {_scenario.GuestFrames}");
        }
    }

    /// <summary>Checks all invariants by walking over every frame of the host.</summary>
    /// <exception cref="InvalidOperationException">One does not hold; the message says which.</exception>
    internal void Validate()
    {
        CheckTotals();
        Dictionary<int, long> seenOn = [];
        HashSet<uint> seen = [];
        void Visit(FrameId frame)
        {
            if (!seen.Add(frame.Value)) throw new InvalidOperationException($"I1: {frame} is in two places");
            int node = _numbers.NodeOf(frame);
            seenOn[node] = seenOn.GetValueOrDefault(node) + 1;
        }

        for (int i = 0; i < _guests.Length; i++)
        {
            GuestState state = _guests[i];
            seenOn.Clear();
            state.Memory.VisitFrames(Visit);
            int home = _residency.HomeOf(i);
            for (int node = 0; node < _residency.Nodes; node++)
            {
                // Posted frames of the swap model are the guest's and held by the supply.
                long found = seenOn.GetValueOrDefault(node) + (node == home ? state.Memory.ProgramFrames : 0);
                long expected = _residency.PagesOn(i, node);
                long slack = _supply.PostedFrames(i);
                if (found > expected || found + slack < expected)
                    throw new InvalidOperationException($"I2: guest {i} has {found} frames on node {node}, counted are {expected}");
            }

            for (int k = 0; k < state.CardCount; k++) Visit(state.Card[(state.CardFirst + k) % state.Card.Length]);
        }

        _supply.VisitFrames(Visit);
        long programs = _guests.Sum(state => state.Memory.ProgramFrames);
        long all = (_guests.Length * _scenario.GuestFrames) + FrameSupply.DriverFrames(_scenario);
        if (seen.Count + programs != all)
            throw new InvalidOperationException($"I1: {seen.Count + programs} frames are in some place, the host has {all}");
    }
}
