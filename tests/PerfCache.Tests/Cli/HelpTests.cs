// SPDX-License-Identifier: MIT
using System.CommandLine;
using PerfCache.Cli;

namespace PerfCache.Tests.Cli;

/// <summary>
/// Goal: every command's help shows how it is typed. Method: over all commands that the parser has, help is asked for, and
/// the lines below "Examples:" are parsed again.
/// </summary>
[TestFixture]
public sealed class HelpTests
{
    private static IEnumerable<string> Commands => PathsOf(CommandLine.RootOf([], NewContext()), "");

    [TestCaseSource(nameof(Commands))]
    public void HelpShowsAnExampleThatParses(string path)
    {
        CliRun run = CliRun.Of([.. Words(path), "--help"]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        string[] examples = [.. run.Out.ReplaceLineEndings("\n").Split('\n')
            .SkipWhile(line => line != "Examples:").Skip(1).TakeWhile(line => line.StartsWith("  ", StringComparison.Ordinal))
            .Select(line => line.Trim())];
        Assert.That(examples, Has.Some.Contains($"perfcache {path}".Trim()), run.Out);
        foreach (string example in examples)
        {
            // Behind a pipe or before a redirection the line is another program's; behind two spaces it is prose.
            string typed = example[example.IndexOf("perfcache", StringComparison.Ordinal)..].Split("  ")[0].Split(" > ")[0];
            ParserConfiguration parser = new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };
            ParseResult parsed = CommandLine.RootOf([], NewContext()).Parse(Words(typed)[1..], parser);
            Assert.That(parsed.Errors, Is.Empty, example);
        }
    }

    private static string[] Words(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static CliContext NewContext() => new() { Out = TextWriter.Null, Error = TextWriter.Null };

    private static IEnumerable<string> PathsOf(Command command, string path) => command.Subcommands
        .SelectMany(below => PathsOf(below, $"{path} {below.Name}".Trim())).Prepend(path);
}
