// SPDX-License-Identifier: MIT
using System.Net;
using System.Text;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// What a plot's pointer would show, as a list that a finger opens below the narrow drawing: a touch screen has no pointer
/// to rest on a point, and the page has no script.
/// </summary>
internal static class PlotValues
{
    /// <summary>The list; nothing for no values. <see cref="SvgPlot.Css"/> shows it where the narrow drawing is shown.</summary>
    internal static string Render(IEnumerable<string> tips)
    {
        string[] all = [.. tips.Where(tip => tip.Length > 0)];
        if (all.Length == 0) return "";
        StringBuilder list = new("<details class=\"values\"><summary>Values</summary>\n<ul>\n");
        foreach (string tip in all) list.Append("<li>").Append(WebUtility.HtmlEncode(tip)).Append("</li>\n");
        return list.Append("</ul></details>\n").ToString();
    }
}
