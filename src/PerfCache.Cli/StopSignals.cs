// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Cli;

/// <summary>
/// Ctrl-C and termination. Mostly the first one cancels the command's work and a second one ends the process; a command
/// that runs another program passes them on instead, and ends when that program does.
/// </summary>
internal sealed class StopSignals
{
    /// <summary>Takes the signals while it is set; then none of them ends this process.</summary>
    public Action<PosixSignal>? PassOn { get; set; }
}
