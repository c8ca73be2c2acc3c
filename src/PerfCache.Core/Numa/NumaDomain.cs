// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Numa;

/// <summary>Who owns memory, and the node where that memory should be.</summary>
public sealed class NumaDomain
{
    private readonly List<NumaMemoryRange> _ranges = [];

    internal NumaDomain(string name, int homeNode)
    {
        Name = name;
        HomeNode = homeNode;
    }

    /// <summary>The name, for reports.</summary>
    public string Name { get; }

    /// <summary>The number of the node where the domain runs.</summary>
    public int HomeNode { get; private set; }

    /// <summary>The domain's memory, in the order in which it was registered.</summary>
    public IReadOnlyList<NumaMemoryRange> Ranges
    {
        get
        {
            lock (_ranges) return [.. _ranges];
        }
    }

    internal void MoveHome(int node) => HomeNode = node;

    internal void Add(NumaMemoryRange range)
    {
        lock (_ranges) _ranges.Add(range);
    }

    internal bool Remove(NumaMemoryRange range)
    {
        lock (_ranges) return _ranges.Remove(range);
    }
}

/// <summary>Memory that somebody else allocated, registered so that it can be looked for and moved.</summary>
public sealed class NumaMemoryRange
{
    internal NumaMemoryRange(NumaDomain domain, nint address, long bytes)
    {
        Domain = domain;
        Address = address;
        Bytes = bytes;
    }

    /// <summary>The owner.</summary>
    public NumaDomain Domain { get; }

    /// <summary>Where it begins.</summary>
    public nint Address { get; }

    /// <summary>Its size.</summary>
    public long Bytes { get; }
}

/// <summary>What an engine works with; everything has a default.</summary>
public sealed record NumaEngineOptions
{
    /// <summary>The nodes; by default those of this machine, read when the engine is made.</summary>
    public NumaTopology? Topology { get; init; }

    /// <summary>What places and moves memory; by default this machine.</summary>
    public INumaSystem? System { get; init; }

    /// <summary>How fast pages may be moved.</summary>
    public MoveLimits Limits { get; init; } = new();

    /// <summary>The clock of rates, budgets and pauses.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
