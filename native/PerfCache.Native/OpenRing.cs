// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;

namespace PerfCache.Native;

/// <summary>A ring that callers have a handle of, for however many threads it is.</summary>
internal abstract class OpenRing(OpenPool pool) : Opened
{
    /// <summary>The most pages that go through a call's own buffer at a time.</summary>
    internal const int BatchMax = 64;

    /// <summary>Ends the waits of those inside when the ring is being closed.</summary>
    protected CancellationTokenSource Closing { get; private set; } = new();

    internal OpenPool Pool => pool;

    internal static OpenRing Make(OpenPool pool, uint threads, FlipRingOptions options) => threads switch
    {
        0 => new OpenRing<OneToOne>(pool, options),
        1 => new OpenRing<ManyToMany>(pool, options),
        _ => throw AbiException.BadArgument($"threads is {threads}; possible is 0 and 1 (PC_RING_...)"),
    };

    /// <summary>The domain that pages are for.</summary>
    internal abstract ushort Consumer { get; }

    internal abstract int Publish(ReadOnlySpan<FlipPage> pages, Span<FrameId> returned, out int returnedCount);

    internal abstract int Flip(ReadOnlySpan<FrameId> free, Span<FlipPage> pages);

    internal abstract int Collect(Span<FrameId> returned);

    internal abstract bool WaitToPublish(TimeSpan timeout);

    internal abstract bool WaitToFlip(TimeSpan timeout);

    /// <summary>The frames that are in the ring, exact once nobody is inside.</summary>
    internal abstract int FrameCount { get; }

    /// <summary>Hands back what is in the ring and gives its memory back.</summary>
    internal abstract int End(Span<FrameId> frames, out int untaken);

    /// <summary>Sends those away who wait.</summary>
    internal void EndWaits() => Closing.Cancel();

    /// <summary>Lets callers wait again: the ring was not closed after all.</summary>
    internal void AllowWaits() => Closing = new CancellationTokenSource();
}

/// <summary>A ring with its number of threads compiled in.</summary>
internal sealed class OpenRing<TThreads>(OpenPool pool, FlipRingOptions options) : OpenRing(pool)
    where TThreads : struct, IRingThreads
{
    private readonly FlipRing<TThreads> _ring = new(options, pool.Meter);

    internal override ushort Consumer => _ring.Consumer;

    internal override int FrameCount => _ring.FullCount + _ring.ReturnedCount;

    internal override int Publish(ReadOnlySpan<FlipPage> pages, Span<FrameId> returned, out int returnedCount) =>
        _ring.TryPublish(pages, returned, out returnedCount);

    internal override int Flip(ReadOnlySpan<FrameId> free, Span<FlipPage> pages) => _ring.TryFlip(free, pages);

    internal override int Collect(Span<FrameId> returned) => _ring.Collect(returned);

    internal override bool WaitToPublish(TimeSpan timeout) => _ring.WaitToPublish(timeout, Closing.Token);

    internal override bool WaitToFlip(TimeSpan timeout) => _ring.WaitToFlip(timeout, Closing.Token);

    internal override int End(Span<FrameId> frames, out int untaken)
    {
        int count = _ring.Close(frames, out untaken);
        Dispose();
        return count;
    }

    public override void Dispose()
    {
        _ring.Dispose();
        Closing.Dispose();
    }
}
