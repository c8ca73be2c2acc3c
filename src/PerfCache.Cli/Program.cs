// SPDX-License-Identifier: MIT
using PerfCache.Cli;

using CancellationTokenSource stop = new();
Console.CancelKeyPress += (_, press) =>
{
    // The first Ctrl-C ends the work between two blocks and prints what is finished; a second one ends the process.
    press.Cancel = !stop.IsCancellationRequested;
    stop.Cancel();
};

return CommandLine.Run(args, new CliContext
{
    Out = Console.Out,
    Error = Console.Error,
    OutIsTerminal = !Console.IsOutputRedirected,
    ErrorIsTerminal = !Console.IsErrorRedirected,
    Cancellation = stop.Token,
});
