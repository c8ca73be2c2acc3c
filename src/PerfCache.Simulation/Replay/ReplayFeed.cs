// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// Consecutive requests as page numbers, in each numbering that some cell wants; other columns are empty.
/// </summary>
internal sealed class ReplayBlock(int capacity, bool hasFiles, bool dense, bool perLeaf, bool hasSizes = false)
{
    public int Count { get; set; }

    /// <summary>The distinct pages of the trace up to the end of this block.</summary>
    public long DistinctPages { get; set; }

    /// <summary>The files, numbered in the order of their appearance.</summary>
    public int[] Files { get; } = hasFiles ? new int[capacity] : [];

    /// <summary>Object sizes in bytes, where the trace has them.</summary>
    public uint[] Sizes { get; } = hasSizes ? new uint[capacity] : [];

    /// <summary>How many of the first requests belong to the warm-up.</summary>
    public int WarmupCount { get; set; }

    /// <summary>The distinct pages of the warm-up, in the block in which it ends.</summary>
    public long DistinctInWarmup { get; set; }

    public uint[] Dense { get; } = dense ? new uint[capacity] : [];

    public uint[] PerLeaf { get; } = perLeaf ? new uint[capacity] : [];

    public ReadOnlySpan<uint> Pages(PageNumbering numbering) =>
        (numbering == PageNumbering.Dense ? Dense : PerLeaf).AsSpan(0, Count);

    /// <summary>The page numbers in a numbering that there is.</summary>
    public ReadOnlySpan<uint> AnyPages => Pages(Dense.Length > 0 ? PageNumbering.Dense : PageNumbering.PerLeaf);

    /// <summary>For each request the position of the next one to its page; empty unless <see cref="FillNextUses"/> was
    /// called.</summary>
    public uint[] NextUses { get; private set; } = [];

    /// <summary>Requests from <paramref name="start"/> to before <paramref name="end"/>.</summary>
    public ReplayRequests Requests(PageNumbering numbering, int start, int end) =>
        new(Pages(numbering)[start..end], Files.Length == 0 ? default : Files.AsSpan(start, end - start))
        {
            NextUses = NextUses.Length == 0 ? default : NextUses.AsSpan(start, end - start),
        };

    public ReadOnlySpan<int> FilesOrEmpty => Files.Length == 0 ? default : Files.AsSpan(0, Count);

    /// <summary>Finds the next use of every request of a trace, from its end to its start.</summary>
    /// <param name="blocks">The whole trace, with dense page numbers.</param>
    /// <param name="distinctPages">Its distinct pages.</param>
    /// <exception cref="OverflowException">The trace has more requests than a position can count.</exception>
    public static void FillNextUses(IReadOnlyList<ReplayBlock> blocks, long distinctPages)
    {
        long end = blocks.Sum(block => (long)block.Count);
        if (end >= Policies.Replacement.NextUses.Never)
            throw new OverflowException($"{end} requests are too many for a policy that knows the future; use --limit");
        uint[] next = new uint[distinctPages];
        Array.Fill(next, Policies.Replacement.NextUses.Never);
        for (int b = blocks.Count - 1; b >= 0; b--)
        {
            ReplayBlock block = blocks[b];
            block.NextUses = new uint[block.Count];
            for (int i = block.Count - 1; i >= 0; i--)
            {
                ref uint nextOfPage = ref next[block.Dense[i]];
                block.NextUses[i] = nextOfPage;
                nextOfPage = (uint)--end;
            }
        }
    }
}

/// <summary>Gives the blocks of a trace one after another; called by one thread at a time.</summary>
internal interface IReplayFeed
{
    /// <summary>
    /// The next block, or null at the end. It may be <paramref name="recycled"/>, a block that no cell reads
    /// any more.
    /// </summary>
    ReplayBlock? Next(ReplayBlock? recycled);
}

/// <summary>The id maps of a run: one for each numbering in use.</summary>
internal sealed class ReplayMaps(bool hasFiles, bool dense, bool perLeaf, bool hasSizes = false) : IDisposable
{
    private readonly FileNumbers _fileNumbers = new();

    public bool HasFiles { get; } = hasFiles;

    public bool HasSizes { get; } = hasSizes;

    /// <summary>The columns that a block takes from the trace.</summary>
    public TraceColumns Columns =>
        (HasFiles ? TraceColumns.File : TraceColumns.None) | (HasSizes ? TraceColumns.Size : TraceColumns.None);

    public IdMap? Dense { get; } = dense ? new IdMap(PageNumbering.Dense, hasFiles) : null;

    public IdMap? PerLeaf { get; } = perLeaf ? new IdMap(PageNumbering.PerLeaf, hasFiles) : null;

    public IdMap this[PageNumbering numbering] => (numbering == PageNumbering.Dense ? Dense : PerLeaf)!;

    /// <summary>The distinct pages, equal in both maps once both have seen the same requests.</summary>
    public long DistinctPages => (Dense ?? PerLeaf)!.Pages;

    public void RestartCounting()
    {
        Dense?.RestartCounting();
        PerLeaf?.RestartCounting();
    }

    public void Dispose()
    {
        Dense?.Dispose();
        PerLeaf?.Dispose();
    }

    public ReplayBlock MakeBlock(int capacity) =>
        new(capacity, HasFiles, Dense is not null, PerLeaf is not null, HasSizes);

    public void Map(TraceBlock source, ReplayBlock block)
    {
        ReadOnlySpan<ulong> ids = source.Ids.AsSpan(0, source.Count);
        ReadOnlySpan<int> files = HasFiles ? source.Files.AsSpan(0, source.Count) : default;
        Dense?.Map(ids, files, block.Dense);
        PerLeaf?.Map(ids, files, block.PerLeaf);
        _fileNumbers.Number(files, block.Files);
        if (HasSizes) source.Sizes.AsSpan(0, source.Count).CopyTo(block.Sizes);
        block.Count = source.Count;
        block.DistinctPages = DistinctPages;
    }
}

/// <summary>Reads and maps a trace, and keeps the time that this takes.</summary>
internal sealed class ReaderFeed(
    ITraceReader reader, ReplayMaps maps, long limit, bool counting, Action<ReplayProgress>? progress,
    int blockLength = TraceBlock.DefaultCapacity, long warmup = 0) : IReplayFeed
{
    private readonly TraceBlock _block = new(maps.Columns, blockLength);
    private readonly WarmupCounter _warmup = new(warmup);

    public long Requests { get; private set; }

    public long Ticks { get; private set; }

    public ReplayBlock? Next(ReplayBlock? recycled)
    {
        long start = Stopwatch.GetTimestamp();
        ReplayBlock? block = null;
        if (ReadBlock())
        {
            block = recycled ?? maps.MakeBlock(_block.Capacity);
            try
            {
                maps.Map(_block, block);
            }
            catch (OverflowException e)
            {
                throw new TraceFormatException($"{reader.Name}: {e.Message}", e);
            }

            _warmup.Mark(block);
            Requests += block.Count;
        }

        Ticks += Stopwatch.GetTimestamp() - start;
        progress?.Invoke(new(reader.Name, counting, Fraction(block is null), Requests));
        return block;
    }

    private bool ReadBlock()
    {
        do
        {
            if (Requests >= limit || !reader.Read(_block)) return false;
        }
        while (_block.Count == 0);
        _block.Count = (int)Math.Min(_block.Count, limit - Requests);
        return true;
    }

    private double Fraction(bool ended)
    {
        if (ended) return 1;
        double ofLimit = limit == long.MaxValue ? 0 : (double)Requests / limit;
        return reader.Progress < 0 && limit == long.MaxValue ? -1 : Math.Max(ofLimit, reader.Progress);
    }
}

/// <summary>Gives blocks that are held in memory, for a trace that can be read once only.</summary>
internal sealed class HeldFeed(
    string name, IReadOnlyList<ReplayBlock> blocks, Action<ReplayProgress>? progress) : IReplayFeed
{
    private int _next;
    private long _requests;

    public ReplayBlock? Next(ReplayBlock? recycled)
    {
        ReplayBlock? block = _next < blocks.Count ? blocks[_next++] : null;
        _requests += block?.Count ?? 0;
        progress?.Invoke(new(name, false, blocks.Count == 0 ? 1 : (double)_next / blocks.Count, _requests));
        return block;
    }
}
