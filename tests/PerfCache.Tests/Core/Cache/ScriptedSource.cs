// SPDX-License-Identifier: MIT
using PerfCache.Cache;

namespace PerfCache.Tests.Core.Cache;

/// <summary>
/// A source that a test steers: it notes each request, holds it back until the test lets it go, and fails for the pages
/// that the test names.
/// </summary>
internal sealed class ScriptedSource : IPageSource
{
    private readonly Lock _lock = new();
    private readonly List<(ulong First, int Count)> _requests = [];
    private volatile TaskCompletionSource? _gate;

    public ulong PageCount { get; init; } = 1000;

    public bool IsAsync { get; init; } = true;

    public bool CanWrite => false;

    /// <summary>Pages that cannot be read.</summary>
    public HashSet<ulong> BadPages { get; } = [];

    /// <summary>The thread of the last synchronous read.</summary>
    public int LastReader { get; private set; }

    /// <summary>The requests so far, in order of their arrival.</summary>
    public (ulong First, int Count)[] Requests
    {
        get
        {
            lock (_lock) return [.. _requests];
        }
    }

    /// <summary>Requests from now on wait for <see cref="Open"/>.</summary>
    public void Close() => _gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Lets all requests go.</summary>
    public void Open()
    {
        TaskCompletionSource? gate = _gate;
        _gate = null;
        gate?.TrySetResult();
    }

    public int Read(ulong page, Span<byte> destination)
    {
        Note(page, 1);
        LastReader = Environment.CurrentManagedThreadId;
        _gate?.Task.Wait();
        FailIfBad(page, 1);
        PageCacheTests.Bytes(page).CopyTo(destination);
        return destination.Length;
    }

    public async ValueTask<long> ReadAsync(
        ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation)
    {
        Note(firstPage, destinations.Count);
        if (_gate is { } gate) await gate.Task.WaitAsync(cancellation).ConfigureAwait(false);
        FailIfBad(firstPage, destinations.Count);
        for (int i = 0; i < destinations.Count; i++) PageCacheTests.Bytes(firstPage + (ulong)i).CopyTo(destinations[i]);
        return destinations.Sum(page => (long)page.Length);
    }

    public ValueTask WriteAsync(
        ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation) =>
        throw new NotSupportedException();

    public ValueTask FlushAsync(CancellationToken cancellation) => throw new NotSupportedException();

    private void Note(ulong firstPage, int count)
    {
        lock (_lock) _requests.Add((firstPage, count));
    }

    private void FailIfBad(ulong firstPage, int count)
    {
        for (ulong page = firstPage; page < firstPage + (ulong)count; page++)
            if (BadPages.Contains(page)) throw new IOException($"page {page} is damaged");
    }
}
