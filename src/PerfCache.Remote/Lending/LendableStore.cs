// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Memory;
using PerfCache.Policies.Items;

namespace PerfCache.Remote.Lending;

/// <summary>A store on an arena of lendable frames: what one borrower, or all who have no own quota, may use.</summary>
/// <remarks>
/// <code>
/// written ── MarkWritten ──► lazily free ── the system takes it ──► gone ── SweepTaken, or a read ──► forgotten
///    ▲                           │ GiveBack                                                             │
///    └───── a store ◄── TakeBack ◄┴────────────────────────── a store writes it anew ◄──────────────────┘
/// </code>
/// Values lie in the arena alone, and a read checks the copy that it made, so a page may go between any two
/// instructions. All verbs but the properties belong to the keeper's thread.
/// </remarks>
internal sealed class LendableStore : IDisposable
{
    // Memory returns in doubling steps after a suspension, from this many frames a tick on.
    private const int SlowStartFrames = 1024;
    private const int GiveBackShare = 16;
    private const int GiveBackFramesMin = 1024;
    private const int SweepRows = 2048;

    // A whole sweep for taken pages takes so many ticks, and looks at no fewer frames a tick than this.
    private const uint SweepTicks = 100;
    private const uint SweepFramesMin = 1024;

    // Runs with no more frames than this between them are marked in one call. A call costs some microseconds and makes
    // every processor that serves forget its address translations; to look at a frame that is marked already costs some
    // nanoseconds. (Under a load of stores all over the arena this is a hundred calls a second instead of ten thousand.)
    private const uint BridgedFramesMax = 64;

    private readonly FramePresence _presence;
    private readonly LendingOptions _options;
    private readonly List<FrameId> _absent = [];
    private readonly Stack<FrameId> _givenBack = new();
    private FrameId[] _batch = new FrameId[GiveBackFramesMin];
    private uint _sweepFrame = 1;
    private int _slowStart = SlowStartFrames;
    private bool _suspended;
    private long _takenFrames;
    private long _markedFrames;
    private long _givenBackFrames;
    private bool _marks;

    internal LendableStore(ItemStoreOptions options, LendingOptions lending, MemoryMeter meter)
    {
        _options = lending;
        _marks = lending.MarksPages;
        uint frames = (uint)Math.Min(options.CapacityBytes / options.PageBytes, FrameId.CountMax);
        Pages = new PageMemory(
            frames, options.PageBytes, meter, new PageMemoryOptions { Kind = PageMemoryKind.Lendable });
        _presence = new FramePresence(Pages);
        try
        {
            Items = new ItemStore<SecondChanceItems>(options, default, Pages, meter);
        }
        catch
        {
            _presence.Dispose();
            Pages.Dispose();
            throw;
        }
    }

    /// <summary>The items.</summary>
    internal ItemStore<SecondChanceItems> Items { get; }

    /// <summary>The arena.</summary>
    internal PageMemory Pages { get; }

    /// <summary>Frames that the system was found to have taken.</summary>
    internal long TakenFrames => Volatile.Read(ref _takenFrames);

    /// <summary>Frames that the system was told it may take, each time counted.</summary>
    internal long MarkedFrames => Volatile.Read(ref _markedFrames);

    /// <summary>Frames that were given back for good while lending was suspended, each time counted.</summary>
    internal long GivenBackFrames => Volatile.Read(ref _givenBackFrames);

    /// <summary>True while nothing new is taken.</summary>
    internal bool IsSuspended
    {
        get => Volatile.Read(ref _suspended);
        set => Volatile.Write(ref _suspended, value);
    }

    /// <summary>Tells the system of every frame that was written since the last time, in runs as long as they come.
    /// </summary>
    /// <remarks>
    /// A frame between two runs may be told of once more: it was before, or has nothing in it. One that is written at
    /// this very moment counts as written again.
    /// </remarks>
    internal void MarkWritten()
    {
        uint runFirst = 0;
        uint runEnd = 0;
        FrameId from = FrameId.None;
        while (_marks && Items.TryTakeWritten(from, out FrameId first, out uint count))
        {
            if (runEnd == 0 || first.Value - runEnd > BridgedFramesMax)
            {
                Mark(runFirst, runEnd);
                runFirst = first.Value;
            }

            runEnd = first.Value + count;
            _markedFrames += count;
            from = new FrameId(runEnd);
        }

        Mark(runFirst, runEnd);
    }

    // A frame that was given back meanwhile has no memory to mark, and the system does not mind.
    private void Mark(uint first, uint end)
    {
        if (end > first && _marks && !Pages.MarkLazyFree(new FrameId(first), end - first)) _marks = false;
    }

    /// <summary>Looks at some frames, and drops the items of those that the system has taken.</summary>
    internal void SweepTaken()
    {
        if (!_presence.IsKnown || Pages.FrameCount == 0) return;
        if (_sweepFrame > Pages.FrameCount) _sweepFrame = 1;
        uint frames = Math.Max(SweepFramesMin, Pages.FrameCount / SweepTicks);
        _absent.Clear();
        uint looked = _presence.FindAbsent(new FrameId(_sweepFrame), frames, _absent);
        foreach (FrameId frame in _absent)
        {
            // Most absent frames were never written, or have nothing in them since they were found the last time.
            if (Items.ForgetTaken(frame, _presence) > 0) _takenFrames++;
        }

        _sweepFrame = looked == 0 ? 1 : _sweepFrame + looked;
    }

    /// <summary>Drops some items whose time is over.</summary>
    internal void SweepExpired(long nowTicks) => Items.Sweep(nowTicks, SweepRows);

    /// <summary>Gives a part of the frames back to the system for good.</summary>
    internal void GiveBack()
    {
        _slowStart = SlowStartFrames;
        if (!_options.GivesBack) return;
        long lent = Items.Statistics.UsedFrames + Items.Statistics.FreeFrames;
        if (lent == 0) return;
        int wanted = (int)Math.Min(Math.Max(GiveBackFramesMin, lent / GiveBackShare), 1 << 20);
        if (_batch.Length < wanted) _batch = new FrameId[wanted];
        Span<FrameId> taken = _batch.AsSpan(0, Items.Trim(_batch.AsSpan(0, wanted)));
        Pages.Discard(taken);
        foreach (FrameId frame in taken) _givenBack.Push(frame);
        _givenBackFrames += taken.Length;
    }

    /// <summary>Takes frames that were given back into use again, twice as many each time.</summary>
    internal void TakeBack()
    {
        if (_givenBack.Count == 0) return;
        int count = Math.Min(_slowStart, _givenBack.Count);
        _slowStart = Math.Min(_slowStart * 2, 1 << 20);
        if (_batch.Length < count) _batch = new FrameId[count];
        for (int i = 0; i < count; i++) _batch[i] = _givenBack.Pop();
        Pages.Restore(_batch.AsSpan(0, count));
        for (int i = 0; i < count; i++) Items.Return(_batch[i]);
    }

    /// <summary>Gives all memory back.</summary>
    public void Dispose()
    {
        Items.Dispose();
        _presence.Dispose();
        Pages.Dispose();
    }
}
