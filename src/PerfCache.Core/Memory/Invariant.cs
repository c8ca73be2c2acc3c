// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace PerfCache.Memory;

/// <summary>An invariant does not hold: the data structure is damaged, or its caller broke the contract.</summary>
public sealed class InvariantException : InvalidOperationException
{
    /// <summary>Makes the exception from its complete message.</summary>
    public InvariantException(string message) : base(message) { }

    /// <summary>Makes the exception from its complete message and the failure beneath it.</summary>
    public InvariantException(string message, Exception innerException) : base(message, innerException) { }

    /// <summary>Makes an exception with a general message.</summary>
    public InvariantException() : base("an invariant does not hold") { }
}

/// <summary>
/// The checks inside the mechanism. <see cref="Assert"/> is O(1) and compiled away in release builds unless
/// PERFCACHE_VALIDATE is defined; <see cref="Check"/> is for the Validate() methods, which only tests call.
/// </summary>
internal static class Invariant
{
    /// <summary>Fails unless <paramref name="holds"/>; exists in debug builds only.</summary>
    [Conditional("DEBUG")]
    [Conditional("PERFCACHE_VALIDATE")]
    internal static void Assert([DoesNotReturnIf(false)] bool holds, string where, string expected, long found)
    {
        if (!holds) Fail(where, expected, found);
    }

    /// <summary>Fails unless <paramref name="holds"/>, in every build.</summary>
    internal static void Check([DoesNotReturnIf(false)] bool holds, string where, string expected, long found)
    {
        if (!holds) Fail(where, expected, found);
    }

    [DoesNotReturn]
    private static void Fail(string where, string expected, long found) =>
        throw new InvariantException($"{where}: expected {expected}, found {found}");
}
