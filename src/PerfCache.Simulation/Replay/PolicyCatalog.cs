// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Simulation.Replay;

/// <summary>The policies by name. Immutable: adding one makes another catalogue.</summary>
public sealed class PolicyCatalog
{
    private const string ReclaimHelp = "pages a reclaim call wants to free, 1 to 1024 (32)";
    private const string LinuxNote = "clean page reads";

    private readonly PolicyEntry[] _entries;

    private PolicyCatalog(PolicyEntry[] entries)
    {
        _entries = entries;
        Names = Array.ConvertAll(entries, entry => entry.Name);
    }

    /// <summary>The policies that come with PerfCache.</summary>
    public static PolicyCatalog BuiltIn { get; } = new(
    [
        PolicyEntry.ForFlagRules("fifo", "first in, first out", _ => new Fifo()),
        PolicyEntry.ForListRules("lru", "least recently used", _ => new Lru()),
        PolicyEntry.ForFlagRules("clock", "first in, first out, but used pages get another round", _ => new Clock()),
        PolicyEntry.ForFlagRules("sieve", "a hand takes out what was not used; survivors stay in place", _ => new Sieve()),
        S3FifoEntry(),
        TwoQEntry(),
        PolicyEntry.ForListRules("arc", "adaptive replacement cache: recency against frequency, by ghosts", _ => new Arc()),
        LirsEntry(),
        PolicyEntry.ForListRules("lfu", "least frequently used since it came in", _ => new Lfu()),
        WTinyLfuEntry(),
        PolicyEntry.ForClairvoyantRules(
            "belady", "the furthest next use goes (knows the future)", (_, nextUses) => new Belady(nextUses)),
        Linux<Linux315>("linux-3.15", $"classic two-list LRU of Linux 3.15, {LinuxNote}"),
        Linux<Linux6>("linux-6", $"classic two-list LRU of Linux 6.x (no MGLRU, no kswapd), {LinuxNote}"),
    ]);

    /// <summary>The policies, in the order in which help lists them.</summary>
    public IReadOnlyList<PolicyEntry> Entries => _entries;

    /// <summary>The names, in the order in which help lists them.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The names of the policies that run live.</summary>
    public IEnumerable<string> LiveNames => _entries.Where(entry => entry.RunsLive).Select(entry => entry.Name);

    /// <summary>A catalogue with one policy more.</summary>
    /// <exception cref="ArgumentException">There is a policy of this name.</exception>
    public PolicyCatalog With(PolicyEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (Names.Contains(entry.Name)) throw new ArgumentException($"policy '{entry.Name}' exists", nameof(entry));
        return new([.. _entries, entry]);
    }

    /// <summary>Checks a policy's name and parameters without making a cell.</summary>
    /// <returns>The policy's entry.</returns>
    /// <exception cref="FormatException">The name is not known, a parameter is not one of the policy's, or its value
    /// makes no sense.</exception>
    public PolicyEntry Check(PolicySpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        PolicyEntry entry = Array.Find(_entries, entry => entry.Name == spec.Name)
            ?? throw new FormatException($"policy '{spec.Text}' is not known; choose from {string.Join(", ", Names)}");
        entry.CheckParameters(spec);
        return entry;
    }

    /// <summary>Checks a policy that is to run live.</summary>
    /// <returns>The policy's entry.</returns>
    /// <exception cref="FormatException">As <see cref="Check"/>, or the policy cannot run live.</exception>
    public PolicyEntry CheckLive(PolicySpec spec)
    {
        PolicyEntry entry = Check(spec);
        if (entry.RunsLive) return entry;
        throw new FormatException(
            $"policy '{spec.Text}' moves pages on every hit, under a lock that the live cache does not take; "
            + $"choose from {string.Join(", ", LiveNames)}, or replay without --live");
    }

    /// <summary>How a policy wants pages numbered.</summary>
    /// <exception cref="FormatException">As <see cref="Check"/>.</exception>
    public PageNumbering Numbering(PolicySpec spec) => Check(spec).Numbering;

    /// <summary>Makes a cell of <paramref name="frames"/> frames.</summary>
    /// <exception cref="FormatException">As <see cref="Check"/>, or the number of frames is out of range.</exception>
    /// <exception cref="Memory.NativeMemoryException">The memory cannot be had.</exception>
    public ReplayCell Create(PolicySpec spec, long frames)
    {
        PolicyEntry entry = Check(spec);
        if (frames < 1 || frames > FrameId.CountMax)
            throw new FormatException($"policy '{spec.Text}': {frames} frames are out of range (1 to {FrameId.CountMax})");
        return entry.CreateCell(spec, (uint)frames);
    }

    private static PolicyEntry S3FifoEntry() => PolicyEntry.ForFlagRules(
        "s3fifo", "a small queue filters out what is used once",
        spec => new S3Fifo(
            spec.GetDouble("small", S3Fifo.SmallDefault, 0, 1),
            spec.GetDouble("ghost", S3Fifo.GhostDefault, 0, S3Fifo.GhostMax),
            spec.GetInt32("move", S3Fifo.MoveDefault, 1, S3Fifo.MarkMax)),
        [
            new("small", "part of the frames for pages on trial, 0 to 1 (0.1)"),
            new("ghost", $"pages remembered after eviction, as a part of the frames, 0 to {S3Fifo.GhostMax} (0.9)"),
            new("move", $"hits that end the trial, 1 to {S3Fifo.MarkMax} (2)"),
        ]);

    private static PolicyEntry TwoQEntry() => PolicyEntry.ForListRules(
        "2q", "2Q, full version: pages must come back to stay",
        spec => new TwoQ(
            spec.GetDouble("in", TwoQ.InShareDefault, 0, 1), spec.GetDouble("out", TwoQ.OutShareDefault, 0, 100)),
        [new("in", "share of the frames for pages seen once, 0 to 1 (0.25)"),
            new("out", "ghosts, as a share of the frames, 0 to 100 (0.5)")]);

    private static PolicyEntry LirsEntry() => PolicyEntry.ForListRules(
        "lirs", "low inter-reference recency set",
        spec => new Lirs(
            spec.GetDouble("hir", Lirs.HirShareDefault, 0, 1), spec.GetDouble("stack", Lirs.StackShareDefault, 1, 100)),
        [new("hir", "share of the frames for pages on trial, 0 to 1 (0.01)"),
            new("stack", "pages remembered, as a multiple of the frames, 1 to 100 (2)")]);

    private static PolicyEntry WTinyLfuEntry()
    {
        WTinyLfuOptions usual = new();
        return PolicyEntry.ForListRules(
            "wtinylfu", "W-TinyLFU: a page must be used more often than the one it displaces",
            spec => new WTinyLfu(new WTinyLfuOptions
            {
                WindowShare = spec.GetDouble("window", usual.WindowShare, 0, 1),
                ProtectedShare = spec.GetDouble("protected", usual.ProtectedShare, 0, 1),
                Sample = spec.GetDouble("sample", usual.Sample, 1, WTinyLfuOptions.SampleMax),
                Doorkeeper = spec.GetBoolean("doorkeeper", usual.Doorkeeper),
                Adaptive = spec.GetBoolean("adaptive", usual.Adaptive),
                Step = spec.GetDouble("step", usual.Step, 0, 1),
            }),
            [new("window", "share of the frames for new pages, 0 to 1 (0.01)"),
                new("protected", "share of the rest for pages used again there, 0 to 1 (0.8)"),
                new("sample", "uses a frame until counters are halved, and in an epoch of the adaptive window (10)"),
                new("doorkeeper", "true to keep first uses out of the counters (false)"),
                new("adaptive", "true to let the window's size follow the hit ratio (false)"),
                new("step", "share of the frames by which the adaptive window moves, 0 to 1 (0.0625)")]);
    }

    private static PolicyEntry Linux<TProfile>(string name, string summary) where TProfile : struct, ILinuxProfile
    {
        const int Max = LinuxRules<TProfile>.BatchMax;
        int batch = TProfile.CpuBatchDefault;
        return PolicyEntry.ForFlagRules(
            name, summary,
            spec => new LinuxRules<TProfile>(
                spec.GetInt32("reclaim", LinuxRules<TProfile>.ReclaimBatchDefault, 1, Max),
                spec.GetInt32("batch", batch, 1, Max)),
            [new("reclaim", ReclaimHelp), new("batch", $"pages of a per-CPU batch, 1 (none) to {Max} ({batch})")],
            PageNumbering.PerLeaf);
    }
}
