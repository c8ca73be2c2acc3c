// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Several pages in one call, those that are missing loaded at the same time.</summary>
public partial class PageCache<TRules, TProbe>
{
    /// <summary>
    /// Pages as leases: those that are not resident are loaded, all at the same time, neighbours in one request of up to
    /// 32 pages.
    /// </summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="pages">The pages' numbers in it, in any order; one that is named twice gets two leases. All are held at
    /// the same time, so they should be few in comparison with the cache.</param>
    /// <param name="leases">Receives the leases; dispose them. When the task fails, none is out.</param>
    /// <param name="cancellation">Ends this caller's wait; the loads go on.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    /// <inheritdoc cref="GetAsync" path="/exception"/>
    public ValueTask GetManyAsync(
        ObjectId owner, ReadOnlyMemory<ulong> pages, Memory<PageLease> leases, CancellationToken cancellation = default)
    {
        CheckLengths(pages.Length, leases.Length);
        int found = TryPinMany(owner, pages.Span, leases.Span, firstByte: -1);
        return found == pages.Length
            ? default
            : new ValueTask(GetMissingAsync(owner, pages, leases, pages.Length - found, cancellation));
    }

    private async Task GetMissingAsync(
        ObjectId owner, ReadOnlyMemory<ulong> pages, Memory<PageLease> leases, int count, CancellationToken cancellation)
    {
        IPageSource? source = SourceOf(owner);
        MissingPage[] missing = [];
        try
        {
            cancellation.ThrowIfCancellationRequested();
            missing = Missing(pages.Span, leases.Span, count);
            StartMissing(owner, source, missing, leases.Span);
            for (int i = 0; i < missing.Length; i++)
            {
                if (missing[i].Load is not { } load) continue;
                missing[i].Load = null;
                FrameId frame = await WaitAsync(missing[i].Joined!, load, cancellation).ConfigureAwait(false);
                if (!frame.IsNone) leases.Span[missing[i].Place] = Lease(frame);
            }

            // What is left had no frame, or was being written, or was invalidated while it was loaded.
            foreach (MissingPage page in missing)
            {
                if (!leases.Span[page.Place].IsEmpty) continue;
                PageLease lease = await GetSlowAsync(owner, page.Page, source, cancellation).ConfigureAwait(false);
                leases.Span[page.Place] = lease;
            }
        }
        catch
        {
            foreach (MissingPage page in missing)
                if (page.Load is not null) Abandon(page.Load);
            DisposeAll(leases.Span);
            throw;
        }
    }

    /// <summary>The pages without a lease, in ascending order.</summary>
    private static MissingPage[] Missing(ReadOnlySpan<ulong> pages, ReadOnlySpan<PageLease> leases, int count)
    {
        MissingPage[] missing = new MissingPage[count];
        int next = 0;
        for (int i = 0; i < pages.Length; i++)
            if (leases[i].IsEmpty) missing[next++] = new MissingPage { Page = pages[i], Place = i };
        Array.Sort(missing, static (a, b) => a.Page.CompareTo(b.Page));
        return missing;
    }

    /// <summary>Pins what has become resident, joins loads that are under way, and starts the others.</summary>
    private void StartMissing(ObjectId owner, IPageSource? source, MissingPage[] missing, Span<PageLease> leases)
    {
        RequestChain chain = default;
        try
        {
            for (int start = 0; start < missing.Length; start += PagesPerLock)
            {
                Span<MissingPage> some = missing.AsSpan(start, Math.Min(PagesPerLock, missing.Length - start));
                StartSome(owner, source, some, leases, ref chain);
            }
        }
        finally
        {
            // Also when one of the pages does not exist: others may have joined those that were started.
            chain.StartAll();
        }
    }

    private void StartSome(
        ObjectId owner, IPageSource? source, Span<MissingPage> some, Span<PageLease> leases, ref RequestChain chain)
    {
        Enter();
        try
        {
            foreach (ref MissingPage page in some)
            {
                CheckPage(owner, page.Page);
                Found found = FindOrStartUnderLock(
                    new PageKey(owner, page.Page), source, detached: true, out FrameId frame, out PageLoad? load,
                    out page.Joined);
                if (found == Found.Resident) leases[page.Place] = Lease(frame);
                if (found is Found.BeingLoaded or Found.Started) page.Load = load;
                if (found == Found.Started) chain.Add(this, load!, source!);
            }
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>A page that a batch did not find.</summary>
    private struct MissingPage
    {
        public ulong Page;

        /// <summary>Its place in the batch.</summary>
        public int Place;

        /// <summary>What the batch waits for, until it has ended.</summary>
        public PageLoad? Load;

        public Task<FrameId>? Joined;
    }
}
