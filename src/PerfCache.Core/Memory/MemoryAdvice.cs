// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>What the system can be told of a range; the numbers are Linux's.</summary>
internal enum MemoryAdvice
{
    /// <summary>Take the pages away; the range reads as zero from now on.</summary>
    DontNeed = 4,

    /// <summary>Take the pages away when memory is short, unless they are written before.</summary>
    Free = 8,

    /// <summary>A child process does not get the range.</summary>
    DontFork = 10,

    /// <summary>Back the range with huge pages where possible.</summary>
    HugePage = 14,

    /// <summary>Back the range with ordinary pages only.</summary>
    NoHugePage = 15,

    /// <summary>Leave the range out of core dumps.</summary>
    DontDump = 16,

    /// <summary>Back the range with writable pages now, and change no byte of it.</summary>
    PopulateWrite = 23,

    /// <summary>Put huge pages behind the range now, and change no byte of it.</summary>
    Collapse = 25,
}

/// <summary>Advice that the system did not take. The memory works without; it may be slower, or be dumped or forked.</summary>
/// <param name="Advice">What was asked, in the system's own word, such as MADV_HUGEPAGE.</param>
/// <param name="Error">The system's error number.</param>
public readonly record struct RefusedAdvice(string Advice, int Error);
