// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PerfCache.Cache;

namespace PerfCache.Native;

/// <summary>The write leases of all callers. A write takes the cache's lock twice, so one more lock does no harm.</summary>
internal static unsafe class WriteTable
{
    private static readonly Dictionary<ulong, WriteLease> s_leases = [];
    private static ulong s_last = (ulong)HandleKind.Write << Handle.KindShift;

    internal static void Hand(WriteLease lease, AbiLease* target)
    {
        Span<byte> bytes = lease.Span;
        try
        {
            lock (s_leases)
            {
                s_leases.Add(s_last + 1, lease);
                target->Handle = ++s_last;
            }
        }
        catch
        {
            lease.Dispose();
            throw;
        }

        target->Length = (uint)bytes.Length;
        target->Data = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(bytes));
    }

    internal static void Commit(ulong handle)
    {
        WriteLease lease;
        lock (s_leases)
        {
            if (!s_leases.Remove(handle, out lease)) throw WhyNot(handle);
        }

        lease.Dispose();
    }

    private static AbiException WhyNot(ulong handle) => Handle.KindOf(handle) == HandleKind.Write && handle <= s_last
        ? new AbiException(AbiStatus.Closed, $"write lease 0x{handle:x} was committed before")
        : new AbiException(AbiStatus.BadHandle, $"0x{handle:x} is not the handle of a write lease");
}
