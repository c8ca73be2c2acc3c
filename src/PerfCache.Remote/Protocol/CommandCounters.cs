// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Protocol;

/// <summary>What a connection's commands came to. Written by whoever serves the connection, read by anybody.</summary>
internal sealed class CommandCounters
{
    internal long Gets;
    internal long GetHits;
    internal long Sets;
    internal long Touches;
    internal long TouchHits;
    internal long DeleteHits;
    internal long DeleteMisses;
    internal long IncrementHits;
    internal long IncrementMisses;
    internal long DecrementHits;
    internal long DecrementMisses;
    internal long CasHits;
    internal long CasMisses;
    internal long CasBadValues;
    internal long Flushes;
    internal long MetaCommands;
    internal long Logins;
    internal long FailedLogins;
    internal long TooLarge;
    internal long NoMemory;
    internal long Refused;
    internal long BytesRead;
    internal long BytesWritten;

    /// <summary>Adds another's counts, with a sign.</summary>
    internal void Add(CommandCounters other, long sign = 1)
    {
        Gets += sign * other.Gets;
        GetHits += sign * other.GetHits;
        Sets += sign * other.Sets;
        Touches += sign * other.Touches;
        TouchHits += sign * other.TouchHits;
        DeleteHits += sign * other.DeleteHits;
        DeleteMisses += sign * other.DeleteMisses;
        IncrementHits += sign * other.IncrementHits;
        IncrementMisses += sign * other.IncrementMisses;
        DecrementHits += sign * other.DecrementHits;
        DecrementMisses += sign * other.DecrementMisses;
        CasHits += sign * other.CasHits;
        CasMisses += sign * other.CasMisses;
        CasBadValues += sign * other.CasBadValues;
        Flushes += sign * other.Flushes;
        MetaCommands += sign * other.MetaCommands;
        Logins += sign * other.Logins;
        FailedLogins += sign * other.FailedLogins;
        TooLarge += sign * other.TooLarge;
        NoMemory += sign * other.NoMemory;
        Refused += sign * other.Refused;
        BytesRead += sign * other.BytesRead;
        BytesWritten += sign * other.BytesWritten;
    }
}
