// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Native;

/// <summary>Page frames of domains, with what is written down about who owns them: what rings exchange.</summary>
internal sealed unsafe class OpenPool : Opened
{
    private readonly Lock _lock = new();
    private readonly PageMemory _memory;
    // The frames that nobody owns, the next one last.
    private readonly Stack<FrameId> _free;
    private int _ringCount;

    internal OpenPool(uint frameCount, int pageBytes)
    {
        PageBytes = pageBytes;
        _memory = new PageMemory(frameCount, pageBytes, Meter);
        try
        {
            _memory.EnsureFrames(frameCount);
            Ledger = new FrameLedger(frameCount, Meter);
        }
        catch
        {
            _memory.Dispose();
            throw;
        }

        _free = new Stack<FrameId>((int)frameCount);
        for (uint frame = frameCount; frame > 0; frame--) _free.Push(new FrameId(frame));
    }

    internal MemoryMeter Meter { get; } = new();

    internal FrameLedger Ledger { get; }

    internal int PageBytes { get; }

    internal AbiPoolInfo Describe()
    {
        lock (_lock)
        {
            return new AbiPoolInfo
            {
                PageBytes = (uint)PageBytes,
                FrameCount = _memory.FrameCount,
                FreeCount = (uint)_free.Count,
                FirstPage = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(_memory.Page(new FrameId(1)))),
            };
        }
    }

    /// <summary>Gives free frames to a domain.</summary>
    /// <returns>How many.</returns>
    internal int Allocate(ushort domain, Span<FrameId> frames)
    {
        lock (_lock)
        {
            int count = Math.Min(frames.Length, _free.Count);
            for (int i = 0; i < count; i++)
            {
                frames[i] = _free.Pop();
                Ledger.Give(frames[i], domain);
            }

            return count;
        }
    }

    /// <summary>Takes frames from a domain, in order; one that it has not got ends it.</summary>
    internal void Free(ushort domain, ReadOnlySpan<FrameId> frames)
    {
        lock (_lock)
        {
            foreach (FrameId frame in frames)
            {
                Ledger.TakeAway(frame, domain);
                _free.Push(frame);
            }
        }
    }

    internal void AddRing()
    {
        lock (_lock) _ringCount++;
    }

    internal void RemoveRing()
    {
        lock (_lock) _ringCount--;
    }

    /// <summary>Gives the memory back.</summary>
    public override void Dispose()
    {
        if (_ringCount > 0)
            throw new AbiException(AbiStatus.Refused, $"pool 0x{Handle:x} has {_ringCount} open rings; close them first");
        Ledger.Dispose();
        _memory.Dispose();
    }
}
