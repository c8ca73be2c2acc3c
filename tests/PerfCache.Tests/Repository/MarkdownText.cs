// SPDX-License-Identifier: MIT
using System.Text.RegularExpressions;

namespace PerfCache.Tests.Repository;

/// <summary>
/// What a machine can check in a markdown file: relative links, names in backticks, and the lines of fenced
/// blocks. Just enough of the format for our own documents; not a parser.
/// </summary>
internal sealed class MarkdownText
{
    private readonly List<string> _links = [];
    private readonly List<string> _codeSpans = [];
    private readonly List<string> _fencedLines = [];

    /// <summary>Takes <paramref name="text"/> apart.</summary>
    public MarkdownText(string text)
    {
        bool fenced = false;
        List<string> prose = [];
        foreach (string line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            if (line.TrimStart().StartsWith("```", StringComparison.Ordinal)) fenced = !fenced;
            else if (fenced) _fencedLines.Add(line.Trim());
            else prose.Add(line);
        }

        Headings = [.. prose.Where(line => line.StartsWith('#')).Select(line => line.TrimStart('#').Trim())];
        string body = string.Join('\n', prose);
        _codeSpans.AddRange(Regex.Matches(body, "`([^`\n]+)`").Select(span => span.Groups[1].Value));
        string withoutCode = Regex.Replace(body, "`[^`\n]+`", "");
        const string InlineLink = @"\]\(\s*<?([^)\s>]+)>?[^)]*\)";
        const string ReferenceLink = @"^\[[^\]]+\]:\s*(\S+)";
        foreach (Match link in Regex.Matches(withoutCode, InlineLink + "|" + ReferenceLink, RegexOptions.Multiline))
        {
            string target = link.Groups[1].Success ? link.Groups[1].Value : link.Groups[2].Value;
            string file = target.Split('#')[0];
            if (file.Length > 0 && !Regex.IsMatch(target, "^[a-z]+:")) _links.Add(Uri.UnescapeDataString(file));
        }
    }

    /// <summary>Headings of any level, without their marks.</summary>
    public IReadOnlyList<string> Headings { get; }

    /// <summary>Targets of links to files, without their fragments.</summary>
    public IReadOnlyList<string> Links => _links;

    /// <summary>What stands in backticks outside fenced blocks.</summary>
    public IReadOnlyList<string> CodeSpans => _codeSpans;

    /// <summary>The lines of fenced blocks.</summary>
    public IReadOnlyList<string> FencedLines => _fencedLines;
}
