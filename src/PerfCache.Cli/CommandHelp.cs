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
        CliCommand? command = parseResult.CommandResult.Command as CliCommand;
        writer.WriteLine("Examples:");
        WriteIndented(writer, command?.Examples ?? rootExamples);
        if (!string.IsNullOrEmpty(command?.Notes)) writer.WriteLine($"\n{command.Notes}");
        return ExitCode.Success;
    }

    private static void WriteIndented(TextWriter writer, string text)
    {
        foreach (string line in text.Split('\n')) writer.WriteLine($"  {line}");
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
