// SPDX-License-Identifier: MIT
using PerfCache.Cli;

namespace PerfCache.Tests.Cli;

/// <summary>The command line in this process with nothing faked, and what it said.</summary>
internal sealed record CliRun(int ExitCode, string Out, string Error)
{
    /// <summary>Runs a command line.</summary>
    internal static CliRun Of(params string[] args) => Of(context => context, args);

    /// <summary>Asserts that a command line is refused as wrong usage, in one line that says what.</summary>
    internal static void IsWrongUsage(string expected, params string[] args)
    {
        CliRun run = Of(args);
        Assert.That(run.ExitCode, Is.EqualTo(PerfCache.Cli.ExitCode.Usage), run.Error);
        Assert.That(run.Error.Trim().Split('\n'), Has.Length.EqualTo(1));
        Assert.That(run.Error, Does.Contain(expected).IgnoreCase);
    }

    /// <summary>Runs a command line in a world that differs in something.</summary>
    internal static CliRun Of(Func<CliContext, CliContext> change, params string[] args)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        int exitCode = CommandLine.Run(args, change(new CliContext { Out = output, Error = error }));
        return new CliRun(exitCode, output.ToString(), error.ToString());
    }
}
