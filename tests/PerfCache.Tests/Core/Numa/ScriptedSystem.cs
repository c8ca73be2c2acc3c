// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Numa;

/// <summary>A system whose moves say and do what a test tells them, over a table of pages.</summary>
internal sealed class ScriptedSystem : INumaSystem
{
    internal const int Page = 4096;
    internal const int HugePage = 2 * 1024 * 1024;

    /// <summary>Where each page is, by its address; what is not here was never touched.</summary>
    internal Dictionary<nint, int> NodeOfPage { get; } = [];

    /// <summary>The first addresses of huge pages: a page of theirs moves all.</summary>
    internal HashSet<nint> HugePages { get; } = [];

    /// <summary>For each address that is to be moved: what is said, and whether it is done. By default it is both.
    /// </summary>
    internal Func<nint, int, (int Status, bool IsMoved)> OnMove { get; set; } = (_, target) => (target, true);

    /// <summary>The error number of the calls.</summary>
    internal int Error { get; set; }

    /// <summary>Addresses of each call so far.</summary>
    internal List<nint[]> Calls { get; } = [];

    public string? Reason => null;

    public int PageBytes => Page;

    internal ScriptedSystem With(nint address, int pages, int node, bool hugePages = false)
    {
        for (int page = 0; page < pages; page++) NodeOfPage[address + page * Page] = node;
        for (int page = 0; hugePages && page < pages; page += 512) HugePages.Add(address + page * Page);
        return this;
    }

    public int Bind(nint address, long bytes, NumaPlacement placement) => Error;

    public int Query(int process, ReadOnlySpan<nint> addresses, Span<int> statuses)
    {
        for (int i = 0; i < addresses.Length; i++)
            statuses[i] = NodeOfPage.GetValueOrDefault(addresses[i], NumaStatus.NotTouched);
        return 0;
    }

    public int Move(ReadOnlySpan<nint> addresses, ReadOnlySpan<int> targets, Span<int> statuses)
    {
        Calls.Add(addresses.ToArray());
        if (Error != 0) return Error;
        for (int i = 0; i < addresses.Length; i++)
        {
            bool isThere = NodeOfPage.TryGetValue(addresses[i], out int node);
            (int status, bool isMoved) = !isThere ? (NumaStatus.NotTouched, false)
                : node < 0 ? (node, false) : OnMove(addresses[i], targets[i]);
            statuses[i] = status;
            if (!isMoved) continue;
            nint head = addresses[i] & ~(nint)(HugePage - 1);
            if (!HugePages.Contains(head)) NodeOfPage[addresses[i]] = targets[i];
            else With(head, 512, targets[i]);
        }

        return 0;
    }
}
