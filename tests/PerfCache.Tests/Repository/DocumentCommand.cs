// SPDX-License-Identifier: MIT
using System.Text.RegularExpressions;

namespace PerfCache.Tests.Repository;

/// <summary>A command of ours that a document shows: where, as it stands there, and its arguments.</summary>
/// <param name="Document">The document, relative to the root.</param>
/// <param name="Line">The line or the text in backticks.</param>
/// <param name="Project">The project that runs it.</param>
/// <param name="Arguments">What it is given.</param>
internal sealed record DocumentCommand(string Document, string Line, string Project, string[] Arguments)
{
    /// <summary>The command line; <c>perfcache</c> stands for it.</summary>
    public const string Cli = "src/PerfCache.Cli";

    private const string OfDotnet = @"^dotnet run -c Release (?:--no-build )?--project (?<project>\S+)(?: --(?: (?<rest>.*))?)?$";

    /// <summary>All commands of the documents, each once, however it is spelt.</summary>
    public static IReadOnlyList<DocumentCommand> All { get; } =
        [.. Read().DistinctBy(command => (command.Project, string.Join('\n', command.Arguments)))];

    /// <summary>As a test's name.</summary>
    public override string ToString() => $"{Document}: {Line}";

    /// <summary>The command of a line, or null where it is none.</summary>
    public static DocumentCommand? Of(string document, string line)
    {
        // What a prompt shows first, and what the shell does afterwards, is not the program's.
        string typed = Regex.Replace(Regex.Replace(line.Trim(), @"^\$ ", ""), @"\s+(#|>|\|).*$", "");
        if (Regex.Match(typed, OfDotnet) is { Success: true } match)
            return new DocumentCommand(document, typed, match.Groups["project"].Value, Words(match.Groups["rest"].Value));
        return Regex.IsMatch(typed, "^perfcache( [a-z-]|$)")
            ? new DocumentCommand(document, typed, Cli, Words(typed)[1..]) : null;
    }

    /// <summary>The words of a line as a shell parts them, without substitutions.</summary>
    public static string[] Words(string line) =>
        [.. Regex.Matches(line, """(?:[^\s"']+|"[^"]*"|'[^']*')+""")
            .Select(word => Regex.Replace(word.Value, """["']""", ""))];

    private static IEnumerable<DocumentCommand> Read() =>
        from document in RepositoryTree.FilesBelow("docs/", ".md").Prepend("README.md")
        let text = new MarkdownText(RepositoryTree.ReadText(document))
        from line in text.FencedLines.Concat(text.CodeSpans.Where(IsWhole))
        let command = Of(document, line)
        where command is not null
        select command;

    // In a sentence a command often stands for a family of them: perfcache replay TRACE..., --sample RATE, a bare name.
    private static bool IsWhole(string span) => !Regex.IsMatch(span, @"[A-Z]{2,}|\.\.\.|\[|--[A-Z]| N\b")
        && span.Split(' ').Length > 2 && !span.EndsWith(" --", StringComparison.Ordinal);
}
