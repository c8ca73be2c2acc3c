// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.CommandLine.Parsing;
using PerfCache.Cli.Bench;
using PerfCache.Cli.Borrow;
using PerfCache.Cli.Completion;
using PerfCache.Cli.Flipping;
using PerfCache.Cli.Lend;
using PerfCache.Cli.Numa;
using PerfCache.Cli.Puma;
using PerfCache.Cli.PumaReal;
using PerfCache.Cli.Record;
using PerfCache.Cli.Study;
using PerfCache.Cli.Trace;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Traces;

namespace PerfCache.Cli;

/// <summary>
/// The command line as a function from arguments to an exit code: parses, runs a command, and turns whatever
/// goes wrong into one line on standard error.
/// </summary>
internal static class CommandLine
{
    /// <summary>What is typed to run it.</summary>
    public const string Name = "perfcache";

    private const string Examples = """
        perfcache study --quick                           everything at a glance, into study.html
        perfcache replay                                  a built-in workload, four policies, four sizes
        perfcache replay disk.vscsi --size 1%,10%         a trace of your own
        perfcache mrc disk.vscsi                          miss ratio by cache size, and a size to begin with
        perfcache bench --quick                           this machine's replay speed against the floor
        perfcache record -o app.trace.gz -- app --run     the file pages that a program reads and writes
        perfcache trace info disk.vscsi                   what a trace holds; also: trace head, trace convert
        perfcache numa                                    this machine's NUMA nodes and their distances
        perfcache numa residency 4711                     on which nodes a process has its memory
        perfcache flip --quick                            pages that domains exchange, and where their memory ends up
        perfcache puma concurrent                         machines that lend page cache, in virtual time
        perfcache puma-real --quick                       the same between real processes, in small
        perfcache lend --memory 1GiB                      a memcached server whose memory is on loan
        perfcache borrow-bench 127.0.0.1:11211            pages put to servers and verified when they come back
        perfcache completion bash                         a script that makes a shell complete all this
        perfcache replay --help                           all options of a command
        """;

    /// <summary>The version as printed.</summary>
    public static string Version { get; } =
        $"{Name} {typeof(CommandLine).Assembly.GetName().Version?.ToString(3)}";

    /// <summary>How arguments are taken apart.</summary>
    public static ParserConfiguration Parser { get; } =
        new() { EnablePosixBundling = false, ResponseFileTokenReplacer = null };

    /// <summary>All commands and their options.</summary>
    /// <param name="args">What was typed, for reports that say so.</param>
    /// <param name="context">What the commands touch.</param>
    public static RootCommand RootOf(string[] args, CliContext context)
    {
        RootCommand root = new("Page cache policies, traces and studies. Every command has --help with an example.")
        {
            HelpName = Name,
        };
        root.Add(new StudyCommand(context, args));
        root.Add(new ReplayCommand(context, args));
        root.Add(new MrcCommand(context, args));
        root.Add(new BenchCommand());
        root.Add(new RecordCommand(context));
        root.Add(new NumaCommand(context));
        root.Add(new TraceCommand(context));
        root.Add(new FlipCommand(context, args));
        root.Add(new PumaCommand(context, args));
        root.Add(new PumaRealCommand(context));
        root.Add(new LendCommand(context));
        root.Add(new BorrowBenchCommand(context));
        root.Add(new CompletionCommand(context));
        CommandHelp.Install(root, Name, Examples);
        return root;
    }

    /// <summary>Runs a command line.</summary>
    public static int Run(string[] args, CliContext context)
    {
        RootCommand root = RootOf(args, context);
        ParseResult result = root.Parse(args, Parser);
        string command = NameOf(result.CommandResult);
        try
        {
            // Help and version are asked for even where the rest of the line is wrong.
            if (result.Errors.Count > 0 && result.Action is not (CommandHelp or VersionAction))
                throw new UsageException(Explain(result, root));
            return result.InvokeAsync(new InvocationConfiguration
            {
                Output = context.Out,
                Error = context.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            }, context.Cancellation).GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is UsageException or ParameterException)
        {
            return Fail(context, $"{e.Message} (see '{command} --help')", ExitCode.Usage);
        }
        catch (Exception e) when (e is OutputPathException or TraceFormatException)
        {
            return Fail(context, e.Message, ExitCode.Usage);
        }
        catch (Exception e)
        {
            // A stack trace helps nobody at a prompt; what is left by now is the machine's trouble.
            string message = e is OutOfMemoryException ? $"not enough memory: {e.Message}" : e.Message;
            return Fail(context, message, ExitCode.Failure);
        }
    }

    /// <summary>Prints one error line and returns the exit code.</summary>
    public static int Fail(CliContext context, string message, int exitCode)
    {
        context.Error.WriteLine($"{Name}: {message.ReplaceLineEndings(" ")}");
        return exitCode;
    }

    /// <summary>Says that a command was stopped, and what its output is worth.</summary>
    /// <param name="context">Where to say it.</param>
    /// <param name="hasResults">True when something was finished before.</param>
    public static int Stopped(CliContext context, bool hasResults) => Fail(
        context, hasResults ? "stopped; what is finished is printed" : "stopped before the first result",
        ExitCode.Failure);

    /// <summary>The command with those it belongs to, as it is typed.</summary>
    private static string NameOf(CommandResult result) => result.Parent is CommandResult parent
        ? $"{NameOf(parent)} {result.Command.Name}" : Name;

    /// <summary>One line for what the parser found wrong.</summary>
    private static string Explain(ParseResult result, RootCommand root)
    {
        if (result.CommandResult.Command == root)
        {
            if (result.UnmatchedTokens.Count == 0) return "no command given";
            string token = result.UnmatchedTokens[0];
            return token.StartsWith('-') ? $"unknown option '{token}'" : $"unknown command '{token}'";
        }

        string message = result.Errors[0].Message.TrimEnd('.');
        return char.ToLowerInvariant(message[0]) + message[1..];
    }
}
