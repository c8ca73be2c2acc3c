// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using PerfCache.Cache;

namespace PerfCache.Tests.Core.Cache;

/// <summary>A source whose store a test can look into: it counts requests, fails on demand, and waits at a gate.</summary>
internal sealed class StoredPages : IPageSource
{
    internal const int PageBytes = 4096;

    private readonly ConcurrentDictionary<ulong, byte[]> _pages = [];
    private TaskCompletionSource? _gate;
    private int _flushes;

    /// <summary>First page and page count of each request to write, failed ones included.</summary>
    internal ConcurrentQueue<(ulong First, int Count)> Requests { get; } = [];

    internal int Flushes => _flushes;

    internal bool IsBroken { get; set; }

    internal bool FlushIsBroken { get; set; }

    internal ulong? BadPage { get; set; }

    /// <summary>Requests to write that have arrived at the closed gate.</summary>
    internal SemaphoreSlim Arrived { get; } = new(0);

    public ulong PageCount { get; init; } = 10_000;

    public bool IsAsync => false;

    public bool CanWrite { get; init; } = true;

    internal void CloseGate() => _gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    internal void OpenGate() => Interlocked.Exchange(ref _gate, null)?.SetResult();

    /// <summary>The first word of a stored page; 0 for one that was never written.</summary>
    internal ulong FirstWord(ulong page) =>
        _pages.TryGetValue(page, out byte[]? bytes) ? MemoryMarshal.Read<ulong>(bytes) : 0;

    /// <summary>True when all words of a stored page are the same: no request wrote half a change.</summary>
    internal bool IsWhole(ulong page) =>
        !_pages.TryGetValue(page, out byte[]? bytes)
        || !MemoryMarshal.Cast<byte, ulong>(bytes).ContainsAnyExcept(MemoryMarshal.Read<ulong>(bytes));

    public int Read(ulong page, Span<byte> destination)
    {
        if (_pages.TryGetValue(page, out byte[]? bytes)) bytes.CopyTo(destination);
        else destination.Clear();
        return PageBytes;
    }

    public ValueTask<long> ReadAsync(
        ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation)
    {
        for (int i = 0; i < destinations.Count; i++) Read(firstPage + (ulong)i, destinations[i].Span);
        return new ValueTask<long>((long)destinations.Count * PageBytes);
    }

    public async ValueTask WriteAsync(
        ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation)
    {
        Requests.Enqueue((firstPage, pages.Count));
        if (_gate is { } gate)
        {
            Arrived.Release();
            await gate.Task;
        }

        if (IsBroken) throw new IOException("disk on fire");
        if (BadPage is { } bad && bad >= firstPage && bad < firstPage + (ulong)pages.Count) throw new IOException("bad sector");
        for (int i = 0; i < pages.Count; i++) _pages[firstPage + (ulong)i] = pages[i].ToArray();
    }

    public ValueTask FlushAsync(CancellationToken cancellation)
    {
        if (FlushIsBroken) throw new IOException("cache of the disk on fire");
        Interlocked.Increment(ref _flushes);
        return default;
    }
}

/// <summary>What a test hangs into the steps of one cache, and the check that it leaves out.</summary>
internal struct HookedProbe : ICacheProbe
{
    internal static Action<CacheStep>? Hook { get; set; }

    internal static CacheCheck? Omitted { get; set; }

    public static void At(CacheStep place) => Hook?.Invoke(place);

    public static bool Omits(CacheCheck check) => Omitted == check;
}
