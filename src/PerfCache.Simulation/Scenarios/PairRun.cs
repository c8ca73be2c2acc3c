// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>What is on and off in a run of a lender and a borrower.</summary>
internal sealed record PairOptions
{
    public required string Name { get; init; }

    public KernelProfile Profile { get; init; }

    public bool Lends { get; init; } = true;

    public ActivitySigns Signs { get; init; } = ActivitySigns.Both;

    public bool CountsAnyRefault { get; init; }

    public bool IsIdleAware { get; init; }

    public bool LentStayInactive { get; init; } = true;

    public bool Forces { get; init; } = true;

    public long QuotaPages { get; init; }

    /// <summary>Pages of the lender's programs from the start.</summary>
    public uint AnonymousPages { get; init; }

    public DiskKind? Disk { get; init; }

    public LendingStrategy Strategy { get; init; }

    public SequentialFilterOptions Filter { get; init; } = new();

    public bool ReclaimsInBackground { get; init; } = true;
}

/// <summary>The slides' two machines: a lender and a borrower, and the programs that run on them.</summary>
internal sealed class PairRun : IDisposable
{
    /// <summary>Times are told to this many samples a run.</summary>
    internal static readonly long SampleNanos = VirtualClock.Second;

    internal PairRun(ScenarioOptions scenario, PairOptions options)
    {
        Scenario = scenario;
        Options = options;
        ParameterSet parameters = scenario.Scaled;
        Room = new MachineRoom(parameters, scenario.Seed);
        DiskKind disk = options.Disk ?? scenario.Disk;
        Lender = Room.Add(new MachineOptions
        {
            Name = "lender",
            MemoryPages = scenario.Pages("lender-mib"),
            AnonymousPages = options.AnonymousPages,
            Profile = options.Profile,
            Scale = scenario.Scale,
            Disk = disk,
            SwapPages = scenario.Pages("lender-mib") / 4,
            ReclaimsInBackground = options.ReclaimsInBackground,
        });
        Borrower = Room.Add(new MachineOptions
        {
            Name = "borrower",
            MemoryPages = scenario.Pages("borrower-mib"),
            Profile = options.Profile,
            Scale = scenario.Scale,
            Disk = disk,
        });
        Lender.Watch.LentStayInactive = options.LentStayInactive;
        Lender.Watch.ForcesDeactivation = options.Forces;
        if (!options.Lends) return;
        Room.Lend(
            Lender, Borrower, LenderOptionsOf(parameters, options), BorrowerOptionsOf(parameters, options),
            options.QuotaPages);
    }

    internal ScenarioOptions Scenario { get; }

    internal PairOptions Options { get; }

    internal MachineRoom Room { get; }

    internal Machine Lender { get; }

    internal Machine Borrower { get; }

    internal uint LenderPages => Lender.Options.MemoryPages;

    internal uint BorrowerPages => Borrower.Options.MemoryPages;

    /// <summary>Times that lending was suspended.</summary>
    internal long Suspensions => Lender.Lender?.Journal.Total(PumaEventKind.Suspended) ?? 0;

    /// <summary>When lending was suspended first from a time on, in seconds since then; -1 for never.</summary>
    internal double FirstSuspension(long fromNanos)
    {
        if (Lender.Lender is null) return -1;
        foreach (PumaEvent one in Lender.Lender.Journal.Events)
        {
            if (one.Kind == PumaEventKind.Suspended && one.FirstTicks >= fromNanos)
                return VirtualClock.ToSeconds(one.FirstTicks - fromNanos);
        }

        return -1;
    }

    /// <summary>The part of the time in which lending was suspended.</summary>
    internal double SuspendedShare(long fromNanos)
    {
        if (Lender.Lender is null) return 0;
        long now = Room.Queue.NowNanos;
        long sum = Lender.Lender.Journal.SuspendedIntervals(now)
            .Sum(one => Math.Max(0, one.ToTicks - Math.Max(one.FromTicks, fromNanos)));
        return (double)sum / (now - fromNanos);
    }

    internal IEnumerable<MachineTimeline> Timelines() => Room.Series.Select(series => new MachineTimeline(
        Options.Name, series.Machine.Options.Name, 4096 * Scenario.Scale, VirtualClock.ToSeconds(SampleNanos),
        series.Samples,
        series.Machine.Lender is { } lender
            ? [.. lender.Journal.SuspendedIntervals(Room.Queue.NowNanos).Select(
                one => (VirtualClock.ToSeconds(one.FromTicks), VirtualClock.ToSeconds(one.ToTicks)))]
            : []));

    internal IEnumerable<DecisionList> Decisions()
    {
        foreach (Machine machine in Room.Machines)
        {
            if (machine.Lender is { } lender) yield return new(Options.Name, machine.Options.Name, lender.Journal);
            if (machine.Borrower is { } borrower) yield return new(Options.Name, machine.Options.Name, borrower.Journal);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Room.Dispose();

    internal static string NameOf(KernelProfile profile) =>
        profile == KernelProfile.Linux315 ? "linux-3.15" : "linux-6";

    internal static string NameOf(DiskKind disk) => disk switch
    {
        DiskKind.Hdd => "hdd",
        DiskKind.Ssd => "ssd",
        _ => "fast-ssd",
    };

    internal static PumaLenderOptions LenderOptionsOf(ParameterSet parameters, PairOptions options) => new()
    {
        Strategy = options.Strategy,
        Detector = new DetectorOptions
        {
            Signs = options.Signs,
            CountsAnyRefault = options.CountsAnyRefault,
            IsIdleAware = options.IsIdleAware,
            SuspendTime = TimeSpan.FromSeconds(parameters.Value("suspend-s")),
        },
    };

    internal static BorrowerOptions BorrowerOptionsOf(ParameterSet parameters, PairOptions options) => new()
    {
        Strategy = options.Strategy,
        Filter = options.Filter,
        PagesPerMessage = (int)parameters.Whole("message-pages"),
        SendPoolPages = (int)parameters.Whole("send-pool"),
        GetTimeout = TimeSpan.FromMilliseconds(parameters.Value("get-timeout-ms")),
    };
}
