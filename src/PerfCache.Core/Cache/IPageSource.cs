// SPDX-License-Identifier: MIT
namespace PerfCache.Cache;

/// <summary>
/// Where the pages of an object come from, and where changed ones go: a file, a user's loader, a network.
/// </summary>
/// <remarks>
/// The cache calls a source without holding any lock, from several threads at once, but never for the same page twice
/// at the same time. The buffers are page memory of the cache: native, aligned to the page size, of whole pages, and
/// the source's only until the call (or the task that it returned) has ended. A source throws what it likes; every
/// waiter for the page gets that exception, and the cache keeps nothing of the page.
/// </remarks>
public interface IPageSource
{
    /// <summary>The number of pages that there are now: pages beyond do not exist. The last one may be short.</summary>
    ulong PageCount { get; }

    /// <summary>True when <see cref="ReadAsync"/> waits without a thread; otherwise the cache calls
    /// <see cref="Read"/> for single pages, and <see cref="ReadAsync"/> for neighbours, on a thread that may wait.
    /// </summary>
    bool IsAsync { get; }

    /// <summary>True when pages may be written back.</summary>
    bool CanWrite { get; }

    /// <summary>Reads one page.</summary>
    /// <param name="page">Its number.</param>
    /// <param name="destination">A whole page, with arbitrary content.</param>
    /// <returns>The valid bytes: fewer than a page for a short last page. The cache zeroes the rest.</returns>
    int Read(ulong page, Span<byte> destination);

    /// <summary>Reads neighbouring pages in one request.</summary>
    /// <param name="firstPage">The number of the first.</param>
    /// <param name="destinations">One whole page each, for this page and those that follow.</param>
    /// <param name="cancellation">Cancelled when the cache is disposed; a source may ignore it.</param>
    /// <returns>The valid bytes from the start of the first page: fewer than asked for at the end of the
    /// source.</returns>
    ValueTask<long> ReadAsync(
        ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation);

    /// <summary>Writes neighbouring pages in one request; when it returns, they are as durable as the source makes
    /// them without <see cref="FlushAsync"/>.</summary>
    /// <param name="firstPage">The number of the first.</param>
    /// <param name="pages">One page each; the last may be shorter where it is the source's short last page.</param>
    /// <param name="cancellation">A source may ignore it.</param>
    ValueTask WriteAsync(
        ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation);

    /// <summary>How many bytes of a page are the source's: fewer than a page only for a short last page that is to stay
    /// short. Write-back hands over no more, unless there is something behind them that is not zero.</summary>
    /// <param name="page">The page's number.</param>
    /// <param name="pageBytes">Bytes of a page.</param>
    int ValidBytes(ulong page, int pageBytes) => pageBytes;

    /// <summary>Makes all that was written durable.</summary>
    /// <param name="cancellation">A source may ignore it.</param>
    ValueTask FlushAsync(CancellationToken cancellation);
}
