// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Reports;

namespace PerfCache.Cli;

/// <summary>
/// The curves of a trace as a table, a row a size and a column a policy, with what they suggest in words below.
/// </summary>
internal static class MrcTable
{
    /// <summary>Writes a line of facts, the table and a few sentences a policy.</summary>
    public static void Write(TextWriter writer, bool isTerminal, IReadOnlyList<MissRatioCurve> curves, int pageBytes)
    {
        MissRatioCurve first = curves[0];
        string distinct = (first.SampleRate < 1 ? "about " : "") + ReplayTable.Number(first.DistinctPages);
        writer.WriteLine($"{first.Trace}: {ReplayTable.Number(first.Requests)} requests, {distinct} distinct pages of "
            + $"{ReplayTable.Number(pageBytes)} bytes, {ReplayTable.Fixed(first.ReadSeconds, "0.00")} s to read"
            + (curves.All(curve => curve.Complete) ? "" : " (incomplete: stopped here)"));
        List<string> columns = ["frames", "bytes", "of pages"];
        columns.AddRange(curves.Select(curve => curve.Policy + (curve.Complete ? "" : " (incomplete)")));
        ReplayTable.WriteRows(writer, isTerminal, columns, Rows(curves, pageBytes));
        foreach (MissRatioCurve curve in curves)
            foreach (string sentence in CurveText.Sentences(curve, pageBytes)) writer.WriteLine(sentence);
    }

    private static IEnumerable<string[]> Rows(IReadOnlyList<MissRatioCurve> curves, int pageBytes)
    {
        MissRatioCurve first = curves[0];
        for (int i = 0; i < first.Points.Count; i++)
        {
            long frames = first.Points[i].Frames;
            yield return
            [
                ReplayTable.Number(frames),
                CurveText.Size(frames, pageBytes),
                ReplayTable.Fixed(100.0 * frames / Math.Max(1, first.DistinctPages), "0.00") + "%",
                .. curves.Select(curve => ReplayTable.Fixed(100 * curve.Points[i].MissRatio, "0.000") + "%"),
            ];
        }
    }
}
