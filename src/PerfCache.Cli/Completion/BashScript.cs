// SPDX-License-Identifier: MIT
using System.Text;

namespace PerfCache.Cli.Completion;

/// <summary>Completion for bash: a function that looks which command was typed so far, then at the word before.</summary>
internal static class BashScript
{
    /// <summary>The script.</summary>
    public static string Of(CompletionCommandEntry root)
    {
        StringBuilder script = new();
        script.Append($$"""
            # Completion of {{root.Name}} for bash, made by: {{root.Name}} completion bash

            # Words to choose from; several may stand behind one another, comma-separated.
            _{{root.Name}}_words() {
                local head=
                [[ $2 == *,* ]] && head=${2%,*},
                mapfile -t COMPREPLY < <(compgen -P "$head" -W "$1" -- "${2##*,}")
            }

            _{{root.Name}}_files() {
                mapfile -t COMPREPLY < <(compgen -f -- "$1")
                # Outside of a completion, as in a test, there is nothing to set.
                compopt -o filenames 2>/dev/null
            }

            _{{root.Name}}() {
                local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} typed={{root.Name}} i
                COMPREPLY=()
                # bash cuts --option=value into three words.
                if [[ $current == '=' ]]; then current=
                elif [[ $previous == '=' ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}
                fi
                for ((i = 1; i < COMP_CWORD; i++)); do
                    if [[ ${COMP_WORDS[i]} == -- ]]; then
                        mapfile -t COMPREPLY < <(compgen -A command -A file -- "$current")
                        return
                    fi
                    case "$typed ${COMP_WORDS[i]}" in
                        {{Shell.Alternatives(root.All.Skip(1).Select(command => command.Path))}}) typed+=" ${COMP_WORDS[i]}" ;;
                    esac
                done
                case "$typed $previous" in

            """);
        foreach (CompletionCommandEntry command in root.All)
        {
            foreach (CompletionOption option in command.Options.Where(option => option.Offer != Offer.Nothing))
            {
                string pattern = Shell.Alternatives(option.Names.Select(name => $"{command.Path} {name}"));
                script.Append($"        {pattern}) {Offered(root.Name, option.Offer, option.Words)}return ;;\n");
            }
        }

        script.Append("    esac\n    case \"$typed\" in\n");
        foreach (CompletionCommandEntry command in root.All)
        {
            IEnumerable<string> words = command.Commands.Select(below => below.Name).Concat(command.Words);
            string plain = command.Offer == Offer.File ? Offered(root.Name, Offer.File, [])
                : Offered(root.Name, Offer.Words, words);
            script.Append($"""
                        {Shell.Quoted(command.Path)})
                            if [[ $current == -* ]]; then
                                mapfile -t COMPREPLY < <(compgen -W {Shell.Quoted(OptionsOf(command))} -- "$current")
                            else
                                {plain.TrimEnd(' ', ';')}
                            fi ;;

                """);
        }

        return script.Append($"    esac\n}}\n\ncomplete -F _{root.Name} {root.Name}\n").ToString();
    }

    private static string OptionsOf(CompletionCommandEntry command) =>
        string.Join(' ', command.Options.SelectMany(option => option.Names));

    private static string Offered(string name, Offer offer, IEnumerable<string> words) => offer switch
    {
        Offer.Words => $"_{name}_words {Shell.Quoted(string.Join(' ', words))} \"$current\"; ",
        Offer.File => $"_{name}_files \"$current\"; ",
        _ => "",
    };
}
