// SPDX-License-Identifier: MIT
using System.CommandLine;

namespace PerfCache.Cli.Completion;

/// <summary><c>perfcache completion</c>: prints a script that makes a shell complete the words of this program.</summary>
internal sealed class CompletionCommand : CliCommand
{
    private readonly Argument<string> _shell = new("SHELL") { Description = "bash, zsh or fish" };

    /// <summary>Makes the command.</summary>
    public CompletionCommand(CliContext context)
        : base("completion", "Print a script that makes a shell complete commands, options and their values.")
    {
        _shell.Offers("bash", "zsh", "fish");
        Add(_shell);
        SetAction(result => context.Out.Write(ScriptOf(result)));
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache completion bash > ~/.local/share/bash-completion/completions/perfcache
        perfcache completion zsh > ~/.zfunc/_perfcache             a folder of $fpath
        perfcache completion fish > ~/.config/fish/completions/perfcache.fish
        """;

    /// <inheritdoc/>
    public override string Notes => """
        The script knows the commands and options of the version that printed it; print it again after an update. For
        this session of bash only: eval "$(perfcache completion bash)"
        """;

    private string ScriptOf(ParseResult result)
    {
        string shell = result.GetValue(_shell)!;
        CompletionCommandEntry root =
            CompletionTable.Of((RootCommand)result.RootCommandResult.Command, CommandLine.Name);
        return shell switch
        {
            "bash" => BashScript.Of(root),
            "zsh" => ZshScript.Of(root),
            "fish" => FishScript.Of(root),
            _ => throw new UsageException($"'{shell}' is no shell that is known here: bash, zsh and fish are"),
        };
    }
}
