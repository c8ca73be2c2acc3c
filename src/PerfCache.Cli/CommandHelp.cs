// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace PerfCache.Cli;

/// <summary>A command that can say how it is used.</summary>
internal abstract class CliCommand(string name, string description) : Command(name, description)
{
    /// <summary>Lines to type, shown below the options.</summary>
    public abstract string Examples { get; }

    /// <summary>What else help should tell, below the examples.</summary>
    public virtual string Notes => "";
}

/// <summary>Help as the parser writes it, with examples and notes below.</summary>
internal sealed class CommandHelp(HelpAction options, string rootExamples) : SynchronousCommandLineAction
{
    private const int WidthMax = 108;

    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <summary>Replaces the help and version actions of a command line.</summary>
    public static void Install(RootCommand root, string name, string rootExamples)
    {
        foreach (Option option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction action })
            {
                action.MaxWidth = WidthMax;
                option.Action = new CommandHelp(action, rootExamples);
                option.Description = "Show this help";
            }
            else if (option is VersionOption)
            {
                option.Action = new VersionAction();
                option.Description = $"Show the version of {name}";
            }
        }
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        options.Invoke(parseResult);
        TextWriter writer = parseResult.InvocationConfiguration.Output;
        Command command = parseResult.CommandResult.Command;
        string examples = command switch
        {
            RootCommand => rootExamples,
            CliCommand { Examples: string own } => own,
            _ => "",
        };
        if (examples.Length > 0)
        {
            writer.WriteLine("Examples:");
            foreach (string line in examples.Split('\n')) writer.WriteLine($"  {line}");
        }

        if (command is CliCommand { Notes: { Length: > 0 } notes }) writer.WriteLine($"\n{notes}");
        return ExitCode.Success;
    }
}

/// <summary>Prints the version of this program, whatever process hosts it.</summary>
internal sealed class VersionAction : SynchronousCommandLineAction
{
    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        parseResult.InvocationConfiguration.Output.WriteLine(CommandLine.Version);
        return ExitCode.Success;
    }
}
