// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;

namespace PerfCache.Cache.Sources;

/// <summary>What a <see cref="ModelledPageSource"/> is like.</summary>
public sealed class ModelledPageSourceOptions
{
    /// <summary>The object's seed: it decides the bytes of all pages.</summary>
    public ulong Seed { get; init; }

    /// <summary>The number of pages.</summary>
    public ulong PageCount { get; init; } = PageKey.PageMax + 1;

    /// <summary>The valid bytes of the last page; 0 for a whole one.</summary>
    public int LastPageBytes { get; init; }

    /// <summary>How long a request to read takes, for one page as for many.</summary>
    public TimeSpan ReadLatency { get; init; }

    /// <summary>How long a request to write takes.</summary>
    public TimeSpan WriteLatency { get; init; }

    /// <summary>One request to read in so many fails, on average; 0 for none, 1 for all.</summary>
    public int FailureEvery { get; init; }

    /// <summary>Decides which requests fail.</summary>
    public ulong FailureSeed { get; init; }

    /// <summary>True for a source that waits without a thread.</summary>
    public bool IsAsync { get; init; }

    /// <summary>The clock of the latencies.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(PageCount, PageKey.PageMax + 1, nameof(PageCount));
        ArgumentOutOfRangeException.ThrowIfNegative(LastPageBytes, nameof(LastPageBytes));
        ArgumentOutOfRangeException.ThrowIfLessThan(ReadLatency, TimeSpan.Zero, nameof(ReadLatency));
        ArgumentOutOfRangeException.ThrowIfLessThan(WriteLatency, TimeSpan.Zero, nameof(WriteLatency));
        ArgumentOutOfRangeException.ThrowIfNegative(FailureEvery, nameof(FailureEvery));
        ArgumentNullException.ThrowIfNull(Time, nameof(Time));
    }
}

/// <summary>
/// A source that computes its pages: any number of them, each with bytes that tell which page of which object
/// they are, after a modelled latency and with modelled failures. For tests and for replaying traces on a
/// real cache.
/// </summary>
/// <remarks>
/// A request ends at its deadline, start plus latency, never before. Synchronous waiting sleeps the whole
/// milliseconds but one and spins the rest. Asynchronous waiting leaves the thread for the whole milliseconds
/// but one (the timer's grain) and then lets other work of the pool go first, again and again, until the
/// deadline.
/// <para>
/// Which requests fail depends on the failure seed and on the request's number alone, so a run of one thread
/// repeats. A failing read leaves half a page of its pattern behind: whoever keeps it anyway is found out.
/// Nothing is stored: a write checks that its bytes are the page's own pattern and throws where they are not.
/// Thread-safe.
/// </para>
/// </remarks>
public sealed partial class ModelledPageSource : IPageSource
{
    private static readonly TimeSpan s_grain = TimeSpan.FromMilliseconds(1);

    private readonly ModelledPageSourceOptions _options;
    private long _readCount;
    private long _writeCount;
    private long _failureCount;

    /// <summary>Makes a source.</summary>
    public ModelledPageSource(ModelledPageSourceOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _options = options;
    }

    /// <summary>The object's seed.</summary>
    public ulong Seed => _options.Seed;

    /// <inheritdoc/>
    public ulong PageCount => _options.PageCount;

    /// <inheritdoc/>
    public bool IsAsync => _options.IsAsync;

    /// <inheritdoc/>
    public bool CanWrite => true;

    /// <summary>Requests to read so far, those that failed included.</summary>
    public long ReadCount => Interlocked.Read(ref _readCount);

    /// <summary>Requests to write so far.</summary>
    public long WriteCount => Interlocked.Read(ref _writeCount);

    /// <summary>Requests to read that failed on purpose.</summary>
    public long FailureCount => Interlocked.Read(ref _failureCount);

    /// <inheritdoc/>
    public int Read(ulong page, Span<byte> destination)
    {
        long number = Interlocked.Increment(ref _readCount);
        Wait(_options.ReadLatency);
        FailIfDue(number, page, destination);
        return FillPage(page, destination);
    }

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<long> ReadAsync(
        ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(destinations);
        cancellation.ThrowIfCancellationRequested();
        long number = Interlocked.Increment(ref _readCount);
        await WaitAsync(_options.ReadLatency, cancellation).ConfigureAwait(false);
        if (destinations.Count > 0) FailIfDue(number, firstPage, destinations[0].Span);
        long valid = 0;
        for (int i = 0; i < destinations.Count; i++)
            valid += FillPage(firstPage + (ulong)i, destinations[i].Span);
        return valid;
    }

    /// <inheritdoc/>
    public async ValueTask WriteAsync(
        ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(pages);
        cancellation.ThrowIfCancellationRequested();
        Interlocked.Increment(ref _writeCount);
        await WaitAsync(_options.WriteLatency, cancellation).ConfigureAwait(false);
        for (int i = 0; i < pages.Count; i++)
        {
            ulong page = firstPage + (ulong)i;
            int valid = page < PageCount ? Math.Min(ValidBytes(page, pages[i].Length), pages[i].Length) : 0;
            if (valid > 0 && Verify(Seed, page, pages[i].Span[..valid])) continue;
            throw new IOException(
                $"page {page} of {PageCount} of the modelled source {Seed} was written with {pages[i].Length} "
                + "bytes that are not its own: the cache mixed pages up, or a writer changed one");
        }
    }

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellation) => default;

    private int FillPage(ulong page, Span<byte> destination)
    {
        if (page >= PageCount) return 0;
        int valid = ValidBytes(page, destination.Length);
        Fill(Seed, page, destination[..valid]);
        return valid;
    }

    /// <inheritdoc/>
    public int ValidBytes(ulong page, int pageBytes) =>
        page == PageCount - 1 && _options.LastPageBytes > 0
            ? Math.Min(_options.LastPageBytes, pageBytes)
            : pageBytes;

    private void FailIfDue(long number, ulong page, Span<byte> destination)
    {
        if (_options.FailureEvery == 0) return;
        if (Mix(_options.FailureSeed + (ulong)number) % (ulong)_options.FailureEvery != 0) return;
        Interlocked.Increment(ref _failureCount);
        Fill(Seed, page, destination[..(destination.Length / 2)]);
        throw new IOException(
            $"request {number} to read, page {page} of the modelled source {Seed}, fails on purpose "
            + $"(one in {_options.FailureEvery})");
    }

    private void Wait(TimeSpan latency)
    {
        if (latency == TimeSpan.Zero) return;
        long start = _options.Time.GetTimestamp();
        // A thread sleeps by the system's clock: under any other one, the wait is a spin.
        if (latency > s_grain && _options.Time == TimeProvider.System) Thread.Sleep(latency - s_grain);
        SpinWait spin = default;
        while (_options.Time.GetElapsedTime(start) < latency) spin.SpinOnce(sleep1Threshold: -1);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WaitAsync(TimeSpan latency, CancellationToken cancellation)
    {
        if (latency == TimeSpan.Zero) return;
        long start = _options.Time.GetTimestamp();
        var whole = TimeSpan.FromMilliseconds(Math.Floor(latency.TotalMilliseconds) - 1);
        if (whole > TimeSpan.Zero) await Task.Delay(whole, _options.Time, cancellation).ConfigureAwait(false);
        while (_options.Time.GetElapsedTime(start) < latency)
        {
            cancellation.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
