// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Reports;

/// <summary>
/// The study for scripts: JSON objects, one a line. Each part begins with a line of kind <c>part</c> that has its command
/// line; behind it are the lines that this command prints with <c>--json</c>, without those members that differ from run
/// to run (seconds, requests a second). At the end the sentences of the summary. So the same seed gives the same bytes.
/// </summary>
public static class StudyLines
{
    /// <summary>Bytes of a page in the curves' sizes.</summary>
    internal const int PageBytes = 4096;

    /// <summary>All lines, without their ends.</summary>
    /// <param name="parts">The finished parts, in the order of the study.</param>
    public static IEnumerable<string> Of(IReadOnlyList<StudyPart> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        foreach (StudyPart part in parts)
        {
            yield return JsonLine.Of(json =>
            {
                json.WriteString("kind", "part");
                json.WriteString("name", part.Name);
                json.WriteString("command", part.CommandLine);
            });
            foreach (string line in OfPart(part)) yield return line;
        }

        foreach (string sentence in StudySummary.Sentences(parts))
        {
            yield return JsonLine.Of(json =>
            {
                json.WriteString("kind", "summary");
                json.WriteString("text", sentence);
            });
        }
    }

    private static IEnumerable<string> OfPart(StudyPart part)
    {
        foreach (Replay.ReplayResult result in part.Replays) yield return JsonLines.Format(result, withTimes: false);
        foreach (string line in part.Curves.SelectMany(curve => CurveJson.Lines(curve, PageBytes, withTimes: false)))
            yield return line;
        foreach (string line in part.Scenarios.SelectMany(ScenarioText.JsonLines)) yield return line;
        if (part.Flipping is null) yield break;
        foreach (string line in FlipLines.All(part.Flipping, part.Flips, part.FlipSensitivities)) yield return line;
    }
}
