// SPDX-License-Identifier: MIT
using System.Text;

namespace PerfCache.Cli.Completion;

/// <summary>Completion for fish: a line an option, each with the command that it belongs to as its condition.</summary>
internal static class FishScript
{
    /// <summary>The script.</summary>
    public static string Of(CompletionCommandEntry root)
    {
        StringBuilder script = new();
        string paths = string.Join(' ', root.All.Skip(1).Select(command => Quoted(command.Path)));
        script.Append($"""
            # Completion of {root.Name} for fish, made by: {root.Name} completion fish

            # True where the command typed so far is the one that is named.
            function __{root.Name}_typed
                set -l typed {root.Name}
                for word in (commandline -opc)[2..-1]
                    if contains -- "$typed $word" {paths}
                        set typed "$typed $word"
                    end
                end
                test "$typed" = "$argv[1]"
            end

            # Words to choose from; several may stand behind one another, comma-separated.
            function __{root.Name}_words
                set -l head (string match -r -- '^.*,' (commandline -ct))
                for word in $argv
                    echo "$head$word"
                end
            end

            complete -c {root.Name} -f

            """);
        foreach (CompletionCommandEntry command in root.All)
        {
            string line = $"complete -c {root.Name} -n {Quoted($"__{root.Name}_typed {Quoted(command.Path)}")}";
            foreach (CompletionCommandEntry below in command.Commands)
                script.Append($"{line} -a {Quoted(below.Name)} -d {Quoted(below.Description)}\n");
            if (command.Words.Count > 0) script.Append($"{line} -a {Quoted(string.Join(' ', command.Words))}\n");
            if (command.Offer is Offer.File or Offer.Program) script.Append($"{line} -F\n");
            foreach (CompletionOption option in command.Options)
            {
                string names = string.Join(' ', option.Names.Select(NameOf));
                script.Append($"{line} {names}{Offered(root.Name, option)} -d {Quoted(option.Description)}\n");
            }
        }

        return script.ToString();
    }

    private static string Offered(string program, CompletionOption option) => option.Offer switch
    {
        Offer.Nothing => "",
        Offer.Words => $" -x -a {Quoted($"(__{program}_words {string.Join(' ', option.Words)})")}",
        Offer.File => " -r -F",
        _ => " -x",
    };

    private static string NameOf(string name) =>
        name.StartsWith("--", StringComparison.Ordinal) ? $"-l {name[2..]}" : $"-s {name[1..]}";

    private static string Quoted(string text) => "'"
        + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal) + "'";
}
