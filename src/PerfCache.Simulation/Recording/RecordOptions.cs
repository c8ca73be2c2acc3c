// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Recording;

/// <summary>What a recording takes in.</summary>
public sealed record RecordOptions
{
    /// <summary>The working directory of the program at its start, as an absolute path.</summary>
    public string Folder { get; init; } = "/";

    /// <summary>Only files whose path begins with this go to the trace, or null for all; bytes are counted for
    /// all.</summary>
    public string? Only { get; init; }

    /// <summary>
    /// True to count every page of a mapped range as read once, when it is mapped. Nobody knows which pages of a mapping
    /// a program touches: none is the lower bound, this is the upper one.
    /// </summary>
    public bool CountsMappings { get; init; }
}

/// <summary>How a file was used.</summary>
/// <param name="Number">Its number in the trace.</param>
/// <param name="Path">Its path when its first page was asked for.</param>
public sealed record RecordedFileUse(int Number, string Path)
{
    /// <summary>Pages asked for.</summary>
    public long Requests { get; internal set; }

    /// <summary>Bytes that system calls read from it.</summary>
    public long ReadBytes { get; internal set; }

    /// <summary>Bytes that system calls wrote to it.</summary>
    public long WrittenBytes { get; internal set; }
}

/// <summary>What was recorded. Bytes are those that system calls moved; pages are of 4096 bytes.</summary>
public sealed record RecordSummary
{
    /// <summary>Pages asked for: lines of the trace.</summary>
    public required long Requests { get; init; }

    /// <summary>Those that are read.</summary>
    public long Reads => Requests - Writes;

    /// <summary>Those that are written.</summary>
    public required long Writes { get; init; }

    /// <summary>Different pages.</summary>
    public required long DistinctPages { get; init; }

    /// <summary>Calls that read.</summary>
    public required long ReadCalls { get; init; }

    /// <summary>Calls that wrote.</summary>
    public required long WriteCalls { get; init; }

    /// <summary>Bytes read by all calls, from pipes and devices too: the kernel's <c>rchar</c>, but for what it reads
    /// itself of a program that it executes.</summary>
    public required long ReadBytes { get; init; }

    /// <summary>Bytes written by all calls: the kernel's <c>wchar</c>.</summary>
    public required long WrittenBytes { get; init; }

    /// <summary>The part of <see cref="ReadBytes"/> that came from regular files.</summary>
    public required long FileReadBytes { get; init; }

    /// <summary>The part of <see cref="WrittenBytes"/> that went to regular files.</summary>
    public required long FileWrittenBytes { get; init; }

    /// <summary>Bytes that passed the page cache by (O_DIRECT); no page of them is in the trace.</summary>
    public required long DirectBytes { get; init; }

    /// <summary>Ranges of files that were mapped; accesses through them are not in the trace.</summary>
    public required long Mappings { get; init; }

    /// <summary>The bytes of those ranges.</summary>
    public required long MappedBytes { get; init; }

    /// <summary>Descriptors that were used without having been opened before the recorder's eyes.</summary>
    public required long UnseenOpens { get; init; }

    /// <summary>Queues of io_uring or aio that were made: what is read through them is not in the trace.</summary>
    public required long HiddenReaders { get; init; }

    /// <summary>The files of which pages were asked for.</summary>
    public required int Files { get; init; }

    /// <summary>The files of which most pages were asked for, at most five, the first one first.</summary>
    public required IReadOnlyList<RecordedFileUse> TopFiles { get; init; }
}
