// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Diagnostics;
using System.Numerics;
using PerfCache.Memory;

namespace PerfCache.Frames;

/// <summary>The way back: frames whose memory goes to the system, for good or only if it is short.</summary>
public sealed unsafe partial class PageMemory
{
    /// <summary>What a freed page is filled with in builds that check: neither text, nor zero, nor a small number.</summary>
    internal const byte PoisonByte = 0xDB;

    /// <summary>True when the frame was given back and not restored.</summary>
    public bool IsDiscarded(FrameId frame)
    {
        lock (_change)
        {
            CheckFrames(frame.Value, 1);
            return HasBit(frame.Value);
        }
    }

    /// <summary>
    /// Gives the memory of free frames back to the system. They must be restored before they are used again; a reader
    /// that comes too late reads zeros. Frames that are discarded already are skipped.
    /// </summary>
    /// <remarks>
    /// Neighbours go in one system call, in whatever order they are given. Where the system keeps a frame's memory
    /// (locked memory, or a system page larger than the frame's) the frame stays usable and charged, and is cleared.
    /// </remarks>
    /// <returns>The number of frames whose memory the system took; each counts for less from now on.</returns>
    public uint Discard(ReadOnlySpan<FrameId> frames)
    {
        if (frames.IsEmpty) return 0;
        uint[] sorted = ArrayPool<uint>.Shared.Rent(frames.Length);
        try
        {
            for (int i = 0; i < frames.Length; i++) sorted[i] = frames[i].Value;
            Span<uint> ids = sorted.AsSpan(0, frames.Length);
            ids.Sort();
            lock (_change)
            {
                CheckFrames(ids[0], 1);
                CheckFrames(ids[^1], 1);
                return DiscardSorted(ids);
            }
        }
        finally
        {
            ArrayPool<uint>.Shared.Return(sorted);
        }
    }

    /// <summary>Makes discarded frames usable again: they read as zero. Frames that are usable are skipped.</summary>
    /// <returns>The number of frames that were discarded.</returns>
    /// <exception cref="NativeMemoryException">The meter refuses; all is as before.</exception>
    public uint Restore(ReadOnlySpan<FrameId> frames)
    {
        uint[] restored = ArrayPool<uint>.Shared.Rent(frames.Length);
        try
        {
            lock (_change)
            {
                foreach (FrameId frame in frames) CheckFrames(frame.Value, 1);
                int count = 0;
                foreach (FrameId frame in frames)
                {
                    // Cleared at once, so that a frame that is named twice is charged once.
                    if (!HasBit(frame.Value)) continue;
                    Word(frame.Value) &= ~Bit(frame.Value);
                    restored[count++] = frame.Value;
                }

                if (count > 0) ChargeRestored(restored.AsSpan(0, count));
                return (uint)count;
            }
        }
        finally
        {
            ArrayPool<uint>.Shared.Return(restored);
        }
    }

    /// <summary>
    /// Allows the system to take the memory of <paramref name="count"/> neighbouring frames when it is short of it.
    /// Until they are written, their bytes may turn to zero at any time, a page of the system at once; what is written
    /// stays. They remain usable and charged, because their bytes count until the system takes them.
    /// </summary>
    /// <returns>False when the system does not know this: the frames are as before.</returns>
    /// <exception cref="InvalidOperationException">The page data is not lendable.</exception>
    public bool MarkLazyFree(FrameId first, uint count)
    {
        if (Kind != PageMemoryKind.Lendable)
        {
            throw new InvalidOperationException(
                "page memory: only lendable page data can be freed lazily; choose PageMemoryKind.Lendable");
        }

        lock (_change)
        {
            CheckFrames(first.Value, count);
            return count == 0 || _range.Advise(Offset(first.Value), (long)count << _shift, MemoryAdvice.Free) == 0;
        }
    }

    /// <summary>Fills the page of a freed frame, so that who reads it still is found out; only in builds that check.
    /// </summary>
    [Conditional("DEBUG")]
    [Conditional("PERFCACHE_VALIDATE")]
    internal void PoisonFreed(FrameId frame)
    {
        // A discarded frame must stay unbacked.
        if (!IsDiscarded(frame)) Page(frame).Fill(PoisonByte);
    }

    /// <summary>Checks P2 and P3. O(frames): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    internal void Validate()
    {
        lock (_change)
        {
            uint bits = 0;
            for (uint word = 0; word < _discarded.Length; word++)
                bits += (uint)BitOperations.PopCount(_discarded.View[word]);
            uint inRange = 0;
            for (uint frame = 1; frame <= FrameCount; frame++) inRange += HasBit(frame) ? 1u : 0;
            Invariant.Check(
                inRange == DiscardedFrames, nameof(PageMemory), $"P2: {DiscardedFrames} discarded frames", inRange);
            Invariant.Check(bits == inRange, nameof(PageMemory), $"P2: no bit beyond frame {FrameCount}", bits);
            long bytes = RoundUp((long)FrameCount << _shift) - ((long)DiscardedFrames << _shift);
            Invariant.Check(CommittedBytes == bytes, nameof(PageMemory), $"P3: {bytes} bytes", CommittedBytes);
        }
    }

    private uint DiscardSorted(ReadOnlySpan<uint> ids)
    {
        // P5, and before the first hole is made.
        if (DiscardedFrames == 0 && _options.AdviseHugePages) _range.TryAdviseAll(MemoryAdvice.NoHugePage);
        uint before = DiscardedFrames;
        int i = 0;
        while (i < ids.Length)
        {
            uint first = ids[i++];
            if (HasBit(first)) continue;
            uint next = first + 1;
            // Sorted, so an id below the next one is a repetition.
            while (i < ids.Length && (ids[i] < next || (ids[i] == next && !HasBit(next))))
            {
                if (ids[i] == next) next++;
                i++;
            }

            DiscardRun(first, next - first);
        }

        if (DiscardedFrames == 0 && _options.AdviseHugePages) _range.TryAdviseAll(MemoryAdvice.HugePage);
        return DiscardedFrames - before;
    }

    private void DiscardRun(uint first, uint count)
    {
        if (!_range.TryDiscard(Offset(first), (long)count << _shift))
        {
            for (uint frame = first; frame < first + count; frame++) Page(new FrameId(frame)).Clear();
            return;
        }

        for (uint frame = first; frame < first + count; frame++) Word(frame) |= Bit(frame);
        DiscardedFrames += count;
    }

    private void ChargeRestored(ReadOnlySpan<uint> ids)
    {
        try
        {
            _range.Restore((long)ids.Length << _shift);
        }
        catch (NativeMemoryException)
        {
            foreach (uint id in ids) Word(id) |= Bit(id);
            throw;
        }

        DiscardedFrames -= (uint)ids.Length;
        if (DiscardedFrames == 0 && _options.AdviseHugePages) _range.TryAdviseAll(MemoryAdvice.HugePage);
    }

    private void CheckFrames(uint first, uint count)
    {
        // FrameCount is 0 after dispose too, which deserves its own name.
        ObjectDisposedException.ThrowIf(_discarded.View.IsNull, this);
        if (first != 0 && first + (ulong)count - 1 <= FrameCount) return;
        throw new ArgumentOutOfRangeException(
            nameof(first), first, $"page memory: {count} frames from frame {first} on are not all in 1 to {FrameCount}");
    }

    private long Offset(uint frame) => (long)(frame - 1) << _shift;

    private bool HasBit(uint frame) => (Word(frame) & Bit(frame)) != 0;

    private ref ulong Word(uint frame) => ref _discarded.View[frame / BitsPerWord];

    private static ulong Bit(uint frame) => 1UL << (int)(frame % BitsPerWord);
}
