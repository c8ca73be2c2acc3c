// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net;
using System.Text;

namespace PerfCache.Simulation.Reports;

/// <summary>A measured point.</summary>
/// <param name="X">The place on the x axis; above 0.</param>
/// <param name="Y">The place on the y axis.</param>
/// <param name="Tip">What the pointer shows over the point.</param>
public readonly record struct PlotPoint(double X, double Y, string Tip);

/// <summary>A named line of points in ascending order of x.</summary>
public sealed record PlotSeries(string Name, IReadOnlyList<PlotPoint> Points);

/// <summary>
/// Draws series as inline SVG: lines with markers, or, where all points share one x, a bar for each series.
/// The only plot writer of the project; a page that holds plots includes <see cref="Css"/> once.
/// <para>
/// Series are told apart three ways (colour, marker shape, and dashes with open markers once the colours repeat), and
/// each line is labelled at its end, so that a plot survives grey printing and colour blindness. The colours
/// are CSS variables with a light and a dark set. Labels that would overlap are moved apart and joined to
/// their line by a thin leader. The same input gives the same bytes.
/// </para>
/// <para>
/// A plot scales with the page, and its letters with it, so a wide one cannot be read on a phone. There is a narrow
/// drawing for that, with the names below and a list of values to open; <see cref="RenderBoth"/> gives both, and the style
/// sheet shows one.
/// </para>
/// </summary>
public sealed partial class SvgPlot(string title, string xTitle, string yTitle)
{
    private const double Top = 14;
    private const double Bottom = 64;
    private const double LabelHeight = 17;
    private const double CharWidth = 6.9;

    /// <summary>A bold letter in the widest of the usual fonts.</summary>
    private const double BoldWidth = 8.1;
    private const int ColourCount = 7;
    private const int MarkedPointsMax = 40;
    private const int MarksOfLongLine = 6;
    private const string Wide = "wide";
    private const string Narrow = "narrow";

    // One path for each marker, drawn around the origin with equal weight to the eye.
    private static readonly string[] s_markers =
    [
        "M4.2 0A4.2 4.2 0 1 1-4.2 0A4.2 4.2 0 1 1 4.2 0Z", "M-3.8-3.8H3.8V3.8H-3.8Z", "M0-5L4.9 3.6H-4.9Z",
        "M0-5.4L5.4 0L0 5.4L-5.4 0Z", "M0 5L4.9-3.6H-4.9Z", "M-1.6-5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5V-1.6H-1.6Z",
        "M0-5.2L4.9-1.6L3.1 4.2H-3.1L-4.9-1.6Z",
    ];

    private static readonly string[] s_dashes = ["", "7 4", "2 3.5"];

    private readonly List<PlotSeries> _series = [];
    private readonly List<(double From, double To, string Tip)> _shades = [];
    private readonly StringBuilder _svg = new();
    private string _variant = "";
    private double _width;
    private double _height;

    /// <summary>
    /// The style sheet of all plots; the page defines <c>--ink</c>, <c>--muted</c>, <c>--grid</c> and
    /// <c>--surface</c>.
    /// </summary>
    public static string Css => """
        :root{--s0:#0067a6;--s1:#c84e00;--s2:#00805e;--s3:#a8498a;--s4:#a37200;--s5:#3d8fc4;--s6:#5b5b66}
        @media screen and (prefers-color-scheme:dark){:root{--s0:#62b5f0;--s1:#ff8f4d;--s2:#3fc79a;--s3:#e58fc4;
        --s4:#e6b422;--s5:#9cd3f7;--s6:#b9bac4}}
        svg.plot{width:100%;height:auto;display:block;font:12.5px system-ui,-apple-system,"Segoe UI",sans-serif}
        svg.narrow{display:none}
        details.values{display:none;font-size:13.2px;padding:0 6px}.values ul{margin:4px 0 10px;padding-left:1.3em}
        .values summary{color:var(--muted);padding:6px 0}
        @media screen and (max-width:640px){svg.wide{display:none}svg.narrow,details.values{display:block}}
        .plot text{fill:var(--ink)}.plot .tick{fill:var(--muted);font-variant-numeric:tabular-nums}
        .plot .sub{fill:var(--muted);font-size:12px}.plot .axis{fill:var(--muted);font-weight:600}
        .plot .grid{stroke:var(--grid);stroke-width:1}.plot .base{stroke:var(--muted);stroke-width:1}
        .plot .line{fill:none;stroke:var(--c);stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
        .plot .mark{fill:var(--c);stroke:var(--surface);stroke-width:1.4}
        .plot .open{fill:var(--surface);stroke:var(--c);stroke-width:1.8}.plot .bar{fill:var(--c)}
        .plot .shade{fill:var(--s4);opacity:.22}
        .plot .hit{fill:transparent}.plot .point:hover .mark{stroke:var(--ink)}
        .plot .leader{fill:none;stroke:var(--c);stroke-width:1;opacity:.55}
        .plot .name{font-weight:600}.plot .value{font-variant-numeric:tabular-nums}
        """;

    /// <summary>Writes a value of the y axis, for example as percent.</summary>
    public Func<double, string> FormatY { get; init; } = value => value.ToString("#,0.###", CultureInfo.InvariantCulture);

    /// <summary>Writes a round value beside a gridline of the y axis.</summary>
    public Func<double, string> FormatTickY { get; init; } =
        value => value.ToString("#,0.######", CultureInfo.InvariantCulture);

    /// <summary>Writes a value of the x axis.</summary>
    public Func<double, string> FormatX { get; init; } = value => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>Writes a second line under a value of the x axis, or nothing.</summary>
    public Func<double, string>? FormatXBelow { get; init; }

    /// <summary>True for an x axis that starts at 0 and has round values, such as time; otherwise its values are the
    /// points' own, and it is logarithmic where they span a lot.</summary>
    public bool LinearX { get; init; }

    /// <summary>A value that the y axis never passes, such as 1 for a ratio.</summary>
    public double LimitY { get; init; } = double.MaxValue;

    /// <summary>Shades a part of the x axis behind the lines, for example while something was suspended.</summary>
    /// <param name="from">Where it begins.</param>
    /// <param name="to">Where it ends.</param>
    /// <param name="tip">What the pointer shows over it.</param>
    public void Shade(double from, double to, string tip) => _shades.Add((from, to, tip));

    /// <summary>Adds a line; its colour and marker follow from how many are there before it.</summary>
    public void Add(PlotSeries series) => _series.Add(series);

    /// <summary>The plot as an <c>svg</c> element, for pages of any width and readable on wide ones.</summary>
    public string Render() => Render("");

    /// <summary>The plot as two <c>svg</c> elements, of which the page shows the one that is readable at its width; with the
    /// narrow one goes a list of what the wide one's pointer shows.</summary>
    public string RenderBoth() => Render(Wide) + Render(Narrow) + PlotValues.Render(Tips());

    private bool IsNarrow => _variant == Narrow;

    private string Render(string variant)
    {
        (_variant, _width, _height) = (variant, variant == Narrow ? 400 : 820, variant == Narrow ? 320 : 420);
        List<double> xs = [.. _series.SelectMany(series => series.Points).Select(point => point.X).Distinct().Order()];
        _svg.Clear();
        if (xs.Count == 0) return "";
        if (xs.Count == 1) RenderBars();
        else RenderLines(xs);
        return _svg.Append("</svg>\n").ToString();
    }

    private void Begin(double height)
    {
        string style = _variant.Length == 0 ? "plot" : "plot " + _variant;
        Add($"<svg class=\"{style}\" viewBox=\"0 0 {_width:0} {height:0}\" role=\"img\" aria-label=\"{Escape(title)}\">");
        _svg.Append('\n');
    }

    private void RenderLines(List<double> xs)
    {
        Begin(_height + (IsNarrow ? LegendHeight() : 0));
        double labelWidth = (_series.Max(series => series.Name.Length) * BoldWidth) + 40;
        double right = IsNarrow ? _width - 26 : _width - Math.Max(24, Math.Min(labelWidth, _width / 3));
        (double bottomY, double topY, double step) = RangeY();
        double left = 40 + (CharWidth * Math.Max(FormatTickY(topY).Length, FormatTickY(bottomY + step).Length));
        if (LinearX) xs = RoundTicks(xs[^1], IsNarrow ? 3 : 5);
        bool isLog = !LinearX && xs[^1] / xs[0] >= 10;
        double low = isLog ? Math.Log(xs[0]) : xs[0];
        double span = (isLog ? Math.Log(xs[^1]) : xs[^1]) - low;
        double X(double x) => left + 10 + (((isLog ? Math.Log(x) : x) - low) / span * (right - left - 20));
        double Y(double y) => _height - Bottom - ((y - bottomY) / (topY - bottomY) * (_height - Bottom - Top));

        foreach ((double from, double to, string tip) in _shades)
        {
            (double x1, double x2) = (X(Math.Max(from, xs[0])), X(Math.Min(to, xs[^1])));
            if (x2 <= x1) continue;
            Add($"<rect class=\"shade\" x=\"{x1:0.#}\" y=\"{Top:0.#}\" width=\"{x2 - x1:0.##}\" ");
            Add($"height=\"{_height - Bottom - Top:0.#}\"><title>{Escape(tip)}</title></rect>\n");
        }

        for (int i = 0; bottomY + (i * step) <= topY + (step / 2); i++)
        {
            double y = bottomY + (i * step);
            AddLine(i == 0 ? "base" : "grid", left, Y(y), right, Y(y));
            AddText("tick", left - 9, Y(y) + 4, "end", FormatTickY(y));
        }

        DrawTicksX(xs, X);
        DrawAxisTitles(isLog ? $"{xTitle}, logarithmic" : xTitle, (left + right) / 2);
        for (int i = 0; i < _series.Count; i++) DrawLine(i, X, Y);
        if (IsNarrow) DrawLegend();
        else DrawLabels(right, X, Y);
    }

    /// <summary>0, round values, and the end.</summary>
    private static List<double> RoundTicks(double end, int count)
    {
        double step = RoundStep(end / count);
        List<double> ticks = [];
        for (double tick = 0; tick < end - (step / 4); tick += step) ticks.Add(tick);
        ticks.Add(end);
        return ticks;
    }

    /// <summary>1, 2, 2.5 or 5 times a power of ten, at least as large as asked.</summary>
    internal static double RoundStep(double least)
    {
        double scale = Math.Pow(10, Math.Floor(Math.Log10(least)));
        return scale * (least / scale) switch { <= 1 => 1, <= 2 => 2, <= 2.5 => 2.5, <= 5 => 5, _ => 10 };
    }

    /// <summary>
    /// Ticks stand at the measured sizes; the first and the last have text, and those between that find room
    /// for it.
    /// </summary>
    private void DrawTicksX(List<double> xs, Func<double, double> place)
    {
        double y = _height - Bottom;
        double Half(double x) => Math.Max(FormatX(x).Length, FormatXBelow?.Invoke(x).Length ?? 0) * CharWidth / 2;
        double last = place(xs[^1]) - Half(xs[^1]) - 6;
        double free = double.MinValue;
        foreach (double x in xs)
        {
            AddLine("grid", place(x), Top, place(x), y);
            bool hasRoom = place(x) - Half(x) >= free && place(x) + Half(x) <= last;
            if (!hasRoom && x != xs[0] && x != xs[^1]) continue;
            free = place(x) + Half(x) + 6;
            AddText("tick", place(x), y + 18, "middle", FormatX(x));
            if (FormatXBelow is not null) AddText("sub", place(x), y + 33, "middle", FormatXBelow(x));
        }
    }

    private void DrawAxisTitles(string x, double middle)
    {
        double centre = (Top + _height - Bottom) / 2;
        AddText("axis", middle, _height - 9, "middle", x);
        Add($"<text class=\"axis\" transform=\"translate(15 {centre:0.#}) rotate(-90)\" text-anchor=\"middle\">");
        Add($"{Escape(yTitle)}</text>\n");
    }

    private void DrawLine(int index, Func<double, double> x, Func<double, double> y)
    {
        IReadOnlyList<PlotPoint> points = _series[index].Points;
        string dash = s_dashes[index / ColourCount % s_dashes.Length];
        Add($"<g style=\"--c:{Colour(index)}\"><path class=\"line\"");
        if (dash.Length > 0) Add($" stroke-dasharray=\"{dash}\"");
        _svg.Append(" d=\"");
        for (int i = 0; i < points.Count; i++)
            Add($"{(i == 0 ? 'M' : 'L')}{x(points[i].X):0.#} {y(points[i].Y):0.#}");
        _svg.Append("\"/>\n");
        for (int i = 0; i < points.Count; i++)
        {
            PlotPoint point = points[i];
            bool isMarked = IsMarked(index, i, points.Count);
            // A finger has no pointer to rest on a point: the narrow drawing has its tips in a list.
            if (IsNarrow && !isMarked) continue;
            Add($"<g class=\"point\" transform=\"translate({x(point.X):0.#} {y(point.Y):0.#})\">");
            if (!IsNarrow) Add($"<title>{Escape(point.Tip)}</title><circle class=\"hit\" r=\"9\"/>");
            if (isMarked) Add($"<path class=\"{MarkStyle(index)}\" d=\"{Marker(index)}\"/>");
            _svg.Append("</g>\n");
        }

        _svg.Append("</g>\n");
    }

    /// <summary>The tips of shades and of marked points; bars have their values beside them anyhow.</summary>
    private IEnumerable<string> Tips()
    {
        if (_series.SelectMany(series => series.Points).Select(point => point.X).Distinct().Count() <= 1) yield break;
        foreach ((_, _, string tip) in _shades) yield return tip;
        for (int i = 0; i < _series.Count; i++)
        {
            IReadOnlyList<PlotPoint> points = _series[i].Points;
            for (int j = 0; j < points.Count; j++)
                if (IsMarked(i, j, points.Count)) yield return points[j].Tip;
        }
    }

    /// <summary>All points of a short line; of a long one a few, each line's at other places.</summary>
    private static bool IsMarked(int series, int point, int count)
    {
        if (count <= MarkedPointsMax) return true;
        int step = count / MarksOfLongLine;
        return point % step == (((series * step) / ColourCount) + (step / 2)) % step;
    }

    /// <summary>Round bounds around the data; from zero unless that would press the lines together.</summary>
    private (double Bottom, double Top, double Step) RangeY(bool fromZero = false)
    {
        double min = _series.SelectMany(series => series.Points).Min(point => point.Y);
        double max = Math.Max(_series.SelectMany(series => series.Points).Max(point => point.Y), 1e-9);
        if (fromZero || min < 0.4 * max) min = Math.Min(0, min);
        double span = max - min;
        if (span < max * 0.02) (min, span) = (max * 0.97, max * 0.04);
        double step = RoundStep(span / 5);
        double bottom = Math.Floor((min / step) + 1e-9) * step;
        double top = Math.Ceiling((max / step) - 1e-9) * step;
        if (top <= bottom) top = bottom + step;
        return (bottom, max <= LimitY ? Math.Min(top, Math.Max(LimitY, bottom + step)) : top, step);
    }

    private void AddLine(string style, double x1, double y1, double x2, double y2) =>
        Add($"<line class=\"{style}\" x1=\"{x1:0.#}\" y1=\"{y1:0.#}\" x2=\"{x2:0.#}\" y2=\"{y2:0.#}\"/>\n");

    private void AddText(string style, double x, double y, string anchor, string text)
    {
        Add($"<text class=\"{style}\" x=\"{x:0.#}\" y=\"{y:0.#}\" text-anchor=\"{anchor}\">");
        Add($"{Escape(text)}</text>\n");
    }

    private void Add(FormattableString text) => _svg.Append(text.ToString(CultureInfo.InvariantCulture));

    private static string Colour(int index) => $"var(--s{index % ColourCount})";

    /// <summary>Where colours and shapes repeat, markers are open.</summary>
    private static string MarkStyle(int index) => index / ColourCount % 2 == 0 ? "mark" : "mark open";

    private static string Marker(int index) => s_markers[index % s_markers.Length];

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
