// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Recording;

/// <summary>A file as the kernel knows it: by itself, not by its name. Names come and go, its pages stay.</summary>
internal sealed class RecordedFile(string path, long sizeBytes)
{
    /// <summary>Its name now, one byte a character; the last one when it has none any more.</summary>
    internal string Path { get; set; } = path;

    /// <summary>Its size, or -1 when nobody knows.</summary>
    internal long SizeBytes { get; set; } = sizeBytes;

    /// <summary>Its number in the trace, or 0 as long as no page of it was asked for.</summary>
    internal int Number { get; set; }

    /// <summary>The open files that lead to it.</summary>
    internal int OpenCount { get; set; }

    /// <summary>True when it has no name any more: its pages go with the last open file.</summary>
    internal bool IsUnlinked { get; set; }

    /// <summary>True when its pages are to be written to the trace.</summary>
    internal bool IsWanted { get; init; }

    /// <summary>The reader through which its last request went.</summary>
    internal int LastReader { get; set; }
}

/// <summary>
/// An open file description: what <c>open</c> makes, and what all descriptors that were copied from it share, across
/// processes too. The position is here and not in the descriptor.
/// </summary>
internal sealed class OpenFile(RecordedFile file)
{
    internal RecordedFile File { get; } = file;

    /// <summary>Where the next read or write without a place of its own begins, in bytes.</summary>
    internal long Position { get; set; }

    /// <summary>True when every write goes to the end of the file.</summary>
    internal bool Appends { get; set; }

    /// <summary>True when it passes the page cache by (O_DIRECT).</summary>
    internal bool IsDirect { get; set; }

    /// <summary>Its number in the trace, or 0 as long as nothing went through it.</summary>
    internal int Reader { get; set; }

    /// <summary>The descriptors that lead to it.</summary>
    internal int References { get; set; }

    /// <summary>The name by which strace last showed it, as it is escaped.</summary>
    internal byte[] ShownPath { get; set; } = [];
}

/// <summary>The descriptors of a process, or of several that share them (CLONE_FILES); regular files only.</summary>
internal sealed class DescriptorTable
{
    private readonly Dictionary<int, (OpenFile File, bool ClosesOnExec)> _descriptors = [];

    /// <summary>The tasks that use this table.</summary>
    internal int References { get; set; } = 1;

    internal OpenFile? Find(int descriptor) =>
        _descriptors.TryGetValue(descriptor, out (OpenFile File, bool ClosesOnExec) found) ? found.File : null;

    /// <summary>Makes a descriptor lead to a file.</summary>
    /// <returns>The open file that it led to before, which has lost this reference.</returns>
    internal OpenFile? Set(int descriptor, OpenFile file, bool closesOnExec)
    {
        file.References++;
        OpenFile? before = Remove(descriptor);
        _descriptors[descriptor] = (file, closesOnExec);
        return before;
    }

    internal void SetClosesOnExec(int descriptor, bool closesOnExec)
    {
        if (_descriptors.TryGetValue(descriptor, out (OpenFile File, bool ClosesOnExec) found))
            _descriptors[descriptor] = found with { ClosesOnExec = closesOnExec };
    }

    /// <summary>Forgets a descriptor.</summary>
    /// <returns>The open file that it led to, which has lost this reference.</returns>
    internal OpenFile? Remove(int descriptor)
    {
        if (!_descriptors.Remove(descriptor, out (OpenFile File, bool ClosesOnExec) found)) return null;
        found.File.References--;
        return found.File;
    }

    /// <summary>Another process gets a table of its own, with the same open files.</summary>
    internal DescriptorTable Copy()
    {
        DescriptorTable copy = new();
        foreach ((int descriptor, (OpenFile file, bool closesOnExec)) in _descriptors)
            copy.Set(descriptor, file, closesOnExec);
        return copy;
    }

    /// <summary>The descriptors in a range, or those of it that close when a program is executed.</summary>
    internal List<int> In(long first, long last, bool closingOnExecOnly = false) =>
        [.. from entry in _descriptors
            where entry.Key >= first && entry.Key <= last && (entry.Value.ClosesOnExec || !closingOnExecOnly)
            select entry.Key];
}

/// <summary>A thread.</summary>
internal sealed class RecordedTask(DescriptorTable table, WorkingFolder folder)
{
    internal DescriptorTable Table { get; set; } = table;

    internal WorkingFolder Folder { get; set; } = folder;

    /// <summary>The call that it is in, if its line was not finished.</summary>
    internal string PendingName { get; set; } = "";

    /// <summary>The arguments of that call, as far as they were written.</summary>
    internal byte[] PendingText { get; set; } = [];
}

/// <summary>A working directory; threads share one.</summary>
internal sealed class WorkingFolder(string path)
{
    internal string Path { get; set; } = path;
}
