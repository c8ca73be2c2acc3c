// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>Statuses of pages that are not a node's number, as Linux gives them.</summary>
public static class NumaStatus
{
    /// <summary>The page was never touched, so it is nowhere.</summary>
    public const int NotTouched = -2;

    /// <summary>The target has no memory left.</summary>
    public const int NoMemory = -12;

    /// <summary>Several processes map the page, and it may not be moved from under the others.</summary>
    public const int MappedBySeveral = -13;

    /// <summary>Nothing is mapped at the address, or a page that is no memory.</summary>
    public const int NotMapped = -14;

    /// <summary>Somebody holds the page just now; trying again may help. Also said, wrongly, of a part of a huge page
    /// that was moved with the rest.</summary>
    public const int Busy = -16;

    /// <summary>There is no such node.</summary>
    public const int NoSuchNode = -19;

    /// <summary>The system said nothing of the page, as Linux does of a whole batch whose target has too little room.
    /// </summary>
    public const int NotTold = NumaCalls.NotTold;

    /// <summary>True for a status that is a node's number.</summary>
    public static bool IsNode(int status) => status >= 0;

    /// <summary>A status in words.</summary>
    public static string Describe(int status) => status switch
    {
        >= 0 => $"on node {status}",
        NotTouched => "not touched yet",
        NoMemory => "the target is full",
        MappedBySeveral => "mapped by several processes",
        NotMapped => "not mapped",
        Busy => "busy",
        NoSuchNode => "no such node",
        NotTold => "no reason told, as when the target is full",
        _ => $"error {-status}",
    };
}
