// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Reports;

/// <summary>Names of lines, at their ends or below, and bars.</summary>
public sealed partial class SvgPlot
{
    private const double BarHeight = 20;

    /// <summary>Names the lines at their ends, top to bottom in the order in which they end.</summary>
    private void DrawLabels(double right, Func<double, double> x, Func<double, double> y)
    {
        int[] order = [.. Enumerable.Range(0, _series.Count).Where(i => _series[i].Points.Count > 0)
            .OrderBy(i => y(_series[i].Points[^1].Y)).ThenBy(i => i)];
        double[] places = [.. order.Select(i => y(_series[i].Points[^1].Y))];
        Spread(places, Top + (LabelHeight / 2), _height - Bottom);
        for (int k = 0; k < order.Length; k++)
        {
            PlotPoint end = _series[order[k]].Points[^1];
            double at = right + 26;
            Add($"<g style=\"--c:{Colour(order[k])}\"><path class=\"leader\" d=\"M{x(end.X) + 7:0.#} {y(end.Y):0.#}");
            Add($"H{right + 2:0.#}L{right + 13:0.#} {places[k]:0.#}H{at - 8:0.#}\"/>");
            Add($"<path class=\"{MarkStyle(order[k])}\" transform=\"translate({at:0.#} {places[k]:0.#})\" d=\"{Marker(order[k])}\"/>");
            AddText("name", at + 10, places[k] + 4, "start", _series[order[k]].Name);
            _svg.Append("</g>\n");
        }
    }

    /// <summary>
    /// Moves ascending places apart until neighbours are a label's height away from one another: overlapping
    /// labels join a block, a block centres on the places that its labels want, and blocks that then touch
    /// join again.
    /// </summary>
    private static void Spread(double[] places, double min, double max)
    {
        List<(double Centre, int Count)> blocks = [];
        foreach (double place in places)
        {
            (double centre, int count) = (place, 1);
            while (blocks.Count > 0 && blocks[^1].Centre + ((blocks[^1].Count + count) * LabelHeight / 2) > centre)
            {
                (double above, int more) = blocks[^1];
                blocks.RemoveAt(blocks.Count - 1);
                centre = ((centre * count) + (above * more)) / (count + more);
                count += more;
            }

            double half = (count - 1) * LabelHeight / 2;
            centre = Math.Max(Math.Min(centre, max - half), min + half);
            blocks.Add((centre, count));
        }

        int next = 0;
        double free = double.MinValue;
        foreach ((double centre, int count) in blocks)
        {
            double first = Math.Max(centre - ((count - 1) * LabelHeight / 2), free);
            for (int i = 0; i < count; i++) places[next++] = first + (i * LabelHeight);
            free = places[next - 1] + LabelHeight;
        }
    }

    /// <summary>The names below a narrow plot: two in a row where they are short.</summary>
    private int LegendColumns =>
        _series.Max(series => series.Name.Length) * BoldWidth > (_width / 2) - 38 ? 1 : 2;

    private double LegendHeight() =>
        (((_series.Count + LegendColumns - 1) / LegendColumns) * (LabelHeight + 3)) + 8;

    private void DrawLegend()
    {
        int columns = LegendColumns;
        for (int i = 0; i < _series.Count; i++)
        {
            double x = 18 + (i % columns * (_width / 2));
            double y = _height + 4 + (i / columns * (LabelHeight + 3));
            Add($"<g style=\"--c:{Colour(i)}\"><path class=\"line\" d=\"M{x - 10:0.#} {y:0.#}H{x + 10:0.#}\"/>");
            Add($"<path class=\"{MarkStyle(i)}\" transform=\"translate({x:0.#} {y:0.#})\" d=\"{Marker(i)}\"/>");
            AddText("name", x + 16, y + 4, "start", _series[i].Name);
            _svg.Append("</g>\n");
        }
    }

    /// <summary>A bar for each series, all of one colour, because each has its name beside it; on a narrow drawing its name
    /// stands above it.</summary>
    private void RenderBars()
    {
        double pitch = IsNarrow ? 44 : 32;
        double height = Top + (_series.Count * pitch) + Bottom - 14;
        Begin(height);
        const double ValueWidth = 84;
        double left = IsNarrow ? 10 : Math.Min((_series.Max(series => series.Name.Length) * BoldWidth) + 20, _width * 0.45);
        (_, double top, double step) = RangeY(fromZero: true);
        if (IsNarrow) step *= 2;
        double X(double y) => left + (y / top * (_width - left - ValueWidth));
        double bottom = Top + (_series.Count * pitch);
        for (int i = 0; i * step <= top + (step / 2); i++)
        {
            double x = X(i * step);
            if (x > _width - 8) break;
            AddLine(i == 0 ? "base" : "grid", x, Top, x, bottom);
            AddText("tick", x, bottom + 18, i == 0 && IsNarrow ? "start" : "middle", FormatTickY(i * step));
        }

        for (int i = 0; i < _series.Count; i++)
        {
            double middle = Top + ((i + 0.5) * pitch) + (IsNarrow ? 9 : 0);
            PlotPoint point = _series[i].Points[0];
            Add($"<g style=\"--c:{Colour(0)}\"><title>{Escape(point.Tip)}</title>");
            Add($"<rect class=\"bar\" x=\"{left:0.#}\" y=\"{middle - (BarHeight / 2):0.#}\" rx=\"2\" ");
            Add($"width=\"{Math.Max(1, X(point.Y) - left):0.#}\" height=\"{BarHeight:0}\"/>");
            if (IsNarrow) AddText("name", left, middle - 15, "start", _series[i].Name);
            else AddText("name", left - 10, middle + 4, "end", _series[i].Name);
            AddText("value", X(point.Y) + 8, middle + 4, "start", FormatY(point.Y));
            _svg.Append("</g>\n");
        }

        AddText("axis", (left + _width - ValueWidth) / 2, height - 8, "middle", yTitle);
    }
}
