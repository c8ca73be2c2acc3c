// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;

namespace PerfCache.Native;

/// <summary>Caches and their objects.</summary>
internal static unsafe class CacheExports
{
    private const uint CountHits = 1;
    private const uint NoBackgroundReclaim = 2;
    private const uint NoBackgroundFlush = 4;
    private const uint ReadOnly = 1;
    private const uint Create = 2;
    private const uint Grow = 4;
    private const uint Direct = 8;
    private const uint DirectOrFail = 16;
    private const uint NoKernelReadahead = 32;
    private const uint Sparse = 1;

    [UnmanagedCallersOnly(EntryPoint = "pc_open")]
    private static int Open(AbiCacheOptions* options, ulong* cache) => AbiCall.Run(_ =>
    {
        AbiArguments.Require(options, "options");
        AbiArguments.Require(cache, "cache");
        AbiCacheOptions asked = AbiArguments.Options(options, "pc_cache_options");
        OpenCache opened = OpenCache.Make(asked.Policy, OptionsOf(asked));
        ulong handle = AbiCall.Publish(Tables.Caches, opened);
        *cache = handle;
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_close")]
    private static int Close(ulong cache) => AbiCall.Run(thread =>
    {
        Tables.Caches.Close(
            thread, cache, static opened => opened.Patience, static opened => opened.Dispose(),
            staysOpen: false);
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_flush")]
    private static int Flush(ulong cache) => AbiCall.Run(thread =>
    {
        Tables.Caches.Enter(thread, cache).Flush(null);
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_get_statistics")]
    private static int GetStatistics(ulong cache, AbiStatistics* statistics) => AbiCall.Run(thread =>
    {
        OpenCache opened = Tables.Caches.Enter(thread, cache);
        AbiArguments.CheckSize(statistics, "pc_statistics");
        AbiArguments.Fill(statistics, opened.Statistics());
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_attach_file")]
    private static int AttachFile(ulong cache, byte* path, AbiFileOptions* options, ulong* owner) => AbiCall.Run(thread =>
    {
        OpenCache opened = Tables.Caches.Enter(thread, cache);
        AbiArguments.Require(owner, "object");
        AbiFileOptions asked = AbiArguments.Options(options, "pc_file_options");
        string name = AbiArguments.Text(path, "path");
        *owner = opened.Attach(name, OptionsOf(asked, opened.PageBytes), asked.PageCountMax);
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_add_object")]
    private static int AddObject(ulong cache, ulong pageCountMax, uint flags, ulong* owner) => AbiCall.Run(thread =>
    {
        OpenCache opened = Tables.Caches.Enter(thread, cache);
        AbiArguments.Require(owner, "object");
        AbiArguments.CheckFlags(flags, Sparse, "flags");
        *owner = opened.Add(pageCountMax, dense: (flags & Sparse) == 0);
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_detach")]
    private static int Detach(ulong owner) => AbiCall.Run(thread =>
    {
        OpenCache.Enter(thread, owner).Detach(owner);
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_get_object_info")]
    private static int GetObjectInfo(ulong owner, AbiObjectInfo* info) => AbiCall.Run(thread =>
    {
        OpenCache opened = OpenCache.Enter(thread, owner);
        AbiArguments.CheckSize(info, "pc_object_info");
        AbiArguments.Fill(info, opened.Describe(owner));
    });

    [UnmanagedCallersOnly(EntryPoint = "pc_flush_object")]
    private static int FlushObject(ulong owner) => AbiCall.Run(thread =>
    {
        OpenCache opened = OpenCache.Enter(thread, owner);
        opened.Flush(opened.Require(owner));
    });

    private static PageCacheOptions OptionsOf(AbiCacheOptions asked)
    {
        AbiArguments.CheckFlags(asked.Flags, CountHits | NoBackgroundReclaim | NoBackgroundFlush, "flags");
        if (asked.CapacityBytes > long.MaxValue)
            throw AbiException.BadArgument($"capacity_bytes is {asked.CapacityBytes}; possible is at most {long.MaxValue}");
        WriteBackOptions usual = new();
        PageCacheOptions defaults = new() { CapacityBytes = (long)asked.CapacityBytes };
        return defaults with
        {
            PageBytes = asked.PageBytes == 0 ? PageMemory.PageBytesMin : (int)Math.Min(asked.PageBytes, int.MaxValue),
            Name = asked.Name is null ? defaults.Name : AbiArguments.Text(asked.Name, "name"),
            CountHits = (asked.Flags & CountHits) != 0,
            BackgroundReclaim = (asked.Flags & NoBackgroundReclaim) == 0,
            ReadaheadPagesMax = (int)Math.Min(asked.ReadaheadPages, int.MaxValue),
            Patience = AbiArguments.Millis(asked.PatienceMillis, defaults.Patience),
            WriteBack = usual with
            {
                FlushInterval = (asked.Flags & NoBackgroundFlush) != 0
                    ? TimeSpan.Zero : AbiArguments.Millis(asked.FlushIntervalMillis, usual.FlushInterval),
                DirtyAge = AbiArguments.Millis(asked.DirtyAgeMillis, usual.DirtyAge),
            },
        };
    }

    private static FilePageSourceOptions OptionsOf(AbiFileOptions asked, int pageBytes)
    {
        AbiArguments.CheckFlags(
            asked.Flags, ReadOnly | Create | Grow | Direct | DirectOrFail | NoKernelReadahead, "flags");
        return new FilePageSourceOptions
        {
            PageBytes = pageBytes,
            ReadOnly = (asked.Flags & ReadOnly) != 0,
            Create = (asked.Flags & Create) != 0,
            CanGrow = (asked.Flags & Grow) != 0,
            DirectIo = (asked.Flags & DirectOrFail) != 0 ? DirectIo.Required
                : (asked.Flags & Direct) != 0 ? DirectIo.IfPossible : DirectIo.Off,
            KernelReadahead = (asked.Flags & NoKernelReadahead) == 0,
        };
    }
}
