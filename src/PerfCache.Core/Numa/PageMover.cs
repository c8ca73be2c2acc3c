// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Numa;

/// <summary>Works a plan off, batch by batch: what to ask for next, and what became of it.</summary>
/// <remarks>
/// The system's answer to a move is not to be trusted. It may return success and have moved nothing; it may say "busy"
/// of an address within a huge page that it has moved with its first address. So after every batch all its pages are
/// asked for, and where a page is decides; its status is only the reason why it is not where it should be.
/// <para>
/// Huge pages are not known beforehand, so each aligned block of 2 MiB is first asked for by its first address alone.
/// Is the whole block on its target afterwards, it was a huge page, moved by one address; otherwise it was none, and
/// its other pages are asked for one by one later in the same pass. For ordinary pages that costs one more address in
/// 512.
/// </para>
/// <para>
/// A pass goes through the plan in order; pages that failed for a reason that may pass (busy, target full, not told)
/// make the next pass, at most <see cref="MoveLimits.RetriesMax"/> times.
/// </para>
/// <para>V1: pages filed (moved, untouched, failed) and pages waiting add up to the pages of the plan.</para>
/// It reads no clock and does not wait. Not synchronised.
/// </remarks>
internal sealed class PageMover
{
    private const int BlockBytes = OsMemory.HugePageBytes;
    private const int OutOfMemory = -NumaStatus.NoMemory;

    private readonly INumaSystem _system;
    private readonly MoveLimits _limits;
    private readonly long _batchBytesMax;
    private readonly int _pageBytes;
    private readonly Dictionary<int, long> _failed = [];
    private readonly List<Item> _batch = [];
    private Queue<Piece> _pass;
    private List<Piece> _nextPass = [];
    private Piece _current;
    private Piece _appended;
    private int _passNumber;
    private long _moved;
    private long _untouched;
    private long _retries;
    private long _corrected;
    private long _broken;
    private long _batches;

    internal PageMover(INumaSystem system, MovePlan plan, MoveLimits limits)
    {
        _system = system;
        _limits = limits;
        _pageBytes = system.PageBytes;
        _batchBytesMax = Math.Min(limits.BatchBytes, limits.BudgetBytes ?? long.MaxValue);
        _pass = new Queue<Piece>(plan.Runs.Select(WholePages));
    }

    /// <summary>True when nothing is left to ask for, or the system refuses.</summary>
    internal bool IsDone => Error != 0
        || (_batch.Count == 0 && _current.Bytes == 0 && _pass.Count == 0 && _nextPass.Count == 0);

    /// <summary>The error number of the system's refusal.</summary>
    internal int Error { get; private set; }

    /// <summary>Fills the next batch, unless it is filled already.</summary>
    /// <returns>The most bytes that it can move.</returns>
    internal long Prepare()
    {
        if (_batch.Count == 0)
        {
            if (_current.Bytes == 0 && _pass.Count == 0) StartNextPass();
            Fill();
        }

        return _batch.Sum(item => (long)item.Bytes);
    }

    /// <summary>Moves the batch and files what became of each page.</summary>
    /// <returns>Bytes that are on their target, and whether the greater part of the batch failed.</returns>
    internal (long MovedBytes, bool HasFailed) Run()
    {
        nint[] addresses = [.. _batch.Select(item => item.Address)];
        int[] targets = [.. _batch.Select(item => item.Target)];
        int[] statuses = new int[addresses.Length];
        _batches++;
        int error = _system.Move(addresses, targets, statuses);
        nint[] pages = [.. _batch.SelectMany(PagesOf)];
        int[] nodes = new int[pages.Length];
        if (error is 0 or OutOfMemory)
        {
            int asked = _system.Query(process: 0, pages, nodes);
            if (asked != 0) error = asked;
        }

        if (error is not (0 or OutOfMemory))
        {
            Refuse(error);
            return (0, true);
        }

        long movedBefore = _moved;
        long waitingBefore = PagesIn(_nextPass) + _failed.Values.Sum();
        int page = 0;
        for (int i = 0; i < _batch.Count; i++)
        {
            int count = _batch[i].Bytes / _pageBytes;
            File(_batch[i], statuses[i], nodes.AsSpan(page, count));
            page += count;
        }

        FlushAppended();
        _batch.Clear();
        long failed = PagesIn(_nextPass) + _failed.Values.Sum() - waitingBefore;
        long moved = _moved - movedBefore;
        return (moved * _pageBytes, failed > moved);
    }

    /// <summary>The counts so far.</summary>
    internal MoveStatistics Statistics => new()
    {
        MovedPages = _moved,
        MovedBytes = _moved * _pageBytes,
        UntouchedPages = _untouched,
        FailedPages = new Dictionary<int, long>(_failed),
        RemainingPages = PagesIn(_pass) + PagesIn(_nextPass)
            + (_current.Bytes + _batch.Sum(item => (long)item.Bytes)) / _pageBytes,
        Retries = _retries,
        CorrectedStatuses = _corrected,
        BrokenPromises = _broken,
        Batches = _batches,
    };

    private static bool MayPass(int status) => status is NumaStatus.Busy or NumaStatus.NoMemory or NumaStatus.NotTold;

    private Piece WholePages(PageRun run)
    {
        nint first = run.Address & ~(nint)(_pageBytes - 1);
        long bytes = (run.Address - first + run.Bytes + _pageBytes - 1) / _pageBytes * _pageBytes;
        return new Piece(first, bytes, run.Target, AsBlocks: BlockBytes % _pageBytes == 0 && _pageBytes < BlockBytes);
    }

    private void StartNextPass()
    {
        _retries += PagesIn(_nextPass);
        _passNumber++;
        _pass = new Queue<Piece>(_nextPass);
        _nextPass = [];
    }

    private void Fill()
    {
        long bytes = 0;
        while (_batch.Count < _limits.BatchPages)
        {
            if (_current.Bytes == 0 && !_pass.TryDequeue(out _current)) return;
            bool isBlock = _current.AsBlocks && _current.Address % BlockBytes == 0 && _current.Bytes >= BlockBytes;
            int next = isBlock ? BlockBytes : _pageBytes;
            if (bytes + next > _batchBytesMax) return;
            _batch.Add(new Item(_current.Address, next, _current.Target));
            _current = _current with { Address = _current.Address + next, Bytes = _current.Bytes - next };
            bytes += next;
        }
    }

    private IEnumerable<nint> PagesOf(Item item)
    {
        for (int offset = 0; offset < item.Bytes; offset += _pageBytes) yield return item.Address + offset;
    }

    /// <summary>Files the pages of an item: the first by its status, the others, which were not asked for, by where
    /// they are.</summary>
    private void File(Item item, int status, ReadOnlySpan<int> nodes)
    {
        bool isMoved = nodes[0] == item.Target;
        bool isBlock = item.Bytes > _pageBytes;
        if (isMoved && status != item.Target) _corrected++;
        if (!isMoved && status == item.Target) _broken++;
        int reason = isMoved || nodes[0] < 0 ? nodes[0] : NumaStatus.IsNode(status) ? NumaStatus.Busy : status;
        if (isBlock && !isMoved && MayPass(reason) && !nodes.ContainsAnyExcept(nodes[0]))
        {
            // All of it is where it was, as a huge page is that could not be moved.
            FileAway(item.Address, item.Bytes, item.Target, reason, asBlocks: true);
            return;
        }

        for (int page = 0; page < nodes.Length; page++)
        {
            nint address = item.Address + page * (nint)_pageBytes;
            if (nodes[page] == item.Target) _moved++;
            else if (nodes[page] == NumaStatus.NotTouched) _untouched++;
            else if (page == 0) FileAway(address, _pageBytes, item.Target, reason, asBlocks: false);
            else Append(address, item.Target);
        }
    }

    private void FileAway(nint address, int bytes, int target, int reason, bool asBlocks)
    {
        if (MayPass(reason) && _passNumber < _limits.RetriesMax)
        {
            if (_nextPass.Count > 0 && _nextPass[^1].IsContinuedBy(address, target, asBlocks))
                _nextPass[^1] = _nextPass[^1] with { Bytes = _nextPass[^1].Bytes + bytes };
            else
                _nextPass.Add(new Piece(address, bytes, target, asBlocks));
        }
        else
        {
            _failed[reason] = _failed.GetValueOrDefault(reason) + bytes / _pageBytes;
        }
    }

    // Of blocks that are no huge pages, the pages join the end of this pass one by one.
    private void Append(nint address, int target)
    {
        if (_appended.Bytes > 0 && _appended.IsContinuedBy(address, target, asBlocks: false))
        {
            _appended = _appended with { Bytes = _appended.Bytes + _pageBytes };
            return;
        }

        FlushAppended();
        _appended = new Piece(address, _pageBytes, target, AsBlocks: false);
    }

    private void FlushAppended()
    {
        if (_appended.Bytes > 0) _pass.Enqueue(_appended);
        _appended = default;
    }

    private void Refuse(int error)
    {
        Error = error;
        foreach (Item item in _batch)
            _failed[-error] = _failed.GetValueOrDefault(-error) + item.Bytes / _pageBytes;
        _batch.Clear();
    }

    private long PagesIn(IEnumerable<Piece> pieces) => pieces.Sum(piece => piece.Bytes) / _pageBytes;

    private readonly record struct Item(nint Address, int Bytes, int Target);

    private readonly record struct Piece(nint Address, long Bytes, int Target, bool AsBlocks)
    {
        internal bool IsContinuedBy(nint address, int target, bool asBlocks) =>
            Address + (nint)Bytes == address && Target == target && AsBlocks == asBlocks;
    }
}
