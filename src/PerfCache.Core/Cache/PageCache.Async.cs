// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using PerfCache.Cache.Nodes;
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Misses that no thread waits for.</summary>
/// <remarks>
/// <code>
/// lock: resident? pin it, done          somebody loads it? join
///       otherwise: take a frame, note the load, and join it: whoever loads it is nobody's caller
/// read: an asynchronous source by ReadAsync, any other on a thread of the pool
/// lock: publish with a pin for each who is still waiting; forget the load
/// complete the waiters
/// </code>
/// A waiter that is cancelled takes the lock. Either the load has not ended, and the waiter leaves the count of pins
/// wanted; or it has, the pin was made, and the waiter gives it back. The load itself goes on: its page is paid for.
/// </remarks>
public partial class PageCache<TRules, TProbe>
{
    private readonly CancellationTokenSource _shutdown = new();

    /// <summary>The page as a lease, without blocking the caller's thread: a hit completes at once and allocates nothing,
    /// a miss loads the page from the object's source.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="cancellation">Ends this caller's wait; others that wait for the page, and the load, go on.</param>
    /// <returns>The lease; dispose it.</returns>
    /// <exception cref="OperationCanceledException">The wait was cancelled; there is nothing to dispose.</exception>
    /// <inheritdoc cref="Get(ObjectId, ulong)" path="/exception"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ValueTask<PageLease> GetAsync(ObjectId owner, ulong page, CancellationToken cancellation = default)
    {
        FrameId frame = TryPin(owner, page);
        return frame.IsNone
            ? GetSlowAsync(owner, page, SourceOf(owner), cancellation)
            : new ValueTask<PageLease>(Lease(frame));
    }

    /// <summary>As <see cref="GetAsync"/>; <paramref name="source"/> is asked instead of the object's own.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="source">Where to get the page.</param>
    /// <param name="cancellation">Ends this caller's wait; others that wait for the page, and the load, go on.</param>
    /// <returns>The lease; dispose it.</returns>
    /// <inheritdoc cref="GetAsync" path="/exception"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ValueTask<PageLease> GetOrAddAsync(
        ObjectId owner, ulong page, IPageSource source, CancellationToken cancellation = default)
    {
        FrameId frame = TryPin(owner, page);
        return frame.IsNone
            ? GetSlowAsync(owner, page, source, cancellation)
            : new ValueTask<PageLease>(Lease(frame));
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<PageLease> GetSlowAsync(
        ObjectId owner, ulong page, IPageSource? source, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        long end = Environment.TickCount64 + (long)_options.Patience.TotalMilliseconds;
        while (true)
        {
            Found found = FindOrStart(
                owner, page, source, detached: true, out FrameId frame, out PageLoad? load, out Task<FrameId>? joined);
            if (found == Found.Resident) return Lease(frame);
            if (found is Found.Started or Found.BeingLoaded)
            {
                if (found == Found.Started) StartReading(load!, source!);
                frame = await WaitAsync(joined!, load!, cancellation).ConfigureAwait(false);
                if (!frame.IsNone) return Lease(frame);
                continue;
            }

            // A writer, or every frame in use: only time can help.
            bool late = Environment.TickCount64 > end;
            if (found == Found.NoFrame) ThrowIfHopeless(owner, page, late);
            else if (late) throw WrittenTooLong(owner, page);
            await Task.Delay(1, cancellation).ConfigureAwait(false);
        }
    }

    private void StartReading(PageLoad load, IPageSource source)
    {
        RequestChain chain = default;
        chain.Add(this, load, source);
        chain.StartAll();
    }

    /// <summary>Waits for a load that the caller has joined, and leaves it.</summary>
    /// <returns>The frame with a pin for the caller, or none: begin again.</returns>
    private async ValueTask<FrameId> WaitAsync(
        Task<FrameId> joined, PageLoad load, CancellationToken cancellation)
    {
        FrameId frame;
        try
        {
            frame = await joined.WaitAsync(cancellation).ConfigureAwait(false);
        }
        // Only this wait ends so: what a source throws comes wrapped.
        catch (OperationCanceledException)
        {
            Abandon(load);
            throw;
        }
        catch
        {
            LeaveLoadUnlocked(load);
            throw;
        }

        LeaveLoadUnlocked(load);
        return frame;
    }

    /// <summary>A waiter leaves a load that it joined, and takes nothing with it.</summary>
    private void Abandon(PageLoad load)
    {
        Enter();
        if (load.Abandon() && !TProbe.Omits(CacheCheck.PinOfWhoGaveUp))
            Interlocked.Add(ref _heads[load.Frame.Value].Word, FrameState.PinsMask);
        LeaveLoad(load);
        Exit();
    }

    /// <summary>Carries out a request. Never fails: what goes wrong is told to those who wait.</summary>
    private async Task ReadAsync(ReadRequest request)
    {
        Exception? failure = request.IsPartlyFilled
            ? await FillRestAsync(request).ConfigureAwait(false)
            : await FillAsync(request, 0, request.Count).ConfigureAwait(false);
        if (failure is not null && request.Count > 1)
        {
            await ReadOneByOneAsync(request, failure).ConfigureAwait(false);
        }
        else
        {
            request.ReturnBuffers();
            EndLoads(request, failure);
        }

        request.Close();
        _requestPool.Return(request);
    }

    /// <summary>A request failed, perhaps for one of its pages only: pages that somebody waits for are read alone.</summary>
    private async Task ReadOneByOneAsync(ReadRequest request, Exception failure)
    {
        for (int i = 0; i < request.Count; i++)
        {
            PageLoad load = request.Load(i);
            if (!request.IsFilled(i) && EndUnlessWanted(load, failure)) continue;
            Exception? own = request.IsFilled(i) ? null : await FillAsync(request, i, 1).ConfigureAwait(false);
            EndLoad(load, own);
        }

        request.ReturnBuffers();
    }

    /// <summary>Has the source fill pages of a request, and zeroes what it leaves.</summary>
    /// <returns>Why it failed, or null.</returns>
    private async ValueTask<Exception?> FillAsync(ReadRequest request, int first, int count)
    {
        try
        {
            IPageSource source = request.Source;
            IReadOnlyList<Memory<byte>> buffers =
                count == request.Count ? request : Part(request, first, count);
            // B1. Neighbours go in one request, also where the source takes a thread for it: this one is the pool's.
            long started = _tier is null ? 0 : Stopwatch.GetTimestamp();
            long valid = count == 1 && !source.IsAsync
                ? ReadHere(request, first)
                : await source.ReadAsync(request.FirstPage + (ulong)first, buffers, _shutdown.Token).ConfigureAwait(false);
            _tier?.OnSourceRead(count, Stopwatch.GetTimestamp() - started);
            CheckValid(valid, (long)count * PageBytes);
            for (int i = (int)(valid / PageBytes); i < count; i++)
                buffers[i].Span[(int)Math.Max(0, valid - ((long)i * PageBytes))..].Clear();
            return null;
        }
        // Whatever the source throws is for whoever waits, not for the cache to judge.
        catch (Exception e)
        {
            return e;
        }
    }

    private static Memory<byte>[] Part(ReadRequest request, int first, int count)
    {
        Memory<byte>[] part = new Memory<byte>[count];
        for (int i = 0; i < count; i++) part[i] = request[first + i];
        return part;
    }

    private void EndLoads(ReadRequest request, Exception? failure)
    {
        TProbe.At(CacheStep.Filled);
        LoadEnd[] ends = request.Ends;
        int count = request.Count;
        Enter();
        try
        {
            for (int i = 0; i < count; i++) ends[i] = EndLoadUnderLock(request.Load(i), failure);
        }
        finally
        {
            Exit();
        }

        TProbe.At(CacheStep.Ended);
        for (int i = 0; i < count; i++) ends[i].Tell();
    }

    /// <summary>Ends a load that failed, unless somebody waits for it.</summary>
    private bool EndUnlessWanted(PageLoad load, Exception failure)
    {
        Enter();
        try
        {
            if (load.PinsWanted > 0) return false;
            EndLoadUnderLock(load, failure).Tell();
            return true;
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Under the lock: takes a frame, without waiting for anything.</summary>
    private bool TryAllocateFrame(in Need need, out FrameId frame)
    {
        frame = FrameId.None;
        int passes = 0;
        while (!HasRoom(need))
        {
            if (need.WhenFull == NodeFull.Fail && !HasFree(need)) return false;
            uint inHand = InHand(need);
            if (ReclaimOnce(need)) break;
            // As a miss that waits (ReclaimForMiss), but for the waiting.
            if (InHand(need) < inHand) continue;
            if (InHand(need) == 0 || ++passes == CacheSpace.ReclaimTriesMax) return false;
        }

        frame = AllocateFrame(need, out _);
        return true;
    }

    private void ThrowIfHopeless(ObjectId owner, ulong page, bool late)
    {
        Enter();
        try
        {
            Need need = NeedOf(PartitionOf(owner), new PageKey(owner, page));
            if (need.WhenFull == NodeFull.Fail && !HasFree(need)) throw NodesAreFull(need);
            if (late || (InHand(need) == 0 && !CanHope(need.Partition!))) throw AllInUse(need);
        }
        finally
        {
            Exit();
        }
    }
}
