// SPDX-License-Identifier: MIT
using System.Text;

namespace PerfCache.Cli.Completion;

/// <summary>Completion for zsh, with descriptions; as a file of $fpath, or sourced after compinit.</summary>
internal static class ZshScript
{
    /// <summary>The script.</summary>
    public static string Of(CompletionCommandEntry root)
    {
        StringBuilder script = new();
        script.Append($$"""
            #compdef {{root.Name}}
            # Completion of {{root.Name}} for zsh, made by: {{root.Name}} completion zsh

            # Words to choose from; several may stand behind one another, comma-separated.
            _{{root.Name}}_words() {
                compset -P '*,'
                compadd -- "$@"
            }

            _{{root.Name}}() {
                local typed={{root.Name}} i files=0
                local -a options commands
                for ((i = 2; i < CURRENT; i++)); do
                    if [[ ${words[i]} == -- ]]; then
                        _command_names
                        _files
                        return
                    fi
                    case "$typed ${words[i]}" in
                        ({{Shell.Alternatives(root.All.Skip(1).Select(command => command.Path))}}) typed+=" ${words[i]}" ;;
                    esac
                done
                case "$typed ${words[CURRENT-1]}" in

            """);
        foreach (CompletionCommandEntry command in root.All)
        {
            foreach (CompletionOption option in command.Options.Where(option => option.Offer != Offer.Nothing))
            {
                string pattern = Shell.Alternatives(option.Names.Select(name => $"{command.Path} {name}"));
                string offered = option.Offer switch
                {
                    Offer.Words => $"_{root.Name}_words {string.Join(' ', option.Words.Select(Shell.Quoted))}; ",
                    Offer.File => "_files; ",
                    _ => "",
                };
                script.Append($"        ({pattern}) {offered}return ;;\n");
            }
        }

        script.Append("    esac\n    case $typed in\n");
        foreach (CompletionCommandEntry command in root.All)
        {
            IEnumerable<string> options = command.Options.SelectMany(
                option => option.Names.Select(name => Described(name, option.Description)));
            IEnumerable<string> commands = command.Commands.Select(below => Described(below.Name, below.Description))
                .Concat(command.Words.Select(word => Described(word, "")));
            script.Append($"""
                        ({Shell.Quoted(command.Path)})
                            options=({string.Join(' ', options)})
                            commands=({string.Join(' ', commands)})
                            files={(command.Offer == Offer.File ? 1 : 0)} ;;

                """);
        }

        script.Append($$"""
                esac
                if [[ $PREFIX == -* ]]; then
                    _describe -o option options
                else
                    (( $#commands )) && _describe command commands
                    (( files )) && _files
                fi
            }

            # As a file of $fpath this is the body of the function itself.
            if [[ ${funcstack[1]} == _{{root.Name}} ]]; then
                _{{root.Name}} "$@"
            else
                compdef _{{root.Name}} {{root.Name}}
            fi

            """);
        return script.ToString();
    }

    // A colon parts the word from what it means.
    private static string Described(string word, string description)
    {
        string escaped = word.Replace(":", "\\:", StringComparison.Ordinal);
        return Shell.Quoted(description.Length == 0 ? escaped : $"{escaped}:{description}");
    }
}
