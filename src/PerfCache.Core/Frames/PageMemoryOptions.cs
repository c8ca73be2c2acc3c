// SPDX-License-Identifier: MIT
namespace PerfCache.Frames;

/// <summary>What the page data of a frame lies in. A frame never changes its kind.</summary>
public enum PageMemoryKind
{
    /// <summary>Private memory, in huge pages where the system grants them: the ordinary cache.</summary>
    Resident,

    /// <summary>
    /// Private memory in ordinary pages, which the system may be allowed to take frame by frame while it is lent.
    /// </summary>
    Lendable,

    /// <summary>A file in memory, which other processes can map.</summary>
    Shared,
}

/// <summary>Whether page data asks for huge pages.</summary>
public enum HugePageUse
{
    /// <summary>Ordinary pages, also on a system that would give huge ones unasked.</summary>
    Never,

    /// <summary>Huge pages where the system has them: fewer misses of the address translation, a coarser grain.</summary>
    Advise,

    /// <summary>
    /// Huge pages that the administrator has set aside (hugetlb, /proc/sys/vm/nr_hugepages) for whole blocks of 2 MiB;
    /// <see cref="Advise"/> for the rest, and for all where too few are left. Backed when frames are made usable, and
    /// never given back before the end: discarded frames stay charged. For resident page data.
    /// </summary>
    Pool,
}

/// <summary>How page data is mapped. What is left out follows the kind.</summary>
public sealed record PageMemoryOptions
{
    /// <summary>What the page data lies in.</summary>
    public PageMemoryKind Kind { get; init; } = PageMemoryKind.Resident;

    /// <summary>Huge pages; by default advised for resident and shared page data, and never for lendable.</summary>
    public HugePageUse? HugePages { get; init; }

    /// <summary>
    /// True when a child process does not get the page data; by default for lendable, whose pages could otherwise not
    /// be taken while a child holds them too. Never for shared, which is there to be held by several.
    /// </summary>
    public bool? DontFork { get; init; }

    /// <summary>True to leave the page data out of core dumps; by default for lendable.</summary>
    public bool? DontDump { get; init; }

    internal bool AdviseHugePages => (HugePages ?? DefaultHugePages) is HugePageUse.Advise or HugePageUse.Pool;

    internal bool UsesHugePool => HugePages == HugePageUse.Pool;

    internal bool AdviseDontFork => DontFork ?? Kind == PageMemoryKind.Lendable;

    internal bool AdviseDontDump => DontDump ?? Kind == PageMemoryKind.Lendable;

    private HugePageUse DefaultHugePages =>
        Kind == PageMemoryKind.Lendable ? HugePageUse.Never : HugePageUse.Advise;

    /// <summary>Fails unless the options go together.</summary>
    /// <exception cref="ArgumentException">They do not; the message says which and what to do.</exception>
    internal void CheckConsistent()
    {
        if (Kind is not (PageMemoryKind.Resident or PageMemoryKind.Lendable or PageMemoryKind.Shared))
            throw new ArgumentException($"page memory: {(int)Kind} is not a kind; use a value of PageMemoryKind");
        if (Kind == PageMemoryKind.Lendable && AdviseHugePages)
        {
            throw new ArgumentException(
                "page memory: lendable page data cannot be in huge pages, because it is taken frame by frame; "
                + "leave HugePages out, or use the resident kind");
        }

        if (Kind == PageMemoryKind.Shared && UsesHugePool)
        {
            throw new ArgumentException(
                "page memory: shared page data is a file in memory, which has no pages of the huge page pool; "
                + "use HugePageUse.Advise, or the resident kind");
        }

        if (Kind == PageMemoryKind.Shared && AdviseDontFork)
        {
            throw new ArgumentException(
                "page memory: shared page data is for other processes too, so a child must get it; leave DontFork out");
        }
    }
}
