// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache.Sources;

/// <summary>Whether a file is read and written past the kernel's own page cache (O_DIRECT).</summary>
public enum DirectIo
{
    /// <summary>Through the kernel's page cache: every page may be in memory twice.</summary>
    Off,

    /// <summary>Past it where the system and the file system allow, otherwise through it.</summary>
    IfPossible,

    /// <summary>Past it, or the file is not opened.</summary>
    Required,
}

/// <summary>How a <see cref="FilePageSource"/> opens its file.</summary>
public sealed class FilePageSourceOptions
{
    /// <summary>Bytes of a page: a power of two from 4 KiB to 64 KiB, that of the cache.</summary>
    public int PageBytes { get; init; } = PageMemory.PageBytesMin;

    /// <summary>True to open the file for reading only: permission to write is not needed then.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>True to make the file where there is none.</summary>
    public bool Create { get; init; }

    /// <summary>
    /// True when writes beyond the end make the file longer. Otherwise such a write is refused, and of the
    /// short last page no more is written than the file has.
    /// </summary>
    public bool CanGrow { get; init; }

    /// <summary>Whether the kernel's page cache is passed by.</summary>
    public DirectIo DirectIo { get; init; }

    /// <summary>
    /// False to tell the kernel that pages are asked for in no order, so that it reads none ahead: the cache
    /// does. Without effect on direct I/O, which reads nothing that was not asked for.
    /// </summary>
    public bool KernelReadahead { get; init; } = true;

    internal void Check()
    {
        if (!PageMemory.IsPageSize(PageBytes))
        {
            throw new ArgumentOutOfRangeException(
                nameof(PageBytes), PageBytes, "a page is a power of two from 4096 to 65536 bytes");
        }

        if (ReadOnly && (Create || CanGrow))
        {
            throw new ArgumentException(
                $"{nameof(ReadOnly)} contradicts {(Create ? nameof(Create) : nameof(CanGrow))}: "
                + "drop one of the two");
        }

        if (!Enum.IsDefined(DirectIo))
            throw new ArgumentOutOfRangeException(nameof(DirectIo), DirectIo, "Off, IfPossible or Required");
    }
}
