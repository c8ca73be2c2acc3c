// SPDX-License-Identifier: MIT
using System.CommandLine;
using PerfCache.Simulation.Traces;

namespace PerfCache.Cli.Trace;

/// <summary><c>perfcache trace</c>: looks at traces and writes them in other formats.</summary>
internal sealed class TraceCommand : CliCommand
{
    /// <summary>Makes the command and those below it.</summary>
    public TraceCommand(CliContext context)
        : base("trace", "Look at a trace, or write it in another format: info, head, convert.")
    {
        Add(new TraceInfoCommand(context));
        Add(new TraceHeadCommand(context));
        Add(new TraceConvertCommand(context));
        SetAction(SayWhat);
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache trace info disk.vscsi.gz
        perfcache trace head disk.vscsi.gz --lines 20
        perfcache trace convert disk.vscsi.gz --to oracle -o disk.oracleGeneral.gz
        """;

    /// <summary>The one trace of a command that takes one.</summary>
    public static string OneTrace(string[]? traces)
    {
        TraceArguments.CheckNames(traces ?? []);
        return traces is [string trace] ? trace
            : throw new UsageException($"give one trace, not {traces?.Length ?? 0}");
    }

    /// <summary>The argument for traces.</summary>
    public static Argument<string[]> TraceArgument() => new("TRACE")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "A file (plain, .gz or .zst), - for standard input, or a generator",
    };

    private static int SayWhat(ParseResult result) =>
        throw new UsageException("say what to do with the trace: info, head or convert");

    /// <summary>The names of columns, for people.</summary>
    public static string Describe(TraceColumns columns) => string.Join(", ", Names(columns));

    /// <summary>The names of columns.</summary>
    public static IEnumerable<string> Names(TraceColumns columns)
    {
        if (columns.HasFlag(TraceColumns.File)) yield return "files";
        if (columns.HasFlag(TraceColumns.Size)) yield return "sizes";
        if (columns.HasFlag(TraceColumns.Time)) yield return "times";
        if (columns.HasFlag(TraceColumns.Write)) yield return "writes";
        if (columns.HasFlag(TraceColumns.Next)) yield return "next requests";
        if (columns.HasFlag(TraceColumns.Notes)) yield return "notes of a recording";
    }
}
