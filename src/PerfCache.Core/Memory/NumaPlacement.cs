// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>How the system chooses a node for a page that is touched for the first time.</summary>
public enum NumaMode
{
    /// <summary>The node of the CPU that touches it; another one when that is full.</summary>
    Local,

    /// <summary>One of the given nodes, another one when they are full.</summary>
    Preferred,

    /// <summary>One of the given nodes and no other: when they are full, the process is killed or a touch fails.</summary>
    Bind,

    /// <summary>The given nodes in turn, page by page; another one when they are full.</summary>
    Interleave,
}

/// <summary>Where memory is to come from: a mode and the nodes it speaks of.</summary>
/// <remarks>
/// A number is checked for being one that any kernel could have; whether this machine has the node is checked by
/// <see cref="CheckAgainst"/>, and by the system when memory is bound.
/// </remarks>
public sealed class NumaPlacement
{
    // The kernel's numbers.
    private const int KernelPreferred = 1;
    private const int KernelBind = 2;
    private const int KernelInterleave = 3;
    private const int KernelLocal = 4;
    private const int KernelPreferredMany = 5;

    private NumaPlacement(NumaMode mode, NumberList nodes)
    {
        Mode = mode;
        Nodes = nodes;
    }

    /// <summary>The node of the CPU that touches a page first.</summary>
    public static NumaPlacement Local { get; } = new(NumaMode.Local, NumberList.Empty);

    /// <summary>How a node is chosen.</summary>
    public NumaMode Mode { get; }

    /// <summary>The nodes to choose from; none for <see cref="NumaMode.Local"/>.</summary>
    public NumberList Nodes { get; }

    /// <summary>The kernel's number of the mode. Several preferred nodes need Linux 5.15.</summary>
    internal int KernelMode => Mode switch
    {
        NumaMode.Preferred => Nodes.Count == 1 ? KernelPreferred : KernelPreferredMany,
        NumaMode.Bind => KernelBind,
        NumaMode.Interleave => KernelInterleave,
        _ => KernelLocal,
    };

    /// <summary>These nodes first, then others.</summary>
    /// <exception cref="ArgumentException">No node, or a number that no kernel has.</exception>
    public static NumaPlacement Preferred(params ReadOnlySpan<int> nodes) => Of(NumaMode.Preferred, nodes);

    /// <summary>These nodes and no other.</summary>
    /// <exception cref="ArgumentException">No node, or a number that no kernel has.</exception>
    public static NumaPlacement Bind(params ReadOnlySpan<int> nodes) => Of(NumaMode.Bind, nodes);

    /// <summary>These nodes in turn.</summary>
    /// <exception cref="ArgumentException">No node, or a number that no kernel has.</exception>
    public static NumaPlacement Interleave(params ReadOnlySpan<int> nodes) => Of(NumaMode.Interleave, nodes);

    /// <summary>Fails unless each node is online, has memory, and may be used by this process.</summary>
    /// <exception cref="ArgumentException">One is not; the message says which, why, and what there is.</exception>
    public void CheckAgainst(NumaTopology topology)
    {
        ArgumentNullException.ThrowIfNull(topology);
        foreach (int number in Nodes.Numbers)
        {
            NumaNode? node = topology.Nodes.FirstOrDefault(each => each.Number == number);
            string? complaint = node is null
                ? topology.PossibleNodes.Contains(number)
                    ? $"node {number} is offline" : $"there is no node {number}"
                : !node.HasMemory ? $"node {number} has no memory"
                : !node.IsMemoryAllowed ? $"this process may not take memory of node {number}: its cpuset forbids it"
                : null;
            if (complaint is null) continue;
            string usable = topology.AllowedMemoryNodes.Count == 0
                ? "no node's memory may be used" : $"use {topology.AllowedMemoryNodes}";
            throw new ArgumentException($"{this}: {complaint}; {usable}");
        }
    }

    /// <summary>The placement as the kernel writes it: <c>bind:0-1</c>.</summary>
    public override string ToString()
    {
        string mode = Mode switch
        {
            NumaMode.Preferred => "prefer",
            NumaMode.Bind => "bind",
            NumaMode.Interleave => "interleave",
            _ => "local",
        };
        return Nodes.Count == 0 ? mode : $"{mode}:{Nodes}";
    }

    private static NumaPlacement Of(NumaMode mode, ReadOnlySpan<int> nodes)
    {
        if (nodes.IsEmpty) throw new ArgumentException($"a placement of mode {mode} needs a node", nameof(nodes));
        foreach (int node in nodes)
        {
            if (node is < 0 or > NumaCalls.NodeMax)
                throw new ArgumentException($"{node} is not a node's number (0 to {NumaCalls.NodeMax})", nameof(nodes));
        }

        return new NumaPlacement(mode, new NumberList(nodes.ToArray()));
    }
}
