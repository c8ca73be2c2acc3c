// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Lending;

/// <summary>
/// Reads what Linux tells of memory pressure: the machine's counters, and those of this process's control group where it
/// has one. Each source is optional.
/// </summary>
/// <remarks>
/// <code>
/// signal        control group            machine
/// refaults      memory.stat              /proc/vmstat            workingset_activate_file
/// deactivation  memory.stat              /proc/vmstat            pgdeactivate
/// stalls        memory.pressure          /proc/pressure/memory   some total
/// limits        memory.events            -                       high, max, oom; memory.failcnt in version 1
/// sizes         memory.max, .current     /proc/meminfo           MemAvailable, MemFree, MemTotal
/// </code>
/// Counters of the control group and of the machine are added: pressure on either takes memory from the owner. But a
/// group that is full says nothing of the machine: what the machine's counters grow by while it has plenty free is
/// somebody else's business and is left out. A kernel with multi-generation lists counts no deactivations; refaults and stalls then speak alone. Older kernels name the
/// refault counter without its ending.
/// </remarks>
internal sealed class PressureReader : IDisposable
{
    private readonly CounterFile? _vmstat;
    private readonly CounterFile? _meminfo;
    private readonly CounterFile? _stalls;
    private readonly CounterFile? _groupStat;
    private readonly CounterFile? _groupEvents;
    private readonly CounterFile? _groupFailures;
    private readonly CounterFile? _groupStalls;
    private readonly CounterFile? _groupMax;
    private readonly CounterFile? _groupCurrent;
    private readonly double _gateFreeShare;
    private GatedCount _machineRefaults;
    private GatedCount _machineDeactivations;

    /// <summary>Opens what there is.</summary>
    /// <param name="root">The folder that has proc and sys.</param>
    /// <param name="gateFreeShare">The machine's counters count while less than this part of its memory is free.</param>
    internal PressureReader(string root = "/", double gateFreeShare = 0.10)
    {
        _gateFreeShare = gateFreeShare;
        string proc = Path.Combine(root, "proc");
        _vmstat = CounterFile.TryOpen(Path.Combine(proc, "vmstat"));
        _meminfo = CounterFile.TryOpen(Path.Combine(proc, "meminfo"));
        _stalls = CounterFile.TryOpen(Path.Combine(proc, "pressure", "memory"));
        if (GroupFolder(root) is not { } group) return;
        _groupStat = CounterFile.TryOpen(Path.Combine(group, "memory.stat"));
        _groupEvents = CounterFile.TryOpen(Path.Combine(group, "memory.events"));
        _groupFailures = CounterFile.TryOpen(Path.Combine(group, "memory.failcnt"));
        _groupStalls = CounterFile.TryOpen(Path.Combine(group, "memory.pressure"));
        _groupMax = CounterFile.TryOpen(Path.Combine(group, "memory.max"))
            ?? CounterFile.TryOpen(Path.Combine(group, "memory.limit_in_bytes"));
        _groupCurrent = CounterFile.TryOpen(Path.Combine(group, "memory.current"))
            ?? CounterFile.TryOpen(Path.Combine(group, "memory.usage_in_bytes"));
    }

    /// <summary>The files that tell something, for whoever wants to know what is relied on.</summary>
    internal IReadOnlyList<string> Sources =>
        [.. Files.OfType<CounterFile>().Select(file => file.Path)];

    /// <summary>What is missing, and what is done without it.</summary>
    internal IReadOnlyList<string> FallBacks
    {
        get
        {
            List<string> missing = [];
            if (_vmstat is null && _groupStat is null) missing.Add("no refault and deactivation counters");
            else if (Deactivations(_vmstat) is null && Deactivations(_groupStat) is null) missing.Add("no deactivation counter (multi-generation lists)");
            if (_stalls is null && _groupStalls is null) missing.Add("no stall times (PSI)");
            if (_groupEvents is null && _groupFailures is null) missing.Add("no events of a control group");
            if (_meminfo is null) missing.Add("no sizes: the floor of free memory is not watched");
            return missing;
        }
    }

    /// <summary>Reads everything once.</summary>
    internal PressureSample Read(long nowTicks)
    {
        foreach (CounterFile? file in Files) file?.TryRefresh();
        long? total = Kibibytes("MemTotal"u8);
        long? available = Kibibytes("MemAvailable"u8);
        long? free = Kibibytes("MemFree"u8);
        bool isTight = free is null || total is null || free < total * _gateFreeShare;
        _machineRefaults.Take(Refaults(_vmstat), isTight);
        _machineDeactivations.Take(Deactivations(_vmstat), isTight);
        if (_groupMax?.Single is { } limit && _groupCurrent?.Single is { } used && limit < (total ?? long.MaxValue))
        {
            // What a group may still have counts as free there; file pages that it could drop make up the rest.
            long left = Math.Max(0, limit - used);
            long droppable = _groupStat?.Find("inactive_file"u8) ?? 0;
            total = limit;
            free = Math.Min(free ?? long.MaxValue, left);
            available = Math.Min(available ?? long.MaxValue, left + droppable);
        }

        return new PressureSample
        {
            NowTicks = nowTicks,
            TotalBytes = total,
            AvailableBytes = available,
            FreeBytes = free,
            ActivatingRefaults = Sum(_machineRefaults.Count, Refaults(_groupStat)),
            Deactivations = Sum(_machineDeactivations.Count, Deactivations(_groupStat)),
            StallMicros = Sum(SomeTotal(_stalls), SomeTotal(_groupStalls)),
            LimitEvents = Sum(
                Sum(_groupEvents?.Find("high"u8), _groupEvents?.Find("max"u8)),
                Sum(_groupEvents?.Find("oom"u8), _groupFailures?.Single)),
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CounterFile? file in Files) file?.Dispose();
    }

    private CounterFile?[] Files =>
    [
        _vmstat, _meminfo, _stalls, _groupStat, _groupEvents, _groupFailures, _groupStalls, _groupMax, _groupCurrent,
    ];

    private static long? Deactivations(CounterFile? file) => file?.Find("pgdeactivate"u8);

    private static long? Refaults(CounterFile? file) =>
        file?.Find("workingset_activate_file"u8) ?? file?.Find("workingset_activate"u8);

    // The first line of a pressure file is "some avg10=... total=N".
    private static long? SomeTotal(CounterFile? file) => file?.Find("total"u8);

    private long? Kibibytes(ReadOnlySpan<byte> name) => _meminfo?.Find(name) * 1024;

    private static long? Sum(long? left, long? right) =>
        left is null && right is null ? null : (left ?? 0) + (right ?? 0);

    private static string? GroupFolder(string root)
    {
        try
        {
            foreach (string line in File.ReadLines(Path.Combine(root, "proc", "self", "cgroup")))
            {
                string[] parts = line.Split(':', 3);
                if (parts.Length != 3) continue;
                string group = parts[2].TrimStart('/');
                string folder = parts[0] == "0" && parts[1].Length == 0
                    ? Path.Combine(root, "sys", "fs", "cgroup", group)
                    : parts[1].Split(',').Contains("memory")
                        ? Path.Combine(root, "sys", "fs", "cgroup", "memory", group)
                        : "";
                if (folder.Length > 0 && File.Exists(Path.Combine(folder, "memory.stat"))) return folder;
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // No control groups here.
        }

        return null;
    }

    /// <summary>A counter that grows only while somebody listens to it.</summary>
    private struct GatedCount
    {
        private long? _seen;

        internal long? Count { get; private set; }

        internal void Take(long? now, bool listens)
        {
            if (now is null) return;
            if (Count is null) Count = now;
            else if (listens && _seen is { } before) Count += Math.Max(0, now.Value - before);
            _seen = now;
        }
    }
}
