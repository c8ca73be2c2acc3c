// SPDX-License-Identifier: MIT
using System.Collections.ObjectModel;
using System.Globalization;

namespace PerfCache.Memory;

/// <summary>Where the pages of a range really are, as the system says, and which of them are not where they were
/// wanted.</summary>
/// <remarks>
/// Every page of a small range is asked for. Of a large one a sample is: the range is cut into as many equal parts as
/// pages may be asked for, and one page of each part is taken, at a place that differs from part to part, because pages
/// at equal distances would all be on one node where a range is interleaved. The sample is the same each time, so two
/// reports of a range can be compared.
/// <para>All counts are of asked pages: <see cref="PagesOnNode"/> together, <see cref="UntouchedPages"/> and
/// <see cref="OtherPages"/> add up to <see cref="AskedPages"/>.</para>
/// </remarks>
public sealed record PlacementReport
{
    /// <summary>How many pages a report asks for unless told otherwise: 64 MiB of ordinary pages are asked one by one.
    /// </summary>
    public const int DefaultSampleMax = 16384;

    private const int ChunkPages = 4096;

    private PlacementReport()
    {
    }

    /// <summary>Where the pages were wanted; null: anywhere.</summary>
    public NumaPlacement? Wanted { get; private init; }

    /// <summary>Pages of the range.</summary>
    public long Pages { get; private init; }

    /// <summary>Pages that were asked for: all, or the size of the sample.</summary>
    public long AskedPages { get; private init; }

    /// <summary>True when not all pages were asked for.</summary>
    public bool IsSampled => AskedPages < Pages;

    /// <summary>Asked pages by the number of the node that they are on.</summary>
    public IReadOnlyDictionary<int, long> PagesOnNode { get; private init; } = ReadOnlyDictionary<int, long>.Empty;

    /// <summary>Asked pages that were never touched, or were given back: they are nowhere.</summary>
    public long UntouchedPages { get; private init; }

    /// <summary>Asked pages for which the system gave neither a node nor "not touched".</summary>
    public long OtherPages { get; private init; }

    /// <summary>The error number of the system's refusal to tell; 0 when it told.</summary>
    public int Error { get; private init; }

    /// <summary>Asked pages that are on a node.</summary>
    public long ResidentPages => PagesOnNode.Values.Sum();

    /// <summary>Asked pages on another node than those that were wanted: the wanted ones were full, or the page was
    /// touched before it was bound.</summary>
    public long FallbackPages => Wanted is null || Wanted.Nodes.Count == 0
        ? 0 : PagesOnNode.Where(pair => !Wanted.Nodes.Contains(pair.Key)).Sum(pair => pair.Value);

    /// <summary>The part of the resident pages that is on a node, from 0 to 1; 0 where none is resident.</summary>
    public double ShareOn(int node) =>
        PagesOnNode.TryGetValue(node, out long pages) ? (double)pages / ResidentPages : 0;

    /// <summary>Asks a system.</summary>
    /// <param name="system">The system.</param>
    /// <param name="address">Where the range begins.</param>
    /// <param name="bytes">Its size.</param>
    /// <param name="wanted">Where the pages were wanted.</param>
    /// <param name="sampleMax">The most pages to ask for.</param>
    public static PlacementReport Measure(
        INumaSystem system, nint address, long bytes, NumaPlacement? wanted = null, int sampleMax = DefaultSampleMax)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfLessThan(sampleMax, 1);
        nint first = address & ~(nint)(system.PageBytes - 1);
        long pages = (address - first + bytes + system.PageBytes - 1) / system.PageBytes;
        long asked = Math.Min(pages, sampleMax);
        SortedDictionary<int, long> counts = [];
        nint[] addresses = new nint[Math.Min(asked, ChunkPages)];
        int[] statuses = new int[addresses.Length];
        int error = 0;
        for (long done = 0; done < asked && error == 0; done += addresses.Length)
        {
            int count = (int)Math.Min(addresses.Length, asked - done);
            for (int i = 0; i < count; i++)
                addresses[i] = first + (nint)(PageOf(done + i, asked, pages) * system.PageBytes);
            error = system.Query(process: 0, addresses.AsSpan(0, count), statuses.AsSpan(0, count));
            if (error != 0) break;
            foreach (int status in statuses.AsSpan(0, count))
                counts[status] = counts.GetValueOrDefault(status) + 1;
        }

        return new PlacementReport
        {
            Wanted = wanted,
            Pages = pages,
            AskedPages = error == 0 ? asked : 0,
            PagesOnNode = error == 0 ? NodesOf(counts) : ReadOnlyDictionary<int, long>.Empty,
            UntouchedPages = error == 0 ? counts.GetValueOrDefault(NumaStatus.NotTouched) : 0,
            OtherPages = error == 0
                ? counts.Where(pair => pair.Key is < 0 and not NumaStatus.NotTouched).Sum(pair => pair.Value) : 0,
            Error = error,
        };
    }

    /// <summary>The report in one line.</summary>
    public override string ToString()
    {
        if (Error != 0) return $"{Number(Pages)} pages; where is not told (error {Error})";
        string nodes = string.Join(", ", PagesOnNode.Select(pair => $"{Number(pair.Value)} on node {pair.Key}"));
        string sample = IsSampled ? $", by a sample of {Number(AskedPages)}" : "";
        string elsewhere = FallbackPages > 0 ? $"; {Number(FallbackPages)} not where they were wanted ({Wanted})" : "";
        string other = OtherPages > 0 ? $", {Number(OtherPages)} unknown" : "";
        return $"{Number(Pages)} pages{sample}: {(nodes.Length == 0 ? "none on a node" : nodes)}, "
            + $"{Number(UntouchedPages)} untouched{other}{elsewhere}";
    }

    /// <summary>Adds up reports of several ranges.</summary>
    internal static PlacementReport Sum(IReadOnlyList<PlacementReport> parts, NumaPlacement? wanted)
    {
        SortedDictionary<int, long> counts = [];
        foreach ((int node, long pages) in parts.SelectMany(part => part.PagesOnNode))
            counts[node] = counts.GetValueOrDefault(node) + pages;
        return new PlacementReport
        {
            Wanted = wanted,
            Pages = parts.Sum(part => part.Pages),
            AskedPages = parts.Sum(part => part.AskedPages),
            PagesOnNode = new ReadOnlyDictionary<int, long>(counts),
            UntouchedPages = parts.Sum(part => part.UntouchedPages),
            OtherPages = parts.Sum(part => part.OtherPages),
            Error = parts.Select(part => part.Error).FirstOrDefault(error => error != 0),
        };
    }

    private static ReadOnlyDictionary<int, long> NodesOf(SortedDictionary<int, long> counts) =>
        new(new SortedDictionary<int, long>(
            counts.Where(pair => NumaStatus.IsNode(pair.Key)).ToDictionary(pair => pair.Key, pair => pair.Value)));

    /// <summary>The page that stands for part <paramref name="index"/> of <paramref name="parts"/>.</summary>
    private static long PageOf(long index, long parts, long pages)
    {
        if (parts == pages) return index;
        var first = (long)((Int128)index * pages / parts);
        var end = (long)((Int128)(index + 1) * pages / parts);
        // A multiplicative hash of the part's number: its high bits are as good as chance for this.
        ulong mixed = (ulong)(index + 1) * 0x9E37_79B9_7F4A_7C15;
        return first + (long)((mixed >> 32) % (ulong)(end - first));
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}

/// <summary>What to do when memory is wanted on nodes that have none left.</summary>
public enum NodeFullPolicy
{
    /// <summary>Take it from the nearest node that has some, and count the pages.</summary>
    FallBack,

    /// <summary>Give back what was taken, and fail.</summary>
    Fail,
}
