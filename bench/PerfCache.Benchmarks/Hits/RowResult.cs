// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.Json;

namespace PerfCache.Benchmarks.Hits;

/// <summary>What a row compares, and what it should show.</summary>
/// <param name="Name">The name by which it is asked for.</param>
/// <param name="Text">What is done, by how many threads, against what.</param>
/// <param name="Target">The greatest ratio wanted (the least, for scaling), or null where none is set.</param>
/// <param name="Measure">Makes what it needs, measures, and frees it.</param>
internal sealed record Row(string Name, string Text, double? Target, Func<HitScale, RowResult> Measure);

/// <summary>How large and how long.</summary>
internal sealed record HitScale(
    int Pages, int ColdPages, int InsertFrames, int MixFrames, int WarmRequests, int Operations, int Pairs, int WarmUps)
{
    internal static HitScale Full => new(1_000_000, 400_000, 100_000, 100_000, 4_000_000, 2_000_000, 9, 3);

    internal static HitScale Quick => new(200_000, 50_000, 25_000, 25_000, 1_000_000, 500_000, 7, 3);
}

/// <summary>What a row found.</summary>
/// <param name="Ratio">Median.</param>
/// <param name="RatioMin">Least.</param>
/// <param name="RatioMax">Greatest.</param>
/// <param name="Rival">The rival's nanoseconds an operation.</param>
/// <param name="Candidate">The cache's.</param>
/// <param name="Cores">Cores in use at a time.</param>
/// <param name="Note">What else is to be said.</param>
/// <param name="Failure">What must not be: an allocation, a collection, a wrong hit ratio; or null.</param>
/// <param name="MoreIsBetter">True for scaling.</param>
internal sealed record RowResult(
    double Ratio, double RatioMin, double RatioMax, double Rival, double Candidate, double Cores, string Note = "",
    string? Failure = null, bool MoreIsBetter = false)
{
    internal static RowResult Of(PairedResult paired, string note = "", string? failure = null) => new(
        paired.Ratio.Median, paired.Ratio.Min, paired.Ratio.Max, paired.RivalNanos.Median,
        paired.CandidateNanos.Median, paired.Cores, note, failure);

    internal bool? Meets(double? target) => target is null ? null : MoreIsBetter ? Ratio >= target : Ratio <= target;

    internal string ToText(Row row) => string.Create(CultureInfo.InvariantCulture,
        $"{row.Name,-18} {Ratio,6:F2} ({RatioMin:F2} to {RatioMax:F2}) {TargetText(row),-18} {Candidate,8:F1} {Rival,8:F1}  "
        + $"{Cores:F1}  {row.Text}{(Note.Length > 0 ? "; " : "")}{Note}{(Failure is null ? "" : "; FAILED: " + Failure)}");

    internal string ToJson(Row row) => JsonSerializer.Serialize(new
    {
        row = row.Name,
        ratio = Ratio,
        min = RatioMin,
        max = RatioMax,
        target = row.Target,
        met = Meets(row.Target),
        nanos = Candidate,
        rivalNanos = Rival,
        cores = Cores,
        text = row.Text,
        note = Note,
        failure = Failure,
    });

    private string TargetText(Row row)
    {
        if (row.Target is not double target) return "";
        string verdict = Meets(target) == true ? "met" : "not met";
        return string.Create(CultureInfo.InvariantCulture, $"{(MoreIsBetter ? ">=" : "<=")} {target:F2} {verdict}");
    }
}
