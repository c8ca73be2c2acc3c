// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>What the firmware says of reads or writes from the nearest processors to a node's memory (the HMAT
/// table).</summary>
/// <param name="LatencyNs">Latency in nanoseconds; null: not told.</param>
/// <param name="BandwidthMBps">Bandwidth in MB/s; null: not told.</param>
public readonly record struct NumaAccess(long? LatencyNs, long? BandwidthMBps);

/// <summary>A node: memory and CPUs that are near each other. As it was when the topology was read.</summary>
public sealed record NumaNode
{
    internal NumaNode()
    {
    }

    /// <summary>The system's number of the node; numbers may have gaps.</summary>
    public required int Number { get; init; }

    /// <summary>The node's CPUs; none for memory alone.</summary>
    public required NumberList Cpus { get; init; }

    /// <summary>Those of its CPUs that this process may run on, by affinity and cpuset.</summary>
    public required NumberList AllowedCpus { get; init; }

    /// <summary>Bytes of memory; null: the system does not tell.</summary>
    public required long? TotalBytes { get; init; }

    /// <summary>Bytes of these that nothing used at that moment; null: the system does not tell.</summary>
    public required long? FreeBytes { get; init; }

    /// <summary>True when the node has memory.</summary>
    public required bool HasMemory { get; init; }

    /// <summary>True when this process may take memory of the node, by its cpuset.</summary>
    public required bool IsMemoryAllowed { get; init; }

    /// <summary>True when the node has memory and certainly no CPU, as persistent memory and memory behind a link
    /// have.</summary>
    public required bool IsMemoryOnly { get; init; }

    /// <summary>The distance to each node of the topology, in the order of <see cref="NumaTopology.Nodes"/>; 10 is
    /// local, 20 twice as far.</summary>
    public required IReadOnlyList<int> Distances { get; init; }

    /// <summary>The memory tier; a lower one is faster. Null: the kernel has none for it.</summary>
    public int? Tier { get; init; }

    /// <summary>Reads from the nearest processors.</summary>
    public NumaAccess Read { get; init; }

    /// <summary>Writes from the nearest processors.</summary>
    public NumaAccess Write { get; init; }
}
