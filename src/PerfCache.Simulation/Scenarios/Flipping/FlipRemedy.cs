// SPDX-License-Identifier: MIT
using PerfCache.Policies.Flipping;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>How the driver domain gets the frames that it receives into.</summary>
public enum PlacementModel : byte
{
    /// <summary>As Xen did it: a guest returns a free frame to the hypervisor's heap of that frame's node, and the
    /// driver domain takes its next frame from the heap of its own node, or of another when that is empty.</summary>
    Heap,

    /// <summary>As the slides say it: the driver domain gets the guest's free frame itself, for a full one.</summary>
    Swap,
}

/// <summary>One way to exchange frames, and what the study calls it.</summary>
public sealed record FlipRemedy
{
    /// <summary>The name on the command line.</summary>
    public required string Name { get; init; }

    /// <summary>What it does, in half a line.</summary>
    public required string Meaning { get; init; }

    /// <summary>Copy, flip or both.</summary>
    public DeliveryKind Delivery { get; init; } = DeliveryKind.Flip;

    /// <summary>Which free frame goes back.</summary>
    public GiveBack GiveBack { get; init; }

    /// <summary>Whether the pool's size follows its use.</summary>
    public bool IsDynamicPool { get; init; }

    /// <summary>Where receive buffers come from.</summary>
    public ReceivePlacement Placement { get; init; }

    /// <summary>Whether remote pages are brought home once in a period.</summary>
    public bool IsPeriodic { get; init; }

    /// <summary>Whether they are when too many are remote.</summary>
    public bool HasThreshold { get; init; }

    /// <summary>Whether guests keep no page that came in, and their page cache takes none.</summary>
    public bool IsWithoutRetention { get; init; }

    /// <summary>Whether it is set up to fail, to show what matters.</summary>
    public bool IsAblation { get; init; }

    /// <summary>All of them, in the order in which reports show them.</summary>
    public static IReadOnlyList<FlipRemedy> All { get; } =
    [
        new() { Name = "naive", Meaning = "flip; any free frame goes back" },
        new() { Name = "lifo", Meaning = "flip; the frame freed last goes back", GiveBack = GiveBack.LastFreed },
        new()
        {
            Name = "lifo-unretained", Meaning = "the same in guests that keep no received page",
            GiveBack = GiveBack.LastFreed, IsWithoutRetention = true,
        },
        new() { Name = "pool-static", Meaning = "frames of earlier flips go back; calibrated size", GiveBack = GiveBack.Pool },
        new()
        {
            Name = "pool-dynamic", Meaning = "the same; the size follows the use",
            GiveBack = GiveBack.Pool, IsDynamicPool = true,
        },
        new() { Name = "periodic", Meaning = "naive, and remote pages are brought home every period", IsPeriodic = true },
        new() { Name = "threshold", Meaning = "naive, and they are when too many are remote", HasThreshold = true },
        new() { Name = "both", Meaning = "periodic and threshold", IsPeriodic = true, HasThreshold = true },
        new()
        {
            Name = "source", Meaning = "flip; the driver receives into frames of the guest's node",
            Placement = ReceivePlacement.ReceiverNode,
        },
        new() { Name = "copy", Meaning = "no flip: every payload is copied", Delivery = DeliveryKind.Copy },
        new() { Name = "adaptive", Meaning = "naive, but short payloads are copied", Delivery = DeliveryKind.Adaptive },
        new()
        {
            Name = "pool-small", Meaning = "ablation: a static pool smaller than a burst",
            GiveBack = GiveBack.Pool, IsAblation = true,
        },
        new() { Name = "periodic-long", Meaning = "ablation: a long period", IsPeriodic = true, IsAblation = true },
    ];

    /// <summary>The remedy with a name.</summary>
    /// <exception cref="FormatException">There is none; the message lists them.</exception>
    public static FlipRemedy Parse(string name) =>
        All.FirstOrDefault(remedy => remedy.Name == name) ?? throw new FormatException(
            $"there is no remedy '{name}'; there are {string.Join(", ", All.Select(remedy => remedy.Name))}");
}
