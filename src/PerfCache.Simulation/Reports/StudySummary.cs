// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Scenarios;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// The study in a handful of sentences for somebody who decides and does not read tables: each has a number out of the
/// results and what it means. Where a part is missing, so are its sentences; where a result turns, so does the wording.
/// </summary>
public static class StudySummary
{
    /// <summary>The sentences.</summary>
    /// <param name="parts">The finished parts.</param>
    public static IReadOnlyList<string> Sentences(IReadOnlyList<StudyPart> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        StudyPart[] main = [.. parts.Where(part => !part.IsSensitivity)];
        List<string> sentences = [];
        AddPolicies(sentences, [.. main.SelectMany(part => part.Replays)]);
        AddCurve(sentences, main);
        foreach (ScenarioReport report in main.SelectMany(part => part.Scenarios)) AddScenario(sentences, report);
        AddFlipping(sentences, main);
        return sentences;
    }

    /// <summary>
    /// Each policy's misses over those of lru at the same size, as a mean over workloads and sizes; belady, which knows
    /// the future, is the floor and no candidate.
    /// </summary>
    private static void AddPolicies(List<string> sentences, ReplayResult[] replays)
    {
        const string Optimum = "belady";
        var means = replays.Where(one => one.Policy != "lru").GroupBy(one => one.Policy).Select(policy => (
            Name: policy.Key,
            OverLru: policy.Average(one => (double)one.Misses / Math.Max(1, replays.First(other => other.Policy == "lru"
                && other.Trace == one.Trace && other.Frames == one.Frames).Misses)))).OrderBy(one => one.OverLru).ToArray();
        if (means.Length == 0) return;
        var candidates = means.Where(one => one.Name != Optimum).ToArray();
        if (candidates.Length == 0) return;
        int traces = replays.Select(one => one.Trace).Distinct().Count();
        int sizes = replays.Select(one => (one.Trace, one.Frames)).Distinct().Count() / traces;
        string text = $"Which replacement policy: over {traces} built-in workloads at {sizes} cache sizes, {candidates[0].Name} "
            + $"misses least, on average {Change(candidates[0].OverLru)} than lru, the textbook's policy";
        if (means.FirstOrDefault(one => one.Name == Optimum) is { Name: not null } best)
            text += $"; knowing the future would give {Change(best.OverLru)}, which no real policy can pass";
        if (candidates.FirstOrDefault(one => one.Name == "linux-6") is { Name: not null } linux
            && linux.Name != candidates[0].Name)
            text += $". The Linux kernel's own policy (linux-6) has {Change(linux.OverLru)} than lru";
        sentences.Add(text + ". A miss is a trip to the disk, so these are the disk's work saved or added.");
    }

    private static void AddCurve(List<string> sentences, StudyPart[] parts)
    {
        if (parts.SelectMany(part => part.Curves).FirstOrDefault() is not { } curve) return;
        Curves.CurveKnee knee = curve.Knee(StudyLines.PageBytes);
        double share = (double)knee.FramesFor90 / Math.Max(1, curve.DistinctPages);
        sentences.Add($"How much cache: for the skewed workload, {CurveText.Size(knee.FramesFor90, StudyLines.PageBytes)} "
            + $"({Percent(share)} of all its data) give 90 % of the hits that any cache could give; "
            + $"{CurveText.Size(knee.Frames, StudyLines.PageBytes)} is where more memory begins to pay less.");
    }

    private static void AddScenario(List<string> sentences, ScenarioReport report)
    {
        ScenarioRows rows = new(report);
        switch (report.Scenario)
        {
            case "malloc":
                sentences.Add(Malloc(rows));
                sentences.Add(MallocForLong(rows));
                break;
            case "lender-resumes":
                sentences.Add(LenderResumes(rows));
                break;
            case "borrower-resumes":
                sentences.Add(BorrowerResumes(rows));
                break;
            case "concurrent":
                sentences.Add(Concurrent(rows));
                break;
            case "gain":
                sentences.Add(Gain(rows));
                break;
        }
    }

    private static string Malloc(ScenarioRows rows)
    {
        double lent = rows.Number("malloc", MallocScenario.PumaDirect, "slowdown");
        double balloon = rows.Number("malloc", MallocScenario.Balloon, "slowdown");
        return "Lending memory instead of ballooning (PUMA): when a server needs memory that a neighbour uses, a block of 8 "
            + $"MiB takes {Number(balloon)} times as long as from free memory if a balloon must move it, and {Number(lent)} times if "
            + $"the memory was lent, even where the server takes back every page itself. {Verdict(lent < balloon, "Lending", "Ballooning")}.";
    }

    private static string MallocForLong(ScenarioRows rows)
    {
        double steps = rows.Number("mallocLong", CrashScenario.Steps, "slowSeconds");
        double puma = rows.Number("mallocLong", "PUMA", "slowSeconds");
        double client = rows.Number("mallocLong", CrashScenario.Steps, "recoverySeconds");
        double pumaClient = rows.Number("mallocLong", "PUMA", "recoverySeconds");
        string killed = rows.Flag("mallocLong", CrashScenario.LittleSwap, "killed")
            ? " With little swap and balloons that come too late, the server's program is killed and does not recover." : "";
        return $"Over minutes: with ballooning by pressure the server is slow for {Seconds(steps)} and its neighbour "
            + $"{Recovered(client)}; with lent memory the server is {(puma == 0 ? "never slow" : "slow for " + Seconds(puma))} and the neighbour "
            + $"{Recovered(pumaClient)}.{killed}";
    }

    private static string LenderResumes(ScenarioRows rows)
    {
        double inactive = rows.Number("lenderResumes", "inactive-only", "overAlone");
        double integrated = rows.Number("lenderResumes", "integrated", "overAlone");
        string before = integrated < 0 || inactive < 0 ? "longer than the run" : $"{Number(integrated)} times as long";
        return $"Who lends is {(inactive is > 0 and < 1.05 ? "not slowed" : "slowed")}: a lender that comes back to work has its cache "
            + $"again after {Number(inactive)} times the time that it takes without lending; were lent pages treated as its own, it "
            + $"would take {before}.";
    }

    private static string BorrowerResumes(ScenarioRows rows)
    {
        double without = rows.Number("borrowerResumes", "not forced", "lentShare");
        double with = rows.Number("borrowerResumes", "forced", "lentShare");
        double detector = rows.Number("borrowerResumes", "forced, detector #3", "lentShare");
        double idleAware = rows.Number("borrowerResumes", "forced, idle-aware #3", "lentShare");
        return $"Idle memory gets used: after the lender has stopped, its neighbour gets {Percent(with)} of the idle memory "
            + $"with forced deactivation and {Percent(without)} without; with the detectors on it is {Percent(detector)}, "
            + $"because they take the neighbour's own pages for the lender's work, and {Percent(idleAware)} with our "
            + "idle-aware detector.";
    }

    private static string Concurrent(ScenarioRows rows)
    {
        double none = rows.Number("concurrent", "none", "overSolo", labelColumn: 2);
        double both = rows.Number("concurrent", "#3", "overSolo", labelColumn: 2);
        return $"Both busy: the lender keeps {Percent(both)} of its speed where activity detectors stop the lending in time, "
            + $"and {Percent(none)} without them.";
    }

    private static string Gain(ScenarioRows rows)
    {
        double Of(string disk) => rows.Number("gain", disk, "gain", labelColumn: 1);
        (string Name, double Gain)[] disks = [("a hard disk", Of("hdd")), ("an SSD", Of("ssd")),
            ("a fast SSD", Of("fast-ssd"))];
        string gains = string.Join(", ", disks.Select(disk => string.Create(
            CultureInfo.InvariantCulture, $"{disk.Gain:0.0} times the random reads with {disk.Name}")));
        string[] losers = [.. disks.Where(disk => disk.Gain < 1.05).Select(disk => disk.Name)];
        string end = losers.Length == 0 ? "" : $": over this network it does not pay with {string.Join(" and ", losers)}";
        return $"What borrowing brings: {gains}{end}.";
    }

    private static void AddFlipping(List<string> sentences, StudyPart[] parts)
    {
        FlipResult[] heap = [.. parts.SelectMany(part => part.Flips).Where(one => one.Placement == PlacementModel.Heap)];
        if (heap.FirstOrDefault(one => one.Remedy.Name == "naive") is not { } naive) return;
        string text = "Exchanging pages between virtual machines (flipping): handing received pages over without a copy moves "
            + $"{Percent(naive.RemoteShare)} of a virtual machine's memory ({CurveText.Size((long)(naive.RemoteShare * naive.GuestFrames), 4096)} of {CurveText.Size(naive.GuestFrames, 4096)}) "
            + $"to another NUMA node, and its memory-bound work loses {Percent(naive.LossAtEnd)} of its speed at the end";
        // A copy is no cure of flipping but its rival, and what is set up to fail is none either.
        FlipResult? cure = heap.Where(one => one.Remedy is { IsAblation: false, Delivery: DeliveryKindFlip } && one != naive)
            .OrderBy(one => one.LossMean).ThenBy(one => one.DeliveryNanos).FirstOrDefault();
        if (cure is not null)
        {
            text += $". The best cure found, {cure.Remedy.Name} ({cure.Remedy.Meaning}), keeps the remote part at no more than "
                + $"{Percent(cure.RemoteShareMax)} and the loss at {Percent(cure.LossMean)} on average";
        }

        sentences.Add(text + ".");
        if (parts.Select(part => part.Flipping).OfType<FlipScenario>().FirstOrDefault() is { } scenario)
            sentences.Add($"Copy or flip: {FlipText.Crossover(new DeliveryCosts(scenario.Parameters).CrossoverBytes())}.");
    }

    private const Policies.Flipping.DeliveryKind DeliveryKindFlip = Policies.Flipping.DeliveryKind.Flip;

    private static string Verdict(bool isFirst, string first, string second) => isFirst ? $"{first} wins" : $"{second} wins";

    private static string Seconds(double seconds) =>
        seconds < 0 ? "the whole run" : string.Create(CultureInfo.InvariantCulture, $"{seconds:0} s");

    private static string Recovered(double seconds) => seconds switch
    {
        < 0 => "is not as fast as before again within the run",
        0 => "is never slow",
        _ => string.Create(CultureInfo.InvariantCulture, $"needs {seconds:0} s to be as fast as before"),
    };

    private static string Change(double factor)
    {
        double change = (factor - 1) * 100;
        return string.Create(CultureInfo.InvariantCulture,
            $"{Math.Abs(change):0.0} % {(change <= 0 ? "fewer" : "more")} misses");
    }

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    private static string Percent(double share) => (share * 100).ToString("0.#", CultureInfo.InvariantCulture) + " %";
}
