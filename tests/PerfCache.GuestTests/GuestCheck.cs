// SPDX-License-Identifier: MIT
namespace PerfCache.GuestTests;

/// <summary>Machines that the checks are for.</summary>
[Flags]
public enum GuestKind
{
    /// <summary>No machine.</summary>
    None = 0,

    /// <summary>Two nodes with a CPU each.</summary>
    Two = 1,

    /// <summary>Two nodes with two CPUs each and two of memory alone, with the firmware's figures.</summary>
    Four = 2,

    /// <summary>Both.</summary>
    Any = Two | Four,
}

/// <summary>One thing that must hold on a machine with several nodes.</summary>
/// <param name="Name">One word in lines; a test in the list of tests.</param>
/// <param name="Guests">The machines it is for.</param>
/// <param name="Run">Throws <see cref="CheckException"/> when it does not hold.</param>
public sealed record GuestCheck(string Name, GuestKind Guests, Action<GuestKind> Run)
{
    /// <summary>All checks, in the order in which they run.</summary>
    public static IReadOnlyList<GuestCheck> All { get; } =
    [
        .. TopologyChecks.All,
        .. PlacementChecks.All,
        .. FullNode.All,
        .. MoveChecks.All,
        .. ExchangeChecks.All,
        .. FlipChecks.All,
        .. ResidencyChecks.All,
    ];

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A check does not hold; the message says what was expected and what was found.</summary>
public sealed class CheckException : Exception
{
    /// <summary>Makes it from its message.</summary>
    public CheckException(string message) : base(message) { }

    /// <summary>Makes it from its message and a cause.</summary>
    public CheckException(string message, Exception innerException) : base(message, innerException) { }

    /// <summary>Makes it without a message of its own.</summary>
    public CheckException() { }
}

/// <summary>A check cannot be made on this machine; the message says why.</summary>
public sealed class SkippedException : Exception
{
    /// <summary>Makes it from its message.</summary>
    public SkippedException(string message) : base(message) { }

    /// <summary>Makes it from its message and a cause.</summary>
    public SkippedException(string message, Exception innerException) : base(message, innerException) { }

    /// <summary>Makes it without a message of its own.</summary>
    public SkippedException() { }
}
