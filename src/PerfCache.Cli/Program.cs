// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Cli;

using CancellationTokenSource stop = new();
StopSignals signals = new();
void Stop(PosixSignalContext signal)
{
    if (signals.PassOn is { } passOn)
    {
        signal.Cancel = true;
        passOn(signal.Signal);
        return;
    }

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
    Signals = signals,
});
