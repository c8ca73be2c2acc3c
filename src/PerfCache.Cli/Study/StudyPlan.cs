// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Cli.Study;

/// <summary>
/// What the study consists of: command lines of this program. That every figure's command is true is thus no promise but
/// the way in which it was made. Long parts come first, so that at the end no processor waits for one of them.
/// </summary>
internal static class StudyPlan
{
    /// <summary>The scale of a quick study.</summary>
    public const double QuickScale = 4;

    private const string Policies = "linux-6,linux-3.15,lru,fifo,clock,sieve,s3fifo,arc,lirs,wtinylfu,belady";

    // PUMA's own default scale, and the largest that its machines allow.
    private const double PumaScale = 8;
    private const double PumaScaleMax = 64;

    // Above this the pools of the remedies no longer fit into the guests.
    private const double FlipScaleMax = 32;

    /// <summary>
    /// The parts, in the order in which they begin. Their weights are the seconds of processor time that they took at
    /// default scale; only the progress bar believes in them.
    /// </summary>
    /// <param name="scale">What everything is divided by, at least 1.</param>
    /// <param name="isQuick">Whether the halved and doubled parameters are few.</param>
    /// <param name="seed">Decides all chance.</param>
    public static IReadOnlyList<StudyStep> Of(double scale, bool isQuick, long seed)
    {
        long requests = (long)(2_000_000 / scale);
        long Pages(long pages) => Math.Max(100, (long)(pages / scale));
        // The detectors' answers depend on the scale most, and PUMA's runs take little; so they are divided by less.
        string puma = $"--scale {Text(Math.Clamp(PumaScale * scale / 2, PumaScale, PumaScaleMax))} --seed {seed}";
        string pumaSmall = $"--scale {Text(PumaScaleMax)} --seed {seed} --sensitivity";
        string kernels = isQuick ? "" : " --profile linux-3.15,linux-6";
        string flip = $"--scale {Text(Math.Min(Math.Floor(scale), FlipScaleMax))} --seed {seed} --no-sensitivity";
        string zipf = $"zipf:objects={Pages(100_000)},alpha=1.0,requests={requests},seed={seed}";
        List<StudyStep> steps =
        [
            Step("PUMA: malloc", 12, $"puma malloc {puma}{kernels}"),
            Step("PUMA: lender resumes", 6, $"puma lender-resumes {puma}{kernels}"),
            Step("PUMA: borrower resumes", 6, $"puma borrower-resumes {puma}{kernels}"),
            Step("PUMA: concurrent", 15, $"puma concurrent {puma}{kernels}"),
            Step("PUMA: gain", 10, $"puma gain {puma}"),
            Step("flipping, heap model", 22, $"flip --placement heap {flip}"),
            Step("flipping, swap model", 22, $"flip --placement swap {flip}"),
            Step("replay: zipf", 15, Replay(zipf)),
            Step("replay: scan and hot set", 15, Replay(
                $"scanhot:hot={Pages(50_000)},alpha=0.8,scanshare=0.35,requests={requests},seed={seed}")),
            Step("replay: shifting sets", 12, Replay(
                $"shift:objects={Pages(20_000)},alpha=0.8,period={requests / 5},requests={requests},seed={seed}")),
            Step("replay: loop", 12, Replay($"loop:objects={Pages(50_000)},requests={requests}")),
            Step("miss ratio curve", 5, $"mrc {zipf} --policy lru,linux-6 --points 24"),
            Step("sensitivity: malloc", 7, $"puma malloc {pumaSmall}") with { IsSensitivity = true },
        ];
        if (isQuick) return steps;
        (string Scenario, int Weight)[] sweeps = [("concurrent", 47), ("borrower-resumes", 15), ("lender-resumes", 14)];
        foreach ((string scenario, int weight) in sweeps)
        {
            StudyStep sweep = Step("sensitivity: " + scenario, weight, $"puma {scenario} {pumaSmall}");
            steps.Insert(0, sweep with { IsSensitivity = true });
        }

        StudyStep flipping = Step("sensitivity: flipping", 18,
            $"flip --remedy naive --placement heap --scale {Text(FlipScaleMax)} --seed {seed}");
        steps.Add(flipping with { IsSensitivity = true });
        return steps;
    }

    private static string Replay(string trace) => $"replay {trace} --policy {Policies} --size 1%,5%,10%,25%";

    private static StudyStep Step(string name, double weight, string line) => new()
    {
        Name = name,
        Weight = weight,
        Arguments = line.Split(' ', StringSplitOptions.RemoveEmptyEntries),
    };

    private static string Text(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);
}
