// SPDX-License-Identifier: MIT
using System.IO.MemoryMappedFiles;
using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Benchmarks;

/// <summary>A way to read a page of a file, whole: each sums its words, so that all bytes are looked at.</summary>
internal abstract class FileReader : IDisposable
{
    protected const int PageBytes = 4096;

    public abstract string Name { get; }

    public abstract ulong Read(uint page);

    public abstract void Dispose();

    protected static ulong Sum(ReadOnlySpan<byte> bytes)
    {
        Vector<ulong> sum = Vector<ulong>.Zero;
        foreach (Vector<ulong> words in MemoryMarshal.Cast<byte, Vector<ulong>>(bytes)) sum += words;
        return Vector.Sum(sum);
    }
}

/// <summary>PageCache over the file.</summary>
internal sealed class CachedFile : FileReader
{
    private readonly FilePageSource _source;
    private readonly PageCache<LinuxRules<Linux6>> _cache;
    private readonly ObjectId _file;
    private long _reads;

    public CachedFile(string path, uint frames, bool direct)
    {
        _source = FilePageSource.Open(path, new FilePageSourceOptions
        {
            ReadOnly = true,
            DirectIo = direct ? DirectIo.IfPossible : DirectIo.Off,
            KernelReadahead = false,
        });
        // The bound holds page data and metadata together, as an embedder sets it.
        _cache = new PageCache<LinuxRules<Linux6>>(
            new PageCacheOptions { CapacityBytes = (long)frames * PageBytes }, new LinuxRules<Linux6>());
        _file = _cache.AddObject(_source);
        Name = direct ? "PageCache, direct I/O below" : "PageCache, kernel's cache below";
    }

    public override string Name { get; }

    public bool IsDirect => _source.IsDirect;

    public double HitRatio => 1 - ((double)_cache.Statistics.Misses / _reads);

    public override ulong Read(uint page)
    {
        _reads++;
        using PageLease lease = _cache.Get(_file, page);
        return Sum(lease.Span);
    }

    public override void Dispose()
    {
        _cache.Dispose();
        _source.Dispose();
    }
}

/// <summary>RandomAccess, or the same past the kernel's cache, where every read goes to the disk.</summary>
internal sealed unsafe class ReadFile : FileReader
{
    private readonly SafeFileHandle? _handle;
    private readonly FilePageSource? _source;
    private readonly byte* _buffer = (byte*)NativeMemory.AlignedAlloc(PageBytes, PageBytes);

    public ReadFile(string path, bool direct)
    {
        Name = direct ? "RandomAccess.Read, direct I/O" : "RandomAccess.Read";
        // Only the source knows how to ask for direct I/O; it calls RandomAccess.Read.
        if (direct) _source = FilePageSource.Open(path, new() { ReadOnly = true, DirectIo = DirectIo.IfPossible });
        else _handle = File.OpenHandle(path, options: FileOptions.RandomAccess);
    }

    public override string Name { get; }

    public override ulong Read(uint page)
    {
        Span<byte> buffer = new(_buffer, PageBytes);
        if (_handle is null) _source!.Read(page, buffer);
        else RandomAccess.Read(_handle, buffer, (long)page * PageBytes);
        return Sum(buffer);
    }

    public override void Dispose()
    {
        _handle?.Dispose();
        _source?.Dispose();
        NativeMemory.AlignedFree(_buffer);
    }
}

/// <summary>The file mapped into memory.</summary>
internal sealed unsafe class MappedFile : FileReader
{
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _first;

    public MappedFile(string path)
    {
        _map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, mapName: null, 0, MemoryMappedFileAccess.Read);
        _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _first);
    }

    public override string Name => "memory-mapped file";

    public override ulong Read(uint page) => Sum(new ReadOnlySpan<byte>(_first + ((long)page * PageBytes), PageBytes));

    public override void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map.Dispose();
    }
}
