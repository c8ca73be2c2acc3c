// SPDX-License-Identifier: MIT
using System.Numerics;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>
/// The frames of a store, for all of its shards: their rows, the bitmaps of their slots, and the supply from which a
/// shard takes runs of neighbouring frames that stay its own.
/// </summary>
/// <remarks>
/// The supply has a lock of its own, taken inside a shard's. A row is touched by its shard alone, under its lock; the
/// shard's number is written before the run is handed out and never again.
/// </remarks>
internal sealed class ItemFrames : IDisposable
{
    // What ItemFrame.Class says besides a class. Zero, as memory comes, is a frame in no run yet.

    /// <summary>The owner of the memory has taken the frame out of the store.</summary>
    internal const byte Withdrawn = 253;

    /// <summary>Given up, so that its bytes can be metadata.</summary>
    internal const byte Retired = 254;

    /// <summary>In a shard, and nothing is in it.</summary>
    internal const byte Free = 255;

    private readonly Lock _lock = new();
    private readonly NativeColumn<ItemFrame> _rows;
    private readonly NativeColumn<uint> _usedSlots;
    private readonly NativeColumn<ulong> _written;
    private readonly bool _ownsPages;

    internal ItemFrames(PageMemory pages, bool ownsPages, MemoryMeter meter)
    {
        Pages = pages;
        _ownsPages = ownsPages;
        Classes = new SizeClasses(pages.PageBytes);
        BitmapWords = (uint)(Classes.SlotsMax + 31) / 32;
        try
        {
            _rows = new NativeColumn<ItemFrame>("frames of items", pages.FrameMax + 1L, meter);
            _usedSlots = new NativeColumn<uint>("slots of items", (pages.FrameMax + 1L) * BitmapWords, meter);
            _written = new NativeColumn<ulong>("written frames of items", WordOf(pages.FrameMax) + 1L, meter);
        }
        catch
        {
            // The pages too, if they would have been this object's.
            Dispose();
            throw;
        }

        Rows = _rows.View;
        UsedSlots = _usedSlots.View;
    }

    internal PageMemory Pages { get; }

    internal SizeClasses Classes { get; }

    internal NativeArray<ItemFrame> Rows { get; }

    /// <summary>A bit a slot, <see cref="BitmapWords"/> words a frame.</summary>
    internal NativeArray<uint> UsedSlots { get; }

    internal uint BitmapWords { get; }

    /// <summary>The number of frames that are in runs.</summary>
    internal uint Count { get; private set; }

    /// <summary>True when no frame is left that is in no run.</summary>
    internal bool IsUsedUp => Count == Pages.FrameMax;

    internal long NativeBytes => _rows.CommittedBytes + _usedSlots.CommittedBytes + _written.CommittedBytes;

    /// <summary>
    /// What a frame costs: its page, its row, its bitmap, and a byte for a bit here and the books of the page memory.
    /// </summary>
    internal long BytesPerFrame => Pages.PageBytes + ItemFrame.SizeBytes + (BitmapWords * sizeof(uint)) + 1;

    /// <summary>Gives a shard a run of new frames.</summary>
    /// <returns>How many: as many as asked for, unless there are no more; 0 also when memory is refused.</returns>
    internal uint TakeRun(byte shard, uint count, out uint first)
    {
        lock (_lock)
        {
            first = Count + 1;
            count = Math.Min(count, Pages.FrameMax - Count);
            if (count == 0) return 0;
            try
            {
                _rows.EnsureLengthExact(first + (long)count);
                _usedSlots.EnsureLengthExact((first + (long)count) * BitmapWords);
                _written.EnsureLengthExact(WordOf(first + count) + 1L);
                Pages.EnsureFrames(Count + count);
            }
            catch (NativeMemoryException)
            {
                return 0;
            }

            for (uint frame = first; frame < first + count; frame++) Rows[frame].Shard = shard;
            Count += count;
            return count;
        }
    }

    /// <summary>The shard of a frame, or -1 when the frame is in no run.</summary>
    internal int ShardOf(FrameId frame)
    {
        lock (_lock) return frame.Value - 1 < Count ? Rows[frame.Value].Shard : -1;
    }

    /// <summary>Remembers that bytes of a frame change. Runs of several shards share a word.</summary>
    internal void MarkWritten(uint frame)
    {
        ref ulong word = ref _written.View[WordOf(frame)];
        ulong bit = 1UL << (int)(frame % 64);
        // Mostly it is set already, and a plain look spares the bus.
        if ((Volatile.Read(ref word) & bit) == 0) Interlocked.Or(ref word, bit);
    }

    /// <summary>Takes the next run of frames with the bit, and clears the bits.</summary>
    internal bool TryTakeWritten(FrameId from, out FrameId first, out uint count)
    {
        lock (_lock)
        {
            uint frame = Math.Max(from.Value, 1);
            first = FrameId.None;
            count = 0;
            while (frame <= Count)
            {
                ref ulong word = ref _written.View[WordOf(frame)];
                int bit = (int)(frame % 64);
                ulong ahead = Volatile.Read(ref word) >> bit;
                int zeros = count == 0 ? Math.Min(BitOperations.TrailingZeroCount(ahead), 64 - bit) : 0;
                frame += (uint)zeros;
                if (zeros == 64 - bit) continue;
                bit += zeros;
                int ones = Math.Min(BitOperations.TrailingZeroCount(~(ahead >> zeros)), 64 - bit);
                if (count == 0) first = new FrameId(frame);
                if (ones == 0) break;
                ulong mask = ones == 64 ? ulong.MaxValue : ((1UL << ones) - 1) << bit;
                Interlocked.And(ref word, ~mask);
                count += (uint)ones;
                frame += (uint)ones;
                if (bit + ones < 64) break;
            }

            return count > 0;
        }
    }

    /// <summary>Gives all memory back, the page data too unless somebody else owns it.</summary>
    public void Dispose()
    {
        // A late question for a frame's shard must find none.
        lock (_lock) Count = 0;
        _rows?.Dispose();
        _usedSlots?.Dispose();
        _written?.Dispose();
        if (_ownsPages) Pages.Dispose();
    }

    private static uint WordOf(uint frame) => frame / 64;
}
