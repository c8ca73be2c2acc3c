// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net;
using System.Text;

namespace PerfCache.Simulation.Reports;

/// <summary>A row of a <see cref="SpanPlot"/>.</summary>
/// <param name="Name">What it is about.</param>
/// <param name="Low">The value for the lower setting; NaN for none.</param>
/// <param name="High">The value for the upper setting; NaN for none.</param>
/// <param name="Tip">What the pointer shows over the row.</param>
internal readonly record struct PlotSpan(string Name, double Low, double High, string Tip);

/// <summary>
/// Horizontal bars that begin at one common value: what halving and doubling does to a result (a tornado), or gains and
/// losses around 1. The two settings of a row are told apart by colour and by their ends: a filled square, a filled circle.
/// Drawn twice, wide and narrow, as <see cref="SvgPlot"/> does; its style sheet serves this one too.
/// </summary>
internal sealed class SpanPlot(string title, string xTitle, double middle)
{
    private const double Top = 30;
    private const double CharWidth = 8.1;
    private const string Square = "M-4-4H4V4H-4Z";
    private const string Circle = "M4.4 0A4.4 4.4 0 1 1-4.4 0A4.4 4.4 0 1 1 4.4 0Z";

    private readonly List<PlotSpan> _spans = [];
    private readonly StringBuilder _svg = new();

    /// <summary>True where equal factors are equally far apart.</summary>
    public bool IsLogarithmic { get; init; }

    /// <summary>What <see cref="PlotSpan.Low"/> and <see cref="PlotSpan.High"/> are, for the legend; empty for
    /// none.</summary>
    public (string Low, string High) Settings { get; init; } = ("", "");

    /// <summary>Writes a value.</summary>
    public Func<double, string> Format { get; init; } = value => value.ToString("#,0.###", CultureInfo.InvariantCulture);

    /// <summary>Adds a row below the others.</summary>
    public void Add(PlotSpan span) => _spans.Add(span);

    /// <summary>Both drawings, and the list of values; nothing for no rows.</summary>
    public string RenderBoth()
    {
        _svg.Clear();
        if (_spans.Count == 0) return "";
        Draw("wide", 820, 26, Math.Min((_spans.Max(span => span.Name.Length) * CharWidth) + 14, 380));
        Draw("narrow", 400, 40, 14);
        return _svg + PlotValues.Render(_spans.Select(span => span.Tip));
    }

    private void Draw(string variant, double width, double pitch, double left)
    {
        bool isNarrow = variant == "narrow";
        double bottom = Top + (_spans.Count * pitch);
        double[] values =
            [.. _spans.SelectMany(span => (double[])[span.Low, span.High]).Append(middle).Where(double.IsFinite)];
        (double low, double high, double[] ticks) = Axis(values.Min(), values.Max(), isNarrow ? 3 : 5);
        double Place(double value) => IsLogarithmic ? Math.Log(value) : value;
        double room = isNarrow ? 26 : 64;
        double X(double value) =>
            left + room + ((Place(value) - Place(low)) / (Place(high) - Place(low)) * (width - left - (2 * room)));

        string[] titleLines = Lines(IsLogarithmic ? $"{xTitle}, logarithmic" : xTitle, (int)((width - 20) / CharWidth));
        double height = bottom + 30 + (16 * titleLines.Length);
        Add($"<svg class=\"plot {variant}\" viewBox=\"0 0 {width:0} {height:0}\" role=\"img\" ");
        Add($"aria-label=\"{Escape(title)}\">\n");
        foreach (double tick in ticks)
        {
            Add($"<line class=\"grid\" x1=\"{X(tick):0.#}\" y1=\"{Top:0.#}\" x2=\"{X(tick):0.#}\" y2=\"{bottom:0.#}\"/>\n");
            AddText("tick", X(tick), bottom + 17, "middle", Format(tick));
        }

        for (int i = 0; i < _spans.Count; i++) DrawRow(_spans[i], Top + ((i + 0.5) * pitch), isNarrow, left, X);
        Add($"<line class=\"base\" x1=\"{X(middle):0.#}\" y1=\"{Top - 4:0.#}\" x2=\"{X(middle):0.#}\" y2=\"{bottom:0.#}\"/>\n");
        for (int i = 0; i < titleLines.Length; i++)
            AddText("axis", width / 2, bottom + 38 + (16 * i), "middle", titleLines[i]);
        DrawLegend(left);
        _svg.Append("</svg>\n");
    }

    private void DrawRow(PlotSpan span, double centre, bool isNarrow, double left, Func<double, double> x)
    {
        double y = isNarrow ? centre + 9 : centre;
        Add($"<g><title>{Escape(span.Tip)}</title>\n");
        if (isNarrow) AddText("name", left - 6, centre - 7, "start", span.Name);
        else AddText("name", left + 2, y + 4, "end", span.Name);
        DrawBar(span.Low, y, "var(--s0)", Square, x);
        DrawBar(span.High, y, "var(--s1)", Circle, x);
        if (!isNarrow)
        {
            // Values stand outside the bars; of two on one side the outer one is told.
            double[] ends = [.. ((double[])[span.Low, span.High]).Where(double.IsFinite)];
            if (ends.Length > 0 && ends.Max() > middle) AddText("value", x(ends.Max()) + 8, y + 4, "start",
                Format(ends.Max()));
            if (ends.Length > 0 && ends.Min() < middle) AddText("value", x(ends.Min()) - 8, y + 4, "end", Format(ends.Min()));
        }

        _svg.Append("</g>\n");
    }

    private void DrawBar(double value, double y, string colour, string end, Func<double, double> x)
    {
        if (!double.IsFinite(value)) return;
        (double from, double to) = (Math.Min(x(middle), x(value)), Math.Max(x(middle), x(value)));
        Add($"<g style=\"--c:{colour}\"><rect class=\"bar\" x=\"{from:0.#}\" y=\"{y - 4:0.#}\" width=\"{to - from:0.#}\" ");
        Add($"height=\"8\"/><path class=\"mark\" transform=\"translate({x(value):0.#} {y:0.#})\" d=\"{end}\"/></g>\n");
    }

    private void DrawLegend(double left)
    {
        if (Settings.Low.Length == 0) return;
        (string Name, string Colour, string End)[] settings =
            [(Settings.Low, "var(--s0)", Square), (Settings.High, "var(--s1)", Circle)];
        double x = left + 14;
        foreach ((string name, string colour, string end) in settings)
        {
            Add($"<g style=\"--c:{colour}\"><path class=\"mark\" transform=\"translate({x:0.#} 14)\" d=\"{end}\"/></g>\n");
            AddText("name", x + 10, 18, "start", name);
            x += (name.Length * CharWidth) + 40;
        }
    }

    /// <summary>Round ends around the values, and the ticks between.</summary>
    private (double Low, double High, double[] Ticks) Axis(double min, double max, int count)
    {
        if (IsLogarithmic)
        {
            double[] candidates = [.. Enumerable.Range(-4, 9).SelectMany(
                power => (double[])[Math.Pow(10, power), 2 * Math.Pow(10, power), 5 * Math.Pow(10, power)])];
            double low = candidates.Last(one => one <= Math.Max(min, 1e-4));
            double high = candidates.First(one => one >= Math.Min(max, 5e4) && one > low);
            double[] inside = [.. candidates.Where(one => one >= low && one <= high)];
            int every = Math.Max(1, (inside.Length + count) / (count + 1));
            int first = Math.Max(0, Array.FindIndex(inside, one => one >= middle)) % every;
            return (low, high, [.. inside.Where((_, i) => i % every == first)]);
        }

        double span = Math.Max(max - min, Math.Max(Math.Abs(max) * 0.02, 1e-9));
        double step = SvgPlot.RoundStep(span / count);
        double least = Math.Floor((min / step) + 1e-9) * step;
        double last = Math.Ceiling((max / step) - 1e-9) * step;
        if (last <= least) last = least + step;
        int steps = (int)Math.Round((last - least) / step);
        return (least, last, [.. Enumerable.Range(0, steps + 1).Select(i => least + (i * step))]);
    }

    /// <summary>A text in lines of at most so many letters.</summary>
    private static string[] Lines(string text, int lettersMax)
    {
        List<string> lines = [""];
        foreach (string word in text.Split(' '))
        {
            if (lines[^1].Length > 0 && lines[^1].Length + 1 + word.Length > lettersMax) lines.Add("");
            lines[^1] += lines[^1].Length == 0 ? word : " " + word;
        }

        return [.. lines];
    }

    private void AddText(string style, double x, double y, string anchor, string text) =>
        Add($"<text class=\"{style}\" x=\"{x:0.#}\" y=\"{y:0.#}\" text-anchor=\"{anchor}\">{Escape(text)}</text>\n");

    private void Add(FormattableString text) => _svg.Append(text.ToString(CultureInfo.InvariantCulture));

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
