// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Replay;

/// <summary>What a replay would have read from and written to a disk. In pages.</summary>
public sealed record DiskTraffic
{
    /// <summary>The largest window of the readahead that was modelled; 0 for none.</summary>
    public required int ReadaheadMax { get; init; }

    /// <summary>Requests that write.</summary>
    public required long Writes { get; init; }

    /// <summary>Pages read from the disk, those read ahead included. A page that is written whole needs no read.</summary>
    public required long DiskReads { get; init; }

    /// <summary>The part of <see cref="DiskReads"/> that no request had asked for when it was read.</summary>
    public required long ReadaheadPages { get; init; }

    /// <summary>Dirty pages that were evicted, and so had to be written to the disk.</summary>
    public required long WriteBacks { get; init; }

    /// <summary>Dirty pages that are resident at the end.</summary>
    public required long DirtyPages { get; init; }
}

/// <summary>Stands between the requests of a trace and a cell, and counts what the disk has to do.</summary>
/// <remarks>
/// Dirty is a fact about a page, not about a frame, as long as nobody writes dirty pages back for their age: a page
/// becomes dirty when it is written and clean when it is evicted. So the cache need not know; whoever misses a page that
/// was dirty knows that it was written back in between.
/// </remarks>
internal abstract class DiskModel
{
    /// <summary>The counts so far.</summary>
    public abstract DiskTraffic? Traffic { get; }

    /// <summary>Replays requests of a block, which come in order.</summary>
    /// <param name="block">The block.</param>
    /// <param name="start">The first request.</param>
    /// <param name="end">The one behind the last.</param>
    /// <param name="outcomes">Receives what each request found, or is empty.</param>
    public abstract void Replay(ReplayBlock block, int start, int end, Span<byte> outcomes);

    /// <summary>Counts from 0 again; what is resident and dirty stays so.</summary>
    public abstract void EndWarmup();
}

/// <summary>Marks written pages dirty: for a cell that is fed with page numbers, of whatever kind.</summary>
internal sealed class WriteModel(ReplayCell cell) : DiskModel
{
    private byte[] _outcomes = [];
    private ulong[] _dirty = [];
    private bool _hasWritten;
    private long _missesBefore;
    private long _writes;
    private long _missesWithoutRead;
    private long _writeBacks;

    public override DiskTraffic? Traffic
    {
        get
        {
            if (!_hasWritten) return null;
            long resident = 0;
            cell.VisitResident(page => resident += IsDirty(page) ? 1 : 0);
            long dirty = 0;
            foreach (ulong word in _dirty) dirty += long.PopCount((long)word);
            return new DiskTraffic
            {
                ReadaheadMax = 0,
                Writes = _writes,
                DiskReads = cell.Counts.Misses - _missesBefore - _missesWithoutRead,
                ReadaheadPages = 0,
                WriteBacks = _writeBacks + dirty - resident,
                DirtyPages = resident,
            };
        }
    }

    public override void EndWarmup()
    {
        _missesBefore = cell.Counts.Misses;
        (_writes, _missesWithoutRead, _writeBacks) = (0, 0, 0);
    }

    public override void Replay(ReplayBlock block, int start, int end, Span<byte> outcomes)
    {
        ReplayRequests requests = block.Requests(cell.Numbering, start, end);
        TraceBlock recorded = block.Recorded!;
        ReadOnlySpan<bool> writes = recorded.Writes.AsSpan(start, end - start);
        if (!_hasWritten && !writes.Contains(true))
        {
            cell.Replay(requests, outcomes);
            return;
        }

        _hasWritten = true;
        if (outcomes.IsEmpty)
        {
            if (_outcomes.Length < writes.Length) _outcomes = new byte[block.Count];
            outcomes = _outcomes.AsSpan(0, writes.Length);
        }

        cell.Replay(requests, outcomes);
        int part = -1;
        int note = 0;
        for (int i = 0; i < writes.Length; i++)
        {
            for (; note < recorded.Notes.Count && recorded.Notes[note].At <= start + i; note++)
                if (recorded.Notes[note].Kind == TraceNoteKind.Part) part = recorded.Notes[note].At - start;
            uint page = requests.Pages[i];
            if (outcomes[i] == ReplayCell.Miss)
            {
                if (writes[i] && part != i) _missesWithoutRead++;
                if (IsDirty(page)) Clean(page);
            }

            if (writes[i]) Soil(page);
        }
    }

    private bool IsDirty(uint page)
    {
        int word = (int)(page >> 6);
        return word < _dirty.Length && (_dirty[word] & (1UL << (int)(page & 63))) != 0;
    }

    private void Clean(uint page)
    {
        _writeBacks++;
        _dirty[page >> 6] &= ~(1UL << (int)(page & 63));
    }

    private void Soil(uint page)
    {
        _writes++;
        int word = (int)(page >> 6);
        if (word >= _dirty.Length) Array.Resize(ref _dirty, Math.Max(word + 1, _dirty.Length * 2));
        _dirty[word] |= 1UL << (int)(page & 63);
    }
}
