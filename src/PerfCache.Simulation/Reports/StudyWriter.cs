// SPDX-License-Identifier: MIT
using System.Net;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// Writes the sections of a study: figures and tables are numbered, each has a caption and the command line that makes it
/// again, and whatever may be wider than the page can be scrolled with the keyboard.
/// </summary>
internal sealed class StudyWriter(TextWriter writer)
{
    private int _figures;
    private int _tables;

    /// <summary>The sections so far: their ids and headings, for the contents.</summary>
    public List<(string Id, string Title)> Sections { get; } = [];

    /// <summary>Writes a section.</summary>
    public void Section(string id, string title, string lead, Action write)
    {
        Sections.Add((id, title));
        writer.Write($"<section id=\"{id}\">\n<h2>{Escape(title)}</h2>\n");
        if (lead.Length > 0) writer.Write($"<p class=\"lead\">{Escape(lead)}</p>\n");
        write();
        writer.Write("</section>\n");
    }

    /// <summary>Writes sentences as a paragraph each.</summary>
    public void Paragraphs(params IEnumerable<string> texts)
    {
        foreach (string text in texts) writer.Write($"<p>{Escape(text)}</p>\n");
    }

    /// <summary>Writes a plot; nothing for an empty one.</summary>
    /// <param name="title">What it shows.</param>
    /// <param name="svg">The plot.</param>
    /// <param name="caption">How to read it.</param>
    /// <param name="commandLine">What makes it again.</param>
    public void Figure(string title, string svg, string caption, string commandLine)
    {
        if (svg.Length == 0) return;
        _figures++;
        writer.Write($"<figure id=\"figure-{_figures}\">\n<h3>Figure {_figures}. {Escape(title)}</h3>\n{svg}");
        writer.Write($"<figcaption>{Escape(caption)}</figcaption>\n");
        Command(commandLine);
        writer.Write("</figure>\n");
    }

    /// <summary>Writes a table; nothing for one without rows.</summary>
    /// <param name="caption">What it shows.</param>
    /// <param name="columns">The headings; one that ends with a bar has text, which may wrap.</param>
    /// <param name="rows">The cells.</param>
    /// <param name="commandLine">What makes it again; nothing for a table that is of no command.</param>
    public void Table(string caption, IEnumerable<string> columns, IEnumerable<IEnumerable<string>> rows,
        string commandLine = "")
    {
        IEnumerable<string>[] all = [.. rows];
        if (all.Length == 0) return;
        _tables++;
        string[] headings = [.. columns];
        writer.Write($"<div class=\"scroll\" id=\"table-{_tables}\" role=\"region\" tabindex=\"0\" ");
        writer.Write($"aria-label=\"Table {_tables}: {Escape(caption)}\"><table>\n");
        writer.Write($"<caption>Table {_tables}. {Escape(caption)}</caption>\n<thead><tr>");
        foreach (string heading in headings)
            writer.Write($"<th scope=\"col\"{(IsText(heading) ? " class=\"text\"" : "")}>{Escape(heading.TrimEnd('|'))}</th>");
        writer.Write("</tr></thead>\n<tbody>\n");
        foreach (IEnumerable<string> row in all)
        {
            writer.Write("<tr>");
            foreach ((int i, string cell) in row.Index())
            {
                string style = i < headings.Length && IsText(headings[i]) ? " class=\"text\"" : "";
                writer.Write(i == 0 ? $"<th scope=\"row\"{style}>{Escape(cell)}</th>" : $"<td{style}>{Escape(cell)}</td>");
            }

            writer.Write("</tr>\n");
        }

        writer.Write("</tbody></table></div>\n");
        if (commandLine.Length > 0) Command(commandLine);
    }

    private void Command(string commandLine) => writer.Write($"<code class=\"command\">{Escape(commandLine)}</code>\n");

    private static bool IsText(string heading) => heading.EndsWith('|');

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
