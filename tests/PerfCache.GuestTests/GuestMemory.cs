// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.GuestTests;

/// <summary>A committed range of native memory whose pages a check places, touches and looks for.</summary>
internal sealed unsafe class GuestMemory : IDisposable
{
    internal const int PageBytes = 4096;
    internal const int HugePageBytes = 2 * 1024 * 1024;

    private readonly MemoryMeter _meter = new();
    private readonly NativeRange _range;

    internal GuestMemory(int pages, bool hugePages = false)
    {
        Pages = pages;
        nuint alignment = hugePages ? HugePageBytes : (nuint)PageBytes;
        _range = new NativeRange("checked memory", (long)pages * PageBytes, alignment, shared: false, _meter);
        _range.Commit((long)pages * PageBytes);
        Expect.That(
            _range.TryAdviseAll(hugePages ? MemoryAdvice.HugePage : MemoryAdvice.NoHugePage), "advice on huge pages");
    }

    internal int Pages { get; }

    internal long Bytes => (long)Pages * PageBytes;

    internal nint Address => (nint)_range.Address;

    internal nint[] Addresses => [.. Enumerable.Range(0, Pages).Select(page => Address + page * (nint)PageBytes)];

    internal nint[] HugeAddresses =>
        [.. Enumerable.Range(0, (int)(Bytes / HugePageBytes)).Select(page => Address + page * (nint)HugePageBytes)];

    internal int Bind(NumaPlacement placement) => _range.Bind(0, Bytes, placement);

    internal int BindPages(int first, int count, NumaPlacement placement) =>
        _range.Bind((long)first * PageBytes, (long)count * PageBytes, placement);

    /// <summary>Writes each page with what only it holds.</summary>
    internal GuestMemory Touch(int seed = 0)
    {
        for (int page = 0; page < Pages; page++) *(long*)(Address + page * (nint)PageBytes) = Mark(page, seed);
        return this;
    }

    internal void ExpectContents(int seed, string when)
    {
        for (int page = 0; page < Pages; page++)
            Expect.Equal(*(long*)(Address + page * (nint)PageBytes), Mark(page, seed), $"page {page} {when}");
    }

    /// <summary>Where each page is.</summary>
    internal int[] Nodes()
    {
        int[] statuses = new int[Pages];
        Expect.Equal(NumaSystem.OfThisMachine.Query(0, Addresses, statuses), 0, "error of the query");
        return statuses;
    }

    public void Dispose()
    {
        _range.Dispose();
        Expect.Equal(_meter.OutstandingBytes, 0, "native bytes after dispose");
    }

    private static long Mark(int page, int seed) => (long)page << 32 | (uint)(seed ^ page * 31);
}
