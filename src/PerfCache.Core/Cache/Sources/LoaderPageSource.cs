// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache.Sources;

/// <summary>Loads one page; called from several threads at once, never for one page twice at a
/// time.</summary>
/// <param name="page">Its number.</param>
/// <param name="destination">A whole page, with arbitrary content; the loader's until it returns.</param>
/// <returns>The valid bytes: all, or fewer for the last page.</returns>
public delegate int PageLoader(ulong page, Span<byte> destination);

/// <summary>Loads one page without holding a thread while it waits.</summary>
/// <param name="page">Its number.</param>
/// <param name="destination">A whole page, with arbitrary content; the loader's until its task has
/// ended.</param>
/// <param name="cancellation">Cancelled when the cache is disposed.</param>
/// <returns>The valid bytes: all, or fewer for the last page.</returns>
public delegate ValueTask<int> AsyncPageLoader(
    ulong page, Memory<byte> destination, CancellationToken cancellation);

/// <summary>Writes one page back.</summary>
/// <param name="page">Its number.</param>
/// <param name="data">Its bytes: a whole page, or fewer for the last one; the writer's until its task has
/// ended.</param>
/// <param name="cancellation">A writer may ignore it.</param>
public delegate ValueTask AsyncPageWriter(
    ulong page, ReadOnlyMemory<byte> data, CancellationToken cancellation);

/// <summary>Pages that come from a user's own code: another cache, a database, a network.</summary>
/// <remarks>
/// With a loader that waits without a thread, the source is asynchronous, and neighbouring pages are asked
/// for all at once; otherwise one after the other, on the caller's thread. What a loader or a writer throws
/// reaches every waiter as it is. With an asynchronous loader alone, <see cref="Read"/> blocks its thread
/// until the loader's task has ended.
/// </remarks>
public sealed class LoaderPageSource : IPageSource
{
    private readonly PageLoader? _load;
    private readonly AsyncPageLoader? _loadAsync;
    private readonly AsyncPageWriter? _write;
    private readonly Func<CancellationToken, ValueTask>? _flush;
    private ulong _pageCount;

    /// <summary>Makes a source of delegates: one loader at least.</summary>
    /// <param name="pageCount">The number of pages: those beyond are never asked for.</param>
    /// <param name="load">Loads a page on the caller's thread.</param>
    /// <param name="loadAsync">Loads a page and waits without a thread.</param>
    /// <param name="write">Writes a page back; null for a source that is read only.</param>
    /// <param name="flush">Makes all that was written durable; null where writing does.</param>
    public LoaderPageSource(
        ulong pageCount, PageLoader? load = null, AsyncPageLoader? loadAsync = null,
        AsyncPageWriter? write = null, Func<CancellationToken, ValueTask>? flush = null)
    {
        if (load is null && loadAsync is null)
        {
            throw new ArgumentException(
                "a source needs a loader: give one that is synchronous, asynchronous or both", nameof(load));
        }

        if (flush is not null && write is null)
        {
            throw new ArgumentException(
                "a source that cannot write has nothing to flush: give a writer too", nameof(flush));
        }

        _load = load;
        _loadAsync = loadAsync;
        _write = write;
        _flush = flush;
        PageCount = pageCount;
    }

    /// <inheritdoc/>
    /// <remarks>May be set at any time; pages that a smaller number cuts off stay in a cache until it is told
    /// to invalidate them.</remarks>
    public ulong PageCount
    {
        get => Volatile.Read(ref _pageCount);
        set
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, PageKey.PageMax + 1);
            Volatile.Write(ref _pageCount, value);
        }
    }

    /// <inheritdoc/>
    public bool IsAsync => _loadAsync is not null;

    /// <inheritdoc/>
    public bool CanWrite => _write is not null;

    /// <inheritdoc/>
    public int Read(ulong page, Span<byte> destination)
    {
        ulong pageCount = PageCount;
        if (page >= pageCount) return 0;
        int valid = _load is null ? Block(page, destination) : _load(page, destination);
        return Checked(page, valid, destination.Length, pageCount);
    }

    /// <inheritdoc/>
    public ValueTask<long> ReadAsync(
        ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(destinations);
        ulong pageCount = PageCount;
        if (firstPage >= pageCount || destinations.Count == 0) return new ValueTask<long>(0);
        int count = (int)Math.Min((ulong)destinations.Count, pageCount - firstPage);
        return _loadAsync is null
            ? LoadInTurn(firstPage, destinations, count, pageCount, cancellation)
            : LoadAtOnceAsync(firstPage, destinations, count, pageCount, cancellation);
    }

    /// <inheritdoc/>
    public async ValueTask WriteAsync(
        ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(pages);
        if (_write is null)
        {
            throw new IOException(
                $"cannot write page {firstPage}: its source has no writer; "
                + $"give {nameof(LoaderPageSource)} one");
        }

        // In turn: when one fails, those behind it have not begun.
        for (int i = 0; i < pages.Count; i++)
            await _write(firstPage + (ulong)i, pages[i], cancellation).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellation) =>
        _flush is null ? default : _flush(cancellation);

    // The span is page memory, which does not move; any other is held for as long as the loader may write to
    // it.
    private unsafe int Block(ulong page, Span<byte> destination)
    {
        fixed (byte* address = destination)
        {
            NativePage view = NativePage.Rent(address, destination.Length);
            try
            {
                ValueTask<int> loading = _loadAsync!(page, view.Memory, CancellationToken.None);
                return loading.AsTask().GetAwaiter().GetResult();
            }
            finally
            {
                view.Return();
            }
        }
    }

    private ValueTask<long> LoadInTurn(
        ulong firstPage, IReadOnlyList<Memory<byte>> destinations, int count, ulong pageCount,
        CancellationToken cancellation)
    {
        try
        {
            long valid = 0;
            for (int i = 0; i < count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                ulong page = firstPage + (ulong)i;
                Memory<byte> destination = destinations[i];
                valid += Checked(page, _load!(page, destination.Span), destination.Length, pageCount);
            }

            return new ValueTask<long>(valid);
        }
        catch (Exception e)
        {
            // Whatever a loader throws belongs into the task, as if it had been asynchronous.
            return ValueTask.FromException<long>(e);
        }
    }

    private async ValueTask<long> LoadAtOnceAsync(
        ulong firstPage, IReadOnlyList<Memory<byte>> destinations, int count, ulong pageCount,
        CancellationToken cancellation)
    {
        if (count == 1)
        {
            int got = await _loadAsync!(firstPage, destinations[0], cancellation).ConfigureAwait(false);
            return Checked(firstPage, got, destinations[0].Length, pageCount);
        }

        var loading = new Task<int>[count];
        for (int i = 0; i < count; i++)
            loading[i] = StartAsync(firstPage + (ulong)i, destinations[i], cancellation).AsTask();
        // All of them, also when one has failed: the buffers are theirs until they have ended.
        await Task.WhenAll(loading).ConfigureAwait(false);
        long valid = 0;
        for (int i = 0; i < count; i++)
        {
            int got = await loading[i].ConfigureAwait(false);
            valid += Checked(firstPage + (ulong)i, got, destinations[i].Length, pageCount);
        }

        return valid;
    }

    // A loader that throws before it returns its task must not make the others' buffers homeless.
    private async ValueTask<int> StartAsync(
        ulong page, Memory<byte> destination, CancellationToken cancellation) =>
        await _loadAsync!(page, destination, cancellation).ConfigureAwait(false);

    private static int Checked(ulong page, int valid, int pageBytes, ulong pageCount)
    {
        bool fits = valid == pageBytes || (valid >= 0 && valid < pageBytes && page == pageCount - 1);
        if (fits) return valid;
        throw new IOException(
            $"the loader returned {valid} bytes for page {page} of {pageCount}: "
            + $"a page has {pageBytes}, and only the last may have fewer; "
            + "fill the whole page, or throw where it cannot be had");
    }
}
