// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net;
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// The parameters of a model as every report lists them: what was assumed or calibrated stands beside the
/// results that depend on it.
/// </summary>
public static class ParameterTable
{
    /// <summary>Writes a line a parameter: name, value, unit, origin, source.</summary>
    public static void WriteText(TextWriter writer, ParameterSet parameters)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(parameters);
        if (parameters.Count == 0) return;
        int nameWidth = parameters.Max(one => one.Name.Length);
        int valueWidth = parameters.Max(one => Number(one.Value).Length);
        int unitWidth = parameters.Max(one => one.Unit.Length);
        foreach (Parameter one in parameters)
            writer.WriteLine($"{one.Name.PadRight(nameWidth)}  {Number(one.Value).PadLeft(valueWidth)} "
                + $"{Unit(one).PadRight(unitWidth)}  {one.OriginText,-10}  {one.Source}");
    }

    /// <summary>One parameter as a JSON object on one line, without the line's end.</summary>
    public static string Json(Parameter parameter)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        return JsonLine.Of(json =>
        {
            json.WriteString("kind", "parameter");
            json.WriteString("name", parameter.Name);
            json.WriteNumber("value", parameter.Value);
            json.WriteString("unit", parameter.Unit);
            json.WriteString("origin", parameter.OriginText);
            json.WriteString("source", parameter.Source);
        });
    }

    /// <summary>The table as HTML.</summary>
    internal static void WriteHtml(TextWriter writer, ParameterSet parameters)
    {
        writer.Write("<div class=\"scroll\"><table>\n<thead><tr><th>parameter</th><th>value</th>"
            + "<th style=\"text-align:left\">unit</th><th style=\"text-align:left\">origin</th>"
            + "<th style=\"text-align:left\">source</th></tr></thead>\n<tbody>\n");
        const string Left = "<td style=\"text-align:left;white-space:normal\">";
        foreach (Parameter one in parameters)
            writer.Write($"<tr><td>{Encode(one.Name)}</td><td>{Number(one.Value)}</td>{Left}{Encode(Unit(one))}</td>"
                + $"{Left}{one.OriginText}</td>{Left}{Encode(one.Source)}</td></tr>\n");
        writer.Write("</tbody></table></div>\n");
    }

    private static string Encode(string text) => WebUtility.HtmlEncode(text);

    internal static string Unit(Parameter one) => one.Unit == "1" ? "" : one.Unit;

    internal static string Number(double value) =>
        value.ToString(Math.Abs(value) >= 1000 ? "#,0.##" : "0.######", CultureInfo.InvariantCulture);
}
