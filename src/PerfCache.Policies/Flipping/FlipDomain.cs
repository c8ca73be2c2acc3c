// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;

namespace PerfCache.Policies.Flipping;

/// <summary>
/// A domain of a <see cref="FlipHost"/>: its free frames, its exchange policy, and where its pages are.
/// </summary>
/// <remarks>
/// Free frames are queues by node, each frame with the number of its freeing, so that "any" is the one that is free
/// longest (allocators hand memory round), "freed last" the newest, and a frame of a given node is at hand.
/// One thread at a time.
/// </remarks>
public sealed class FlipDomain : IDomainFrames
{
    private readonly LinkedList<(FrameId Frame, long Freed)>[] _free;
    private readonly MigrationRule? _migration;
    private long _freed;
    private uint _cursor;

    internal FlipDomain(FlipHost host, FlipDomainOptions options, ushort number, FrameId first, int nodes, long nowTicks)
    {
        (Host, Name, Number, HomeNode) = (host, options.Name, number, options.HomeNode);
        Residency = new DomainResidency(nodes, [options.HomeNode]);
        _free = [.. Enumerable.Range(0, nodes).Select(_ => new LinkedList<(FrameId, long)>())];
        for (uint i = 0; i < options.Frames; i++)
        {
            FrameId frame = new(first.Value + i);
            host.Ledger.Give(frame, number);
            Residency.Add(0, host.Memory.NodeOf(frame));
            Free(frame);
        }

        Exchange = new FrameExchange(options.Exchange, this, nowTicks);
        _migration = options.Migration is null ? null : new MigrationRule(options.Migration, nowTicks);
    }

    /// <summary>The host.</summary>
    public FlipHost Host { get; }

    /// <summary>The name.</summary>
    public string Name { get; }

    /// <summary>The number that rings and the ledger know it by.</summary>
    public ushort Number { get; }

    /// <summary>The node where it runs.</summary>
    public int HomeNode { get; }

    /// <summary>Which free frame goes back.</summary>
    public FrameExchange Exchange { get; }

    /// <summary>Where the frames in its hands are; it is domain 0 there.</summary>
    public DomainResidency Residency { get; }

    /// <summary>The part of the frames in its hands that is not on its node.</summary>
    public double RemoteShare => Residency.RemoteShare(0);

    /// <summary>Free frames, those of the pool not counted.</summary>
    public int FreeFrames { get; private set; }

    /// <summary>Pages brought home so far.</summary>
    public long Migrated => _migration?.Migrated ?? 0;

    /// <summary>Takes the frame that is free longest.</summary>
    public bool TryAllocate(out FrameId frame) => TryTake(isNewest: false, out frame);

    /// <summary>Takes the frame that was freed last.</summary>
    public bool TryAllocateLastFreed(out FrameId frame) => TryTake(isNewest: true, out frame);

    /// <summary>Takes a frame of a node, or of any if that has none.</summary>
    public bool TryAllocateOn(int node, out FrameId frame)
    {
        if (node >= _free.Length || _free[node].First is not { } first) return TryAllocate(out frame);
        frame = first.Value.Frame;
        _free[node].RemoveFirst();
        FreeFrames--;
        return true;
    }

    /// <summary>Frees a frame of the domain.</summary>
    public void Free(FrameId frame)
    {
        _free[Host.Memory.NodeOf(frame)].AddLast((frame, ++_freed));
        FreeFrames++;
    }

    /// <summary>Whether a frame is on the domain's node.</summary>
    public bool IsLocal(FrameId frame) => Host.Memory.NodeOf(frame) == HomeNode;

    /// <summary>Does what is due: the pool's size, and a batch of migration.</summary>
    /// <param name="nowTicks">The present.</param>
    /// <returns>When to call again at the latest; <see cref="long.MaxValue"/> for after the next flips.</returns>
    public long Advance(long nowTicks)
    {
        long deadline = Exchange.Advance(nowTicks);
        if (_migration is null) return deadline;
        MigrationPlan plan = _migration.Plan(nowTicks, Residency.RemotePages(0), Residency.Pages(0));
        if (plan.Pages == 0) return Math.Min(deadline, plan.DeadlineTicks);
        return Math.Min(deadline, _migration.Report(nowTicks, plan.Pages, BringHome(plan.Pages)));
    }

    internal void NoteGone(FrameId frame) => Residency.Remove(0, Host.Memory.NodeOf(frame));

    internal void NoteCome(FrameId frame) => Residency.Add(0, Host.Memory.NodeOf(frame));

    /// <summary>Moves the next remote frames in its hands, wherever they are used: their addresses stay.</summary>
    private int BringHome(int pages)
    {
        FlipMemory memory = Host.Memory;
        List<FrameId> frames = [];
        List<int> nodes = [];
        for (uint seen = 0; seen < memory.FrameCount && frames.Count < pages; seen++)
        {
            _cursor = _cursor >= memory.FrameCount ? 1 : _cursor + 1;
            FrameId frame = new(_cursor);
            if (IsLocal(frame) || Host.Ledger.OwnerOf(frame) != Number || Host.Ledger.IsInRing(frame)) continue;
            frames.Add(frame);
            nodes.Add(memory.NodeOf(frame));
        }

        int home = memory.Move([.. frames], HomeNode);
        for (int i = 0; i < frames.Count; i++)
        {
            int now = memory.NodeOf(frames[i]);
            if (now == nodes[i]) continue;
            Residency.Remove(0, nodes[i]);
            Residency.Add(0, now);
        }

        FollowMoves();
        return home;
    }

    /// <summary>Puts free frames that were moved into their new node's queue.</summary>
    private void FollowMoves()
    {
        for (int node = 0; node < _free.Length; node++)
        {
            for (var link = _free[node].First; link is not null;)
            {
                var next = link.Next;
                int now = Host.Memory.NodeOf(link.Value.Frame);
                if (now != node)
                {
                    _free[node].Remove(link);
                    Insert(_free[now], link.Value);
                }

                link = next;
            }
        }
    }

    private static void Insert(LinkedList<(FrameId Frame, long Freed)> queue, (FrameId Frame, long Freed) one)
    {
        var before = queue.Last;
        while (before is not null && before.Value.Freed > one.Freed) before = before.Previous;
        if (before is null) queue.AddFirst(one);
        else queue.AddAfter(before, one);
    }

    private bool TryTake(bool isNewest, out FrameId frame)
    {
        LinkedList<(FrameId Frame, long Freed)>? best = null;
        foreach (var queue in _free)
        {
            if (queue.Count == 0) continue;
            if (best is null) best = queue;
            else if (isNewest ? queue.Last!.Value.Freed > best.Last!.Value.Freed
                : queue.First!.Value.Freed < best.First!.Value.Freed) best = queue;
        }

        frame = FrameId.None;
        if (best is null) return false;
        frame = isNewest ? best.Last!.Value.Frame : best.First!.Value.Frame;
        if (isNewest) best.RemoveLast();
        else best.RemoveFirst();
        FreeFrames--;
        return true;
    }
}
