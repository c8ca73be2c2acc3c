// SPDX-License-Identifier: MIT
using PerfCache.Cache.Nodes;

namespace PerfCache.Cache;

/// <summary>A partition as the cache keeps it: what is its own, and what it has on each node.</summary>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>A partition's frames of one node, with the rule that chooses among them. Under the cache's lock.</summary>
    private sealed class NodeShare(CacheSpace space, TRules rules)
    {
        /// <summary>Its rule. A field, because its verbs change it.</summary>
        public TRules Rules = rules;

        public CacheSpace Space { get; } = space;
    }

    /// <summary>A partition. Under the cache's lock, but for hits. Its counts of frames are sums over its nodes.</summary>
    private sealed class Partition(PartitionOptions options, NodeShare[] shares, StripedCounter hits)
    {
        /// <summary>Pages that are dirty or being written, each once. Read without the lock too.</summary>
        public long DirtyCount;

        public PartitionId Id { get; set; }

        public string Name { get; } = options.Name;

        /// <summary>What it has on each node, by the node's index.</summary>
        public NodeShare[] Shares { get; } = shares;

        /// <summary>What it has on the first node, which is all where there is one.</summary>
        public NodeShare First { get; } = shares[0];

        public StripedCounter Hits { get; } = hits;

        public long? MaxBytes { get; private set; }

        public long MinBytes { get; private set; }

        /// <summary>The limit in frames that it was added with.</summary>
        public uint FrameLimitMax { get; } = shares[0].Space.FrameLimit;

        /// <summary>Frames that no miss of another partition takes.</summary>
        public uint Guarantee { get; private set; }

        /// <summary>Where its pages lie; null for the caller's node.</summary>
        public IPagePlacement? Placement { get; set; }

        /// <summary>The nodes on which its pages count as local.</summary>
        public NodeSet LocalNodes { get; set; } = NodeSet.First(1);

        public int ObjectCount { get; set; }

        /// <summary>Misses that have left the lock to wait for a frame.</summary>
        public uint WaitingMisses { get; set; }

        public long Misses { get; set; }

        public long Refaults { get; set; }

        public long LimitEvictions { get; set; }

        public long PressureEvictions { get; set; }

        /// <summary>When fewer frames than this are left of its limit, the reclaimer is woken; 0 for never.</summary>
        public uint LowWater { get; set; }

        /// <summary>Its number, which its frames name.</summary>
        public ushort Number => First.Space.Number;

        /// <summary>The most frames that it may have, however small the cache is.</summary>
        public uint FrameLimit => First.Space.FrameLimit;

        /// <summary>The most frames that it may have.</summary>
        public uint FrameCount => First.Space.FrameCountOfAllNodes;

        /// <summary>Frames that are charged to it.</summary>
        public uint ResidentCount => First.Space.ResidentCountOfAllNodes;

        /// <summary>Frames beyond its guarantee.</summary>
        public uint Surplus => ResidentCount > Guarantee ? ResidentCount - Guarantee : 0;

        /// <summary>True when it may not have another frame.</summary>
        public bool IsFull => FrameLimit != uint.MaxValue && ResidentCount >= FrameLimit;

        /// <summary>Frames in the hands of its rules.</summary>
        public uint RuleFrameCount => (uint)Sum(static space => space.RuleFrameCount);

        public uint HeldCount => (uint)Sum(static space => space.Held.Count);

        public uint PrivateCount => (uint)Sum(static space => space.PrivateCount);

        public long Evictions => Sum(static space => space.Evictions);

        public long Sum(Func<CacheSpace, long> count)
        {
            if (Shares.Length == 1) return count(First.Space);
            long sum = 0;
            foreach (NodeShare share in Shares) sum += count(share.Space);
            return sum;
        }

        public void Set(PartitionOptions limits, int pageBytes)
        {
            MinBytes = limits.MinBytes;
            MaxBytes = limits.MaxBytes;
            Guarantee = limits.FramesMin(pageBytes);
            foreach (NodeShare share in Shares) share.Space.FrameLimit = limits.FramesMax(pageBytes);
        }
    }
}
