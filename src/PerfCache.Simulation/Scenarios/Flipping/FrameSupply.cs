// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Flipping;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>
/// Where the frames come from that the driver domain receives into, and where the guests' free frames go: the two
/// models of placement.
/// </summary>
internal abstract class FrameSupply(FrameNumbers numbers, DomainResidency residency)
{
    /// <summary>A guest has posted a free frame for a packet to come.</summary>
    internal abstract void Post(int guest, FrameId frame);

    /// <summary>A full frame goes to a guest; what it posted for it is the driver's side's from now on.</summary>
    internal abstract void TakePosted(int guest);

    /// <summary>The driver domain takes a frame to receive into.</summary>
    internal abstract bool TryTake(int guest, ReceivePlacement placement, out FrameId frame);

    /// <summary>Exchanges a guest's remote frame for a free one of its home node.</summary>
    internal abstract bool TryExchange(FrameId remote, int home, out FrameId local);

    /// <summary>Frames that wait for packets and are still a guest's.</summary>
    internal virtual int PostedFrames(int guest) => 0;

    /// <summary>Free frames of the supply on a node.</summary>
    internal abstract int FreeOn(int node);

    /// <summary>Calls back for every frame held.</summary>
    internal abstract void VisitFrames(Action<FrameId> visit);

    /// <summary>A guest has given a frame away.</summary>
    protected void Forget(int guest, FrameId frame) => residency.Remove(guest, numbers.NodeOf(frame));

    /// <summary>Makes the supply of a scenario, with the frames of the driver's node.</summary>
    internal static FrameSupply Of(FlipScenario scenario, FrameNumbers numbers, DomainResidency residency) =>
        scenario.Placement == PlacementModel.Heap
            ? new HeapSupply(scenario, numbers, residency)
            : new SwapSupply(scenario, numbers, residency);

    /// <summary>Frames that the driver's node needs for a scenario.</summary>
    internal static long DriverFrames(FlipScenario scenario)
    {
        long rings = scenario.Guests * (long)scenario.Value("card-slots");
        return rings + (scenario.Placement == PlacementModel.Heap
            ? scenario.FramesOf("free-heap-share") + (long)scenario.Value("spare-frames")
            : scenario.FramesOf("driver-pool-share"));
    }

    /// <summary>
    /// Xen's way. A posted frame goes to the heap of its node at once. The driver domain keeps a few spare frames and
    /// fills them up from the heap of its own node, then from others in their order: so drift must end when its own
    /// node has no free frame left.
    /// </summary>
    private sealed class HeapSupply : FrameSupply
    {
        private readonly FramesByNode _heap;
        private readonly FramesByNode _spare;
        private readonly DomainResidency _residency;
        private readonly int _spareMax;

        internal HeapSupply(FlipScenario scenario, FrameNumbers numbers, DomainResidency residency) : base(numbers, residency)
        {
            _residency = residency;
            _heap = new FramesByNode(numbers, residency.Nodes);
            _spare = new FramesByNode(numbers, residency.Nodes);
            _spareMax = (int)scenario.Value("spare-frames");
            _heap.AddRange(0, 0, DriverFrames(scenario));
        }

        internal override void Post(int guest, FrameId frame)
        {
            Forget(guest, frame);
            _heap.Add(frame);
        }

        internal override void TakePosted(int guest) { }

        internal override bool TryTake(int guest, ReceivePlacement placement, out FrameId frame)
        {
            if (placement == ReceivePlacement.ReceiverNode && _heap.TryTakeFrom(_residency.HomeOf(guest), out frame)) return true;
            if (_spare.Count == 0)
            {
                int node = 0;
                while (_spare.Count < _spareMax && node < _residency.Nodes)
                {
                    if (_heap.TryTakeFrom(node, out FrameId filled)) _spare.Add(filled);
                    else node++;
                }
            }

            for (int node = 0; node < _residency.Nodes; node++)
                if (_spare.TryTakeFrom(node, out frame)) return true;
            frame = FrameId.None;
            return false;
        }

        internal override bool TryExchange(FrameId remote, int home, out FrameId local)
        {
            if (!_heap.TryTakeFrom(home, out local)) return false;
            _heap.Add(remote);
            return true;
        }

        internal override int FreeOn(int node) => _heap.CountOn(node) + _spare.CountOn(node);

        internal override void VisitFrames(Action<FrameId> visit)
        {
            for (int node = 0; node < _residency.Nodes; node++)
            {
                foreach (FrameId frame in _heap.On(node)) visit(frame);
                foreach (FrameId frame in _spare.On(node)) visit(frame);
            }
        }
    }

    /// <summary>
    /// The slides' wording. A posted frame stays the guest's until a full one replaces it; then it joins the frames
    /// that the driver domain receives into, from which it takes any. So frames mix until both sides have the same part
    /// of each other's.
    /// </summary>
    private sealed class SwapSupply : FrameSupply
    {
        private readonly FramesByNode _pool;
        private readonly Queue<FrameId>[] _posted;
        private readonly DomainResidency _residency;
        private SeededRandom _random;

        internal SwapSupply(FlipScenario scenario, FrameNumbers numbers, DomainResidency residency) : base(numbers, residency)
        {
            _residency = residency;
            _pool = new FramesByNode(numbers, residency.Nodes);
            _pool.AddRange(0, 0, DriverFrames(scenario));
            _posted = [.. Enumerable.Range(0, residency.Domains).Select(_ => new Queue<FrameId>())];
            _random = new SeedStreams(scenario.Seed).Stream("choices of the driver domain");
        }

        internal override void Post(int guest, FrameId frame) => _posted[guest].Enqueue(frame);

        internal override void TakePosted(int guest)
        {
            FrameId frame = _posted[guest].Dequeue();
            Forget(guest, frame);
            _pool.Add(frame);
        }

        internal override bool TryTake(int guest, ReceivePlacement placement, out FrameId frame)
        {
            if (placement == ReceivePlacement.ReceiverNode && _pool.TryTakeFrom(_residency.HomeOf(guest), out frame)) return true;
            bool hasOne = _pool.Count > 0;
            frame = hasOne ? _pool.TakeRandom(ref _random) : FrameId.None;
            return hasOne;
        }

        internal override bool TryExchange(FrameId remote, int home, out FrameId local)
        {
            if (!_pool.TryTakeFrom(home, out local)) return false;
            _pool.Add(remote);
            return true;
        }

        internal override int PostedFrames(int guest) => _posted[guest].Count;

        internal override int FreeOn(int node) => _pool.CountOn(node);

        internal override void VisitFrames(Action<FrameId> visit)
        {
            for (int node = 0; node < _residency.Nodes; node++)
                foreach (FrameId frame in _pool.On(node)) visit(frame);
            foreach (Queue<FrameId> posted in _posted)
                foreach (FrameId frame in posted) visit(frame);
        }
    }
}
