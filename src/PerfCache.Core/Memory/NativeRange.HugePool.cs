// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>Huge pages that the system has set aside (hugetlb), where it has enough of them.</summary>
/// <remarks>
/// Only whole blocks of 2 MiB that are committed in one step get them; the ends around them, and everything when the
/// pool is empty, are ordinary memory. The blocks are new mappings, so advice and placements that were given before are
/// given again. And they are backed at once, before anybody can touch them: the system kills a process that touches a
/// block for which the pool has no page left on the nodes of its placement, while asking it to back the block returns
/// an error, after which ordinary memory takes its place.
/// <para>R2: bytes in the pool's pages are a part of the committed ones, and are never discarded.</para>
/// </remarks>
internal sealed unsafe partial class NativeRange
{
    private readonly List<(long Offset, long Bytes, NumaPlacement Placement)> _placements = [];
    private readonly List<(long Offset, long Bytes)> _poolParts = [];
    private readonly List<MemoryAdvice> _advice = [];

    /// <summary>True to ask for huge pages that were set aside. Set it before anything is committed.</summary>
    internal bool UsesHugePool { get; init; }

    /// <summary>Bytes that lie in huge pages that were set aside.</summary>
    internal long HugePoolBytes => _poolParts.Sum(part => part.Bytes);

    /// <summary>Puts huge pages behind the whole blocks of a part that was just committed and never touched.</summary>
    /// <returns>0, also when the pool has none; an error number when not even ordinary memory can be had.</returns>
    private int CommitHugePool(long from, long to)
    {
        const long Block = OsMemory.HugePageBytes;
        long first = (from + Block - 1) / Block * Block;
        long end = to / Block * Block;
        if (first >= end || (nuint)Address % OsMemory.HugePageBytes != 0) return 0;
        var bytes = (nuint)(end - first);
        int error = Note("MAP_HUGETLB", OsMemory.CommitHugePool(Address + first, bytes));
        if (error == OsMemory.NotSupported) return 0;
        if (error == 0)
        {
            Repeat(first, end, isPool: true);
            error = Note("MADV_POPULATE_WRITE", OsMemory.Advise(Address + first, bytes, MemoryAdvice.PopulateWrite));
            if (error == 0)
            {
                _poolParts.Add((first, end - first));
                return 0;
            }
        }

        error = OsMemory.CommitAgain(Address + first, bytes);
        if (error == 0) Repeat(first, end, isPool: false);
        return error;
    }

    /// <summary>Gives advice and placements to a part again that was mapped anew.</summary>
    private void Repeat(long first, long end, bool isPool)
    {
        foreach (MemoryAdvice advice in _advice)
        {
            if (isPool && advice is MemoryAdvice.HugePage or MemoryAdvice.NoHugePage) continue;
            Note(Name(advice), OsMemory.Advise(Address + first, (nuint)(end - first), advice));
        }

        foreach ((long offset, long bytes, NumaPlacement placement) in _placements)
        {
            long from = Math.Max(first, offset);
            long to = Math.Min(end, offset + bytes);
            if (from >= to) continue;
            Note($"mbind {placement}",
                NumaSystem.OfThisMachine.Bind((nint)Address + (nint)from, to - from, placement));
        }
    }

    // The latest of its kind counts, and comes last.
    private void RememberAdvice(MemoryAdvice advice)
    {
        _advice.Remove(advice);
        _advice.Add(advice);
    }

    private bool OverlapsHugePool(long offset, long bytes) =>
        _poolParts.Exists(part => offset < part.Offset + part.Bytes && part.Offset < offset + bytes);
}
