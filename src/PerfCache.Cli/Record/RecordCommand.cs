// SPDX-License-Identifier: MIT
using System.CommandLine;

namespace PerfCache.Cli.Record;

/// <summary>What a recording's command line asks for, checked.</summary>
internal sealed record RecordRequest
{
    public required IReadOnlyList<string> Command { get; init; }

    public required string Output { get; init; }

    public string? Only { get; init; }

    public bool CountsMappings { get; init; }

    public bool Json { get; init; }
}

/// <summary><c>perfcache record</c>: runs a program and writes the file pages that it reads and writes.</summary>
internal sealed class RecordCommand : CliCommand
{
    /// <summary>The trace's name where none is given.</summary>
    public const string DefaultOutput = "pages.trace.gz";

    private readonly Argument<string[]> _command = new("COMMAND")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "The program and its arguments, behind --",
    };

    private readonly Option<string> _output = new("--output", "-o")
    {
        HelpName = "FILE",
        Description = $"The trace to write, compressed when the name ends in .gz; default: {DefaultOutput}",
    };

    private readonly Option<string> _only = new("--only")
    {
        HelpName = "PATH",
        Description = "Record files only whose absolute path begins with PATH; default: all",
    };

    private readonly Option<bool> _mapped = new("--mapped")
    {
        Description = "Count every page of a file that is mapped as read once, when it is mapped: the upper bound of "
            + "what nobody can see; without it mapped pages are left out",
    };

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print the summary as one JSON object on standard output; the program's own output goes to "
            + "standard error then",
    };

    /// <summary>Makes the command.</summary>
    public RecordCommand(CliContext context)
        : base("record", "Run a program and write the file pages that it reads and writes (needs strace).")
    {
        Add(_command);
        foreach (Option option in (Option[])[_output, _only, _mapped, _json]) Add(option);
        SetAction(result => new RecordRun(context, RequestOf(result)).Run());
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache record -- sqlite3 table.db "select count(*) from t"
        perfcache record -o grep.trace.gz --only $PWD -- git grep -n needle
        perfcache replay grep.trace.gz --policy linux-6,lru --size 10%,50% --readahead
        """;

    /// <inheritdoc/>
    public override string Notes => """
        The trace has a line FILE PAGE r|w for each page of 4096 bytes that a system call read or wrote, the name of each
        file, and notes for replay --readahead. Pages touched through mappings cause no system call and are not seen; the
        summary says how much was mapped. The program runs slower meanwhile. Ctrl-C goes to the program; what was recorded
        until it ends is written.

        Exit code: the program's own (128 + number when a signal ended it); 1 when strace is missing or may not trace, or
        the trace cannot be written; 2 wrong usage.
        """;

    private RecordRequest RequestOf(ParseResult result)
    {
        string[] command = result.GetValue(_command) ?? [];
        if (command.Length == 0) throw new UsageException("no program to run; put it behind --, as in record -- ls");
        if (!result.Tokens.Any(token => token.Value == "--") && command[0].StartsWith('-'))
            throw new UsageException($"unknown option '{command[0]}'; put the program behind --");
        string output = result.GetValue(_output) ?? DefaultOutput;
        if (output.Length == 0) throw new UsageException("--output: the name is empty");
        string? only = result.GetValue(_only);
        if (only is { Length: 0 }) throw new UsageException("--only: the path is empty");
        return new RecordRequest
        {
            Command = command,
            Output = output,
            Only = only is null ? null : Path.GetFullPath(only),
            CountsMappings = result.GetValue(_mapped),
            Json = result.GetValue(_json),
        };
    }
}
