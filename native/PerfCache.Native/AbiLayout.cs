// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace PerfCache.Native;

/// <summary>Where each field of each struct is, under the names that the header gives them: what this library was compiled
/// with, for a caller who was compiled with something else.</summary>
internal static unsafe class AbiLayout
{
    /// <summary>A field, or with an empty name the whole struct.</summary>
    internal readonly record struct Row(string Struct, string Field, uint Offset, uint Size);

    /// <summary>All rows.</summary>
    internal static IReadOnlyList<Row> Rows { get; } =
    [
        .. CacheOptions(), .. Statistics(), .. FileOptions(), .. ObjectInfo(), .. Lease("pc_lease"),
        .. Lease("pc_write_lease"), .. View(), .. PoolOptions(), .. PoolInfo(), .. RingOptions(), .. FlipPage(),
    ];

    /// <summary>The row of a field.</summary>
    /// <returns>Null when there is none.</returns>
    internal static Row? Find(string structName, string field)
    {
        foreach (Row row in Rows)
            if (row.Struct == structName && row.Field == field) return row;
        return null;
    }

    private static List<Row> CacheOptions()
    {
        AbiCacheOptions s;
        Fields<AbiCacheOptions> f = new("pc_cache_options", &s);
        return f.Add("size", &s.Size).Add("page_bytes", &s.PageBytes).Add("capacity_bytes", &s.CapacityBytes)
            .Add("policy", &s.Policy).Add("flags", &s.Flags).Add("readahead_pages", &s.ReadaheadPages)
            .Add("patience_ms", &s.PatienceMillis).Add("flush_interval_ms", &s.FlushIntervalMillis)
            .Add("dirty_age_ms", &s.DirtyAgeMillis).Add("name", (nuint*)&s.Name).Rows;
    }

    private static List<Row> Statistics()
    {
        AbiStatistics s;
        Fields<AbiStatistics> f = new("pc_statistics", &s);
        return f.Add("size", &s.Size).Add("page_bytes", &s.PageBytes).Add("capacity_bytes", &s.CapacityBytes)
            .Add("used_bytes", &s.UsedBytes).Add("frame_count", &s.FrameCount).Add("resident_pages", &s.ResidentPages)
            .Add("hits", &s.Hits).Add("misses", &s.Misses).Add("load_failures", &s.LoadFailures)
            .Add("insertions", &s.Insertions).Add("refaults", &s.Refaults).Add("activations", &s.Activations)
            .Add("deactivations", &s.Deactivations).Add("evictions", &s.Evictions).Add("removals", &s.Removals)
            .Add("lock_waits", &s.LockWaits).Add("dirty_pages", &s.DirtyPages).Add("pages_written", &s.PagesWritten)
            .Add("write_requests", &s.WriteRequests).Add("write_failures", &s.WriteFailures)
            .Add("readahead_pages", &s.ReadaheadPages).Add("readahead_hits", &s.ReadaheadHits)
            .Add("leases_out", &s.LeasesOut).Rows;
    }

    private static List<Row> FileOptions()
    {
        AbiFileOptions s;
        Fields<AbiFileOptions> f = new("pc_file_options", &s);
        return f.Add("size", &s.Size).Add("flags", &s.Flags).Add("page_count_max", &s.PageCountMax).Rows;
    }

    private static List<Row> ObjectInfo()
    {
        AbiObjectInfo s;
        Fields<AbiObjectInfo> f = new("pc_object_info", &s);
        return f.Add("size", &s.Size).Add("can_write", &s.CanWrite).Add("page_count", &s.PageCount)
            .Add("length_bytes", &s.LengthBytes).Add("is_direct", &s.IsDirect).Add("reserved", &s.Reserved).Rows;
    }

    private static List<Row> Lease(string name)
    {
        AbiLease s;
        Fields<AbiLease> f = new(name, &s);
        return f.Add("size", &s.Size).Add("length", &s.Length).Add("handle", &s.Handle)
            .Add("data", (nuint*)&s.Data).Rows;
    }

    private static List<Row> View()
    {
        AbiView s;
        Fields<AbiView> f = new("pc_view", &s);
        return f.Add("size", &s.Size).Add("layout", &s.Layout).Add("handle", &s.Handle).Add("object", &s.Owner)
            .Add("leaf_count", &s.LeafCount).Add("leaves", (nuint*)&s.Leaves).Add("slots", (nuint*)&s.Slots)
            .Add("heads", (nuint*)&s.Heads).Add("pages", (nuint*)&s.Pages).Add("key", &s.Key).Add("mask", &s.Mask)
            .Add("usual", &s.Usual).Add("page_shift", &s.PageShift).Add("page_bytes", &s.PageBytes).Rows;
    }

    private static List<Row> PoolOptions()
    {
        AbiPoolOptions s;
        Fields<AbiPoolOptions> f = new("pc_pool_options", &s);
        return f.Add("size", &s.Size).Add("frame_count", &s.FrameCount).Add("page_bytes", &s.PageBytes)
            .Add("reserved", &s.Reserved).Rows;
    }

    private static List<Row> PoolInfo()
    {
        AbiPoolInfo s;
        Fields<AbiPoolInfo> f = new("pc_pool_info", &s);
        return f.Add("size", &s.Size).Add("page_bytes", &s.PageBytes).Add("frame_count", &s.FrameCount)
            .Add("free_count", &s.FreeCount).Add("first_page", (nuint*)&s.FirstPage).Rows;
    }

    private static List<Row> RingOptions()
    {
        AbiRingOptions s;
        Fields<AbiRingOptions> f = new("pc_ring_options", &s);
        return f.Add("size", &s.Size).Add("producer", &s.Producer).Add("consumer", &s.Consumer)
            .Add("slot_count", &s.SlotCount).Add("threads", &s.Threads).Add("wait", &s.Wait).Rows;
    }

    private static List<Row> FlipPage()
    {
        AbiFlipPage s;
        Fields<AbiFlipPage> f = new("pc_flip_page", &s);
        return f.Add("size", &s.Size).Add("frame", &s.Frame).Add("length", &s.Length).Add("user_bits", &s.UserBits).Rows;
    }

    /// <summary>Collects the rows of one struct from the addresses of its fields.</summary>
    private readonly struct Fields<T> where T : unmanaged
    {
        private readonly string _name;
        private readonly byte* _start;

        internal Fields(string name, T* start)
        {
            _name = name;
            _start = (byte*)start;
            Rows = [new Row(name, "", 0, (uint)Unsafe.SizeOf<T>())];
        }

        internal List<Row> Rows { get; }

        internal Fields<T> Add<TField>(string field, TField* address) where TField : unmanaged
        {
            Rows.Add(new Row(_name, field, (uint)((byte*)address - _start), (uint)Unsafe.SizeOf<TField>()));
            return this;
        }
    }
}
