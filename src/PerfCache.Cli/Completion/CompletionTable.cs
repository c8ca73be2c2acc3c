// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.CommandLine.Completions;

namespace PerfCache.Cli.Completion;

/// <summary>What a shell may offer behind an option, or where no option is typed.</summary>
internal enum Offer
{
    /// <summary>Nothing follows: the option is a switch, or the command takes nothing more.</summary>
    Nothing,

    /// <summary>Something follows that nobody can guess: a number, an address.</summary>
    Unknown,

    /// <summary>One of some words, or several of them, comma-separated.</summary>
    Words,

    /// <summary>A file.</summary>
    File,

    /// <summary>Another program with its arguments, behind <c>--</c>.</summary>
    Program,
}

/// <summary>An option as a shell needs it.</summary>
internal sealed record CompletionOption(
    IReadOnlyList<string> Names, string Description, Offer Offer, IReadOnlyList<string> Words);

/// <summary>A command as a shell needs it.</summary>
/// <param name="Path">The words that lead to it, the program's own included.</param>
/// <param name="Name">The last of them.</param>
/// <param name="Description">A line for people.</param>
/// <param name="Commands">The commands below it.</param>
/// <param name="Options">Its options and those that hold everywhere.</param>
/// <param name="Offer">What its arguments are.</param>
/// <param name="Words">The words to choose from, where they are words.</param>
internal sealed record CompletionCommandEntry(
    string Path, string Name, string Description, IReadOnlyList<CompletionCommandEntry> Commands,
    IReadOnlyList<CompletionOption> Options, Offer Offer, IReadOnlyList<string> Words)
{
    /// <summary>This command and all below it.</summary>
    public IEnumerable<CompletionCommandEntry> All => Commands.SelectMany(command => command.All).Prepend(this);
}

/// <summary>
/// The commands and options that the parser itself knows, as a table for shells: no list is written a second time, so
/// no script can offer what does not exist.
/// </summary>
internal static class CompletionTable
{
    /// <summary>The table of a command line.</summary>
    public static CompletionCommandEntry Of(RootCommand root, string name) =>
        EntryOf(root, name, name, [.. root.Options.Where(option => option.Recursive)]);

    private static CompletionCommandEntry EntryOf(Command command, string path, string name, Option[] everywhere)
    {
        Argument? argument = command.Arguments.FirstOrDefault();
        string[] words = argument is null ? [] : WordsOf(argument.GetCompletions(CompletionContext.Empty));
        return new CompletionCommandEntry(
            path, name, ShortOf(command.Description),
            [.. command.Subcommands.Where(below => !below.Hidden)
                .Select(below => EntryOf(below, $"{path} {below.Name}", below.Name, everywhere))],
            [.. command.Options.Union(everywhere).Where(option => !option.Hidden).Select(EntryOf)],
            argument is null ? Offer.Nothing : OfferOf(argument.HelpName ?? argument.Name, words), words);
    }

    private static CompletionOption EntryOf(Option option)
    {
        bool isSwitch = option.ValueType == typeof(bool) || option.Arity.MaximumNumberOfValues == 0;
        string[] words = isSwitch ? []
            : [.. WordsOf(option.GetCompletions(CompletionContext.Empty)), .. ChoiceOf(option.HelpName ?? "")];
        // The parser's own options also have names of another system's, such as /h.
        string[] names = [.. option.Aliases.Prepend(option.Name).Distinct().Where(
            name => name.StartsWith('-') && !name.Contains('?', StringComparison.Ordinal))];
        return new CompletionOption(
            names, ShortOf(option.Description), isSwitch ? Offer.Nothing : OfferOf(option.HelpName ?? "", words), words);
    }

    private static string[] WordsOf(IEnumerable<CompletionItem> items) =>
        [.. items.Select(item => item.InsertText ?? item.Label).Distinct()];

    // An option of few values names them where others name what they are: none|line|all. Capitals stand for something.
    private static string[] ChoiceOf(string valueName) =>
        valueName.Contains('|', StringComparison.Ordinal) && !valueName.Any(char.IsUpper) ? valueName.Split('|') : [];

    private static Offer OfferOf(string valueName, string[] words) => valueName switch
    {
        _ when words.Length > 0 => Offer.Words,
        "TRACE" or "PATH" => Offer.File,
        "COMMAND" => Offer.Program,
        _ when valueName.StartsWith("FILE", StringComparison.Ordinal) => Offer.File,
        _ => Offer.Unknown,
    };

    // A menu has room for what a thing is, not for its default and its remarks.
    private static string ShortOf(string? description)
    {
        string text = description ?? "";
        int end = text.AsSpan().IndexOfAny(";:.(\n");
        return (end < 0 ? text : text[..end]).Trim();
    }
}
