// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Flip;
using PerfCache.Frames;

namespace PerfCache.Native;

/// <summary>Pools of frames, and the rings between their domains.</summary>
internal static unsafe class RingExports
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    [UnmanagedCallersOnly(EntryPoint = "pc_pool_open")]
    private static int PoolOpen(AbiPoolOptions* options, ulong* pool) => AbiCall.Run(_ =>
    {
        AbiArguments.Require(options, "options");
        AbiArguments.Require(pool, "pool");
        AbiPoolOptions asked = AbiArguments.Options(options, "pc_pool_options");
        int pageBytes = asked.PageBytes == 0 ? PageMemory.PageBytesMin : (int)Math.Min(asked.PageBytes, int.MaxValue);
        OpenPool opened = new(asked.FrameCount, pageBytes);
        ulong handle = AbiCall.Publish(Tables.Pools, opened);
        *pool = handle;
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_pool_close")]
    private static int PoolClose(ulong pool) => AbiCall.Run(thread =>
    {
        Tables.Pools.Close(
            thread, pool, static _ => s_patience, static opened => opened.Dispose(), staysOpen: true);
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_pool_get_info")]
    private static int PoolGetInfo(ulong pool, AbiPoolInfo* info) => AbiCall.Run(thread =>
    {
        OpenPool opened = Tables.Pools.Enter(thread, pool);
        AbiArguments.CheckSize(info, "pc_pool_info");
        AbiArguments.Fill(info, opened.Describe());
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_pool_allocate")]
    private static int PoolAllocate(ulong pool, uint domain, uint* frames, uint count, uint* got) => AbiCall.Run(thread =>
    {
        OpenPool opened = Tables.Pools.Enter(thread, pool);
        AbiArguments.Require(got, "got");
        *got = (uint)opened.Allocate(AbiArguments.Domain(domain, "domain"), Frames(frames, count, "frames"));
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_pool_free")]
    private static int PoolFree(ulong pool, uint domain, uint* frames, uint count) => AbiCall.Run(thread =>
    {
        OpenPool opened = Tables.Pools.Enter(thread, pool);
        opened.Free(AbiArguments.Domain(domain, "domain"), Frames(frames, count, "frames"));
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_ring_create")]
    private static int RingCreate(ulong pool, AbiRingOptions* options, ulong* ring) => AbiCall.Run(thread =>
    {
        OpenPool opened = Tables.Pools.Enter(thread, pool);
        AbiArguments.Require(options, "options");
        AbiArguments.Require(ring, "ring");
        AbiRingOptions asked = AbiArguments.Options(options, "pc_ring_options");
        OpenRing made = OpenRing.Make(opened, asked.Threads, OptionsOf(asked, opened));
        ulong handle = AbiCall.Publish(Tables.Rings, made);
        opened.AddRing();
        *ring = handle;
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_ring_publish")]
    private static int RingPublish(
        ulong ring, AbiFlipPage* pages, uint count, uint* published, uint* returned, uint* returnedCount)
    {
        try
        {
            AbiArguments.Require(published, "published");
            AbiArguments.Require(returnedCount, "returned_count");
            *published = *returnedCount = 0;
            ThreadState thread = ThreadState.Current;
            OpenRing opened = Tables.Rings.Enter(thread, ring);
            Span<AbiFlipPage> given = AbiArguments.Array(pages, count, "pages");
            if (count > 0) AbiArguments.CheckSize(pages, "pc_flip_page");
            Span<FrameId> back = Frames(returned, count, "returned");
            Span<FlipPage> batch = stackalloc FlipPage[OpenRing.BatchMax];
            while (*published < count)
            {
                int length = Math.Min(OpenRing.BatchMax, (int)(count - *published));
                for (int i = 0; i < length; i++)
                {
                    AbiFlipPage page = given[(int)*published + i];
                    batch[i] = new FlipPage(new FrameId(page.Frame), page.Length, page.UserBits, opened.Consumer);
                }

                int done = opened.Publish(batch[..length], back[(int)*returnedCount..], out int taken);
                *published += (uint)done;
                *returnedCount += (uint)taken;
                if (done < length) break;
            }

            thread.Leave();
            return (int)(*published == 0 && count > 0 ? AbiStatus.Full : AbiStatus.Ok);
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_ring_flip")]
    private static int RingFlip(ulong ring, uint* freeFrames, uint count, AbiFlipPage* pages, uint* taken)
    {
        try
        {
            AbiArguments.Require(taken, "taken");
            *taken = 0;
            ThreadState thread = ThreadState.Current;
            OpenRing opened = Tables.Rings.Enter(thread, ring);
            ReadOnlySpan<FrameId> free = Frames(freeFrames, count, "free_frames");
            Span<AbiFlipPage> target = AbiArguments.Array(pages, count, "pages");
            if (count > 0) AbiArguments.CheckSize(pages, "pc_flip_page");
            Span<FlipPage> batch = stackalloc FlipPage[OpenRing.BatchMax];
            while (*taken < count)
            {
                int length = Math.Min(OpenRing.BatchMax, (int)(count - *taken));
                int done = opened.Flip(free.Slice((int)*taken, length), batch);
                for (int i = 0; i < done; i++)
                {
                    target[(int)*taken + i] = new AbiFlipPage
                    {
                        Size = (uint)sizeof(AbiFlipPage),
                        Frame = batch[i].Frame.Value,
                        Length = batch[i].LengthBytes,
                        UserBits = batch[i].UserBits,
                    };
                }

                *taken += (uint)done;
                if (done < length) break;
            }

            thread.Leave();
            return (int)(*taken == 0 ? AbiStatus.Empty : AbiStatus.Ok);
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_ring_collect")]
    private static int RingCollect(ulong ring, uint* returned, uint room, uint* count)
    {
        try
        {
            AbiArguments.Require(count, "count");
            *count = 0;
            ThreadState thread = ThreadState.Current;
            OpenRing opened = Tables.Rings.Enter(thread, ring);
            *count = (uint)opened.Collect(Frames(returned, room, "returned"));
            thread.Leave();
            return (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_ring_wait_publish")]
    private static int RingWaitPublish(ulong ring, uint timeoutMillis)
    {
        try
        {
            ThreadState thread = ThreadState.Current;
            bool isReady = Tables.Rings.Enter(thread, ring).WaitToPublish(TimeSpan.FromMilliseconds(timeoutMillis));
            thread.Leave();
            return (int)(isReady ? AbiStatus.Ok : AbiStatus.Full);
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_ring_wait_flip")]
    private static int RingWaitFlip(ulong ring, uint timeoutMillis)
    {
        try
        {
            ThreadState thread = ThreadState.Current;
            bool isReady = Tables.Rings.Enter(thread, ring).WaitToFlip(TimeSpan.FromMilliseconds(timeoutMillis));
            thread.Leave();
            return (int)(isReady ? AbiStatus.Ok : AbiStatus.Empty);
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_ring_close")]
    private static int RingClose(ulong ring, uint* frames, uint room, uint* count, uint* untaken) => AbiCall.Run(thread =>
    {
        AbiArguments.Require(count, "count");
        AbiArguments.Require(untaken, "untaken");
        *count = *untaken = 0;
        _ = Frames(frames, room, "frames");
        Tables.Rings.Close(
            thread, ring,
            opened =>
            {
                opened.EndWaits();
                return s_patience;
            },
            opened => End(opened, frames, room, count, untaken), staysOpen: true);
    });

    private static void End(OpenRing opened, uint* frames, uint room, uint* count, uint* untaken)
    {
        *count = (uint)opened.FrameCount;
        if (*count > room)
        {
            opened.AllowWaits();
            throw new AbiException(
                AbiStatus.Refused, $"there are {*count} frames in ring 0x{opened.Handle:x}, and room for {room}");
        }

        opened.End(Frames(frames, room, "frames"), out int notTaken);
        *untaken = (uint)notTaken;
        opened.Pool.RemoveRing();
    }

    private static FlipRingOptions OptionsOf(AbiRingOptions asked, OpenPool pool) => new()
    {
        Producer = AbiArguments.Domain(asked.Producer, "producer"),
        Consumer = AbiArguments.Domain(asked.Consumer, "consumer"),
        SlotCount = asked.SlotCount == 0 ? FlipRingOptions.DefaultSlotCount : (int)Math.Min(asked.SlotCount, int.MaxValue),
        PageBytes = pool.PageBytes,
        Wait = asked.Wait switch
        {
            0 => RingWait.Adaptive,
            1 => RingWait.Spin,
            2 => RingWait.Pause,
            3 => RingWait.Yield,
            4 => RingWait.Park,
            _ => throw AbiException.BadArgument($"wait is {asked.Wait}; possible is 0 to 4 (PC_WAIT_...)"),
        },
        Ledger = pool.Ledger,
    };

    // A frame's number is all there is to it.
    private static Span<FrameId> Frames(uint* frames, uint count, string name) =>
        AbiArguments.Array((FrameId*)frames, count, name);
}
