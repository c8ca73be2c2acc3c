// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.InteropServices;
using PerfCache.Cache;
using PerfCache.Frames;

namespace PerfCache.Native;

/// <summary>Views: what the header's own path of a usual hit needs, and everything that is not one.</summary>
internal static unsafe class ViewExports
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    [UnmanagedCallersOnly(EntryPoint = "pc_open_view")]
    private static int Open(ulong owner, AbiView* view) => AbiCall.Run(thread =>
    {
        AbiArguments.CheckSize(view, "pc_view");
        OpenCache cache = OpenCache.Enter(thread, owner);
        ObjectId id = cache.Require(owner);
        uint layout = view->Layout == AbiViewLayout.Version ? AbiViewLayout.Version : 0;
        AbiView made = layout == 0 ? default : Describe(cache, id);
        OpenView opened = new(cache);
        ulong handle = AbiCall.Publish(Tables.Views, opened);
        AbiArguments.Fill(view, made with { Layout = layout, Handle = handle, Owner = owner });
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_close_view")]
    private static int Close(AbiView* view) => AbiCall.Run(thread =>
    {
        AbiArguments.CheckSize(view, "pc_view");
        // Whoever uses it once more goes by the call, which says that it is closed.
        Volatile.Write(ref view->LeafCount, 0);
        Tables.Views.Close(
            thread, view->Handle, static _ => s_patience, static opened => opened.Dispose(), staysOpen: true);
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_view_miss")]
    private static int Miss(AbiView* view, ulong page, AbiLease* lease)
    {
        ulong owner = 0;
        try
        {
            AbiArguments.CheckSize(view, "pc_view");
            AbiArguments.CheckLease(lease);
            owner = view->Owner;
            ThreadState thread = ThreadState.Current;
            // Closed views are noticed, and the cache cannot end while one is open.
            Tables.Views.Enter(thread, view->Handle);
            OpenCache cache = OpenCache.Enter(thread, owner);
            ObjectId id = Handle.ObjectOf(owner);
            cache.Get(thread, id, page, lease);
            if (view->Layout == AbiViewLayout.Version && page >> AbiViewLayout.SlotBits >= view->LeafCount)
                Refresh(view, cache, id);
            thread.Leave();
            return (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return PageExports.FailPage(owner, failure);
        }
    }

    private static AbiView Describe(OpenCache cache, ObjectId owner)
    {
        HitView hits = cache.DescribeHits(owner);
        return new AbiView
        {
            LeafCount = hits.LeafCount,
            Leaves = (uint*)hits.Leaves,
            Slots = (uint*)hits.Slots,
            Heads = (byte*)hits.Heads,
            Pages = (byte*)hits.PageBase,
            Key = new PageKey(owner, 0).Packed,
            Mask = hits.Mask,
            Usual = hits.Usual,
            PageShift = (uint)BitOperations.Log2((uint)cache.PageBytes),
            PageBytes = (uint)cache.PageBytes,
        };
    }

    // A directory never moves and only grows, so its new length is all there is to say. A removed object has none.
    private static void Refresh(AbiView* view, OpenCache cache, ObjectId owner)
    {
        ulong length = cache.DescribeHits(owner).LeafCount;
        if (length > Volatile.Read(ref view->LeafCount)) Volatile.Write(ref view->LeafCount, length);
    }
}
