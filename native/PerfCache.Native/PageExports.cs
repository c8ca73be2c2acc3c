// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Frames;

namespace PerfCache.Native;

/// <summary>Pages: leases, copies, insertions, invalidation.</summary>
internal static unsafe class PageExports
{
    [UnmanagedCallersOnly(EntryPoint = "pc_get")]
    private static int Get(ulong owner, ulong page, AbiLease* lease)
    {
        try
        {
            AbiArguments.CheckLease(lease);
            ThreadState thread = ThreadState.Current;
            OpenCache opened = OpenCache.Enter(thread, owner);
            opened.Get(thread, Handle.ObjectOf(owner), page, lease);
            thread.Leave();
            return (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return FailPage(owner, failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_try_get")]
    private static int TryGet(ulong owner, ulong page, AbiLease* lease)
    {
        try
        {
            AbiArguments.CheckLease(lease);
            ThreadState thread = ThreadState.Current;
            OpenCache opened = OpenCache.Enter(thread, owner);
            bool found = opened.TryGet(thread, Handle.ObjectOf(owner), page, lease);
            thread.Leave();
            return (int)(found ? AbiStatus.Ok : AbiStatus.NotResident);
        }
        catch (Exception failure)
        {
            return FailPage(owner, failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_release")]
    private static int Release(ulong lease)
    {
        try
        {
            if (!LeaseTable.TryRelease(ThreadState.Current, lease)) throw LeaseTable.WhyNot(lease);
            return (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_get_many")]
    private static int GetMany(ulong owner, ulong* pages, uint count, AbiLease* leases, uint* got)
    {
        try
        {
            AbiArguments.Require(got, "got");
            *got = 0;
            ReadOnlySpan<ulong> asked = AbiArguments.Array(pages, count, "pages");
            Span<AbiLease> targets = AbiArguments.Array(leases, count, "leases");
            for (int i = 0; i < targets.Length; i++) AbiArguments.CheckLease(leases + i);
            ThreadState thread = ThreadState.Current;
            OpenCache opened = OpenCache.Enter(thread, owner);
            opened.GetMany(thread, Handle.ObjectOf(owner), asked, leases, got);
            thread.Leave();
            return (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return FailPage(owner, failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_release_many")]
    private static int ReleaseMany(AbiLease* leases, uint count)
    {
        try
        {
            ThreadState thread = ThreadState.Current;
            ulong bad = 0;
            bool isBad = false;
            foreach (ref readonly AbiLease lease in AbiArguments.Array(leases, count, "leases"))
            {
                if (LeaseTable.TryRelease(thread, lease.Handle) || isBad) continue;
                bad = lease.Handle;
                isBad = true;
            }

            return isBad ? throw LeaseTable.WhyNot(bad) : (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_copy")]
    private static int Copy(ulong owner, ulong page, uint offset, byte* bytes, uint length)
    {
        try
        {
            Span<byte> destination = AbiArguments.Array(bytes, length, "bytes");
            ThreadState thread = ThreadState.Current;
            OpenCache opened = OpenCache.Enter(thread, owner);
            ObjectId id = Handle.ObjectOf(owner);
            int start = (int)Math.Min(offset, int.MaxValue);
            if (!opened.TryCopy(id, page, start, destination))
            {
                opened.Copy(id, page, start, destination);
            }

            thread.Leave();
            return (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return FailPage(owner, failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_try_copy")]
    private static int TryCopy(ulong owner, ulong page, uint offset, byte* bytes, uint length)
    {
        try
        {
            Span<byte> destination = AbiArguments.Array(bytes, length, "bytes");
            ThreadState thread = ThreadState.Current;
            OpenCache opened = OpenCache.Enter(thread, owner);
            int start = (int)Math.Min(offset, int.MaxValue);
            bool copied = opened.TryCopy(Handle.ObjectOf(owner), page, start, destination);
            thread.Leave();
            return (int)(copied ? AbiStatus.Ok : AbiStatus.NotResident);
        }
        catch (Exception failure)
        {
            return FailPage(owner, failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_contains")]
    private static int Contains(ulong owner, ulong page)
    {
        try
        {
            ThreadState thread = ThreadState.Current;
            OpenCache opened = OpenCache.Enter(thread, owner);
            bool contains = opened.Contains(opened.Require(owner), page);
            thread.Leave();
            return (int)(contains ? AbiStatus.Ok : AbiStatus.NotResident);
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_begin_write")]
    private static int BeginWrite(ulong owner, ulong page, AbiLease* lease)
    {
        try
        {
            AbiArguments.CheckSize(lease, "pc_write_lease");
            ThreadState thread = ThreadState.Current;
            OpenCache opened = OpenCache.Enter(thread, owner);
            WriteTable.Hand(opened.GetForWrite(opened.Require(owner), page), lease);
            thread.Leave();
            return (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_commit")]
    private static int Commit(ulong lease)
    {
        try
        {
            WriteTable.Commit(lease);
            return (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_insert")]
    private static int Insert(ulong owner, ulong page, byte* bytes, uint length)
    {
        try
        {
            ReadOnlySpan<byte> content = AbiArguments.Array(bytes, length, "bytes");
            ThreadState thread = ThreadState.Current;
            OpenCache opened = OpenCache.Enter(thread, owner);
            bool added = opened.TryAdd(opened.Require(owner), page, content);
            thread.Leave();
            return (int)(added ? AbiStatus.Ok : AbiStatus.Exists);
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_invalidate_page")]
    private static int InvalidatePage(ulong owner, ulong page, ulong* removed) => Invalidate(owner, page, 1, removed);

    [UnmanagedCallersOnly(EntryPoint = "pc_invalidate_range")]
    private static int InvalidateRange(ulong owner, ulong first, ulong count, ulong* removed) =>
        Invalidate(owner, first, count, removed);

    [UnmanagedCallersOnly(EntryPoint = "pc_invalidate_object")]
    private static int InvalidateObject(ulong owner, ulong* removed) =>
        Invalidate(owner, 0, PageKey.PageMax + 1, removed);

    private static int Invalidate(ulong owner, ulong first, ulong count, ulong* removed)
    {
        try
        {
            ThreadState thread = ThreadState.Current;
            OpenCache opened = OpenCache.Enter(thread, owner);
            long gone = opened.Invalidate(opened.Require(owner), first, count);
            if (removed is not null) *removed = (ulong)gone;
            thread.Leave();
            return (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    /// <summary>What was refused for its object's sake has that as its reason.</summary>
    internal static int FailPage(ulong owner, Exception failure)
    {
        if (failure is not ArgumentException) return ThreadState.Fail(failure);
        try
        {
            OpenCache.Enter(ThreadState.Current, owner).Require(owner);
            return ThreadState.Fail(failure);
        }
        catch (Exception other)
        {
            return ThreadState.Fail(other);
        }
    }
}
