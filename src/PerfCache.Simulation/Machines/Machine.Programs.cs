// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Simulation.Machines;

/// <summary>Memory that is not page cache: programs, their swap, and the balloon.</summary>
internal sealed partial class Machine
{
    /// <summary>Gives a program pages, as far as that leaves the minimum free.</summary>
    /// <param name="pages">How many are wanted.</param>
    /// <param name="unbacked">How many of them are touched for the first time since the host gave them.</param>
    /// <returns>How many it got.</returns>
    internal uint Allocate(uint pages, out uint unbacked)
    {
        uint free = Cache.FreeCount > MinWatermark ? Cache.FreeCount - MinWatermark : 0;
        uint got = Cache.SetAside(Math.Min(pages, free));
        AnonymousPages += got;
        unbacked = (uint)Math.Min(UnbackedPages, got);
        UnbackedPages -= unbacked;
        return got;
    }

    /// <summary>A program ends, or gives memory back.</summary>
    internal void Free(long pages, long nowNanos)
    {
        AnonymousPages -= Cache.BringBack((uint)Math.Min(pages, AnonymousPages));
        OnMemoryFreed?.Invoke(nowNanos);
    }

    /// <summary>A program with swapped pages ends.</summary>
    internal void FreeSwap(long pages) => SwappedPages -= Math.Min(pages, SwappedPages);

    /// <summary>Writes pages of programs to the swap device; their memory is free when they are there.</summary>
    /// <returns>When; or -1 when there is no room or nothing to swap.</returns>
    internal long SwapOut(int pages, long nowNanos)
    {
        if (SwappedPages + pages > Options.SwapPages || AnonymousPages < pages) return -1;
        SwappedPages += pages;
        SwapOuts += pages;
        AnonymousPages -= Cache.BringBack((uint)pages);
        return SwapDisk.Write(nowNanos, new PageKey((ulong)SwapOuts), pages);
    }

    /// <summary>The host swaps pages of another machine out, because this one touches memory that it had reported
    /// free.</summary>
    /// <returns>When they are written.</returns>
    internal long HostSwapsOut(uint pages, long nowNanos)
    {
        SwapOuts += pages;
        return SwapDisk.Write(nowNanos, new PageKey((ulong)SwapOuts), (int)pages);
    }

    /// <summary>The balloon takes free pages.</summary>
    internal bool Inflate(int pages)
    {
        if (Cache.FreeCount < pages + MinWatermark) return false;
        Cache.SetAside((uint)pages);
        BalloonPages += pages;
        UnbackedPages = Math.Min(UnbackedPages, Cache.FreeCount);
        return true;
    }

    /// <summary>The balloon gives pages back.</summary>
    internal void Deflate(int pages, long nowNanos)
    {
        uint back = Cache.BringBack((uint)pages);
        BalloonPages -= back;
        UnbackedPages += back;
        OnMemoryFreed?.Invoke(nowNanos);
    }
}
