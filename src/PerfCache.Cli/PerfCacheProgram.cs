// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Simulation.Replay;

namespace PerfCache.Cli;

/// <summary>The command line <c>perfcache</c> as a call: for programs that add policies of their own to it.</summary>
public static class PerfCacheProgram
{
    /// <summary>Runs a command line on the process's own console.</summary>
    /// <param name="args">The command line, without the program's name.</param>
    /// <param name="policies">The policies that <c>--policy</c> knows; null for those that come with PerfCache.</param>
    /// <returns>The exit code: 0 success, 1 failed or stopped, 2 wrong usage or bad input.</returns>
    public static int Run(string[] args, PolicyCatalog? policies = null)
    {
        ArgumentNullException.ThrowIfNull(args);
        using CancellationTokenSource stop = new();
        void Stop(PosixSignalContext signal)
        {
            // The first signal ends the work between two blocks and prints what is finished; a second one ends the
            // process.
            signal.Cancel = !stop.IsCancellationRequested;
            stop.Cancel();
        }

        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        return CommandLine.Run(args, new CliContext
        {
            Out = Console.Out,
            Error = Console.Error,
            OutIsTerminal = !Console.IsOutputRedirected,
            ErrorIsTerminal = !Console.IsErrorRedirected,
            Cancellation = stop.Token,
            Policies = policies ?? PolicyCatalog.BuiltIn,
        });
    }
}
