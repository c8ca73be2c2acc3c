// SPDX-License-Identifier: MIT
using PerfCache.Cache;

namespace PerfCache.Simulation.Replay;

/// <summary>The pages of a source over and over: a trace may name any page, and a file has an end.</summary>
internal sealed class LoopedPageSource(IPageSource source, ulong pageCount) : IPageSource
{
    private readonly ulong _sourcePages = source.PageCount;

    public ulong PageCount => pageCount;

    public bool IsAsync => source.IsAsync;

    public bool CanWrite => false;

    public int Read(ulong page, Span<byte> destination) => source.Read(page % _sourcePages, destination);

    public async ValueTask<long> ReadAsync(
        ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation)
    {
        // One by one: neighbours in the trace need not be neighbours in the file, and a short page is not the last.
        long valid = 0;
        for (int i = 0; i < destinations.Count; i++)
        {
            ulong page = (firstPage + (ulong)i) % _sourcePages;
            long got = await source.ReadAsync(page, [destinations[i]], cancellation).ConfigureAwait(false);
            destinations[i].Span[(int)got..].Clear();
            valid += destinations[i].Length;
        }

        return valid;
    }

    public ValueTask WriteAsync(
        ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation) =>
        throw new NotSupportedException("the pages of a replay are only read");

    public ValueTask FlushAsync(CancellationToken cancellation) => default;
}
