// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Cli;

/// <summary>
/// What a command touches of the world, so that tests can run commands in their own process.
/// </summary>
internal sealed record CliContext
{
    /// <summary>Results.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>Errors, notes and progress.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Opens standard output for bytes.</summary>
    public Func<Stream> OpenOut { get; init; } = Console.OpenStandardOutput;

    /// <summary>Whether a person reads <see cref="Out"/>; colours are for them only.</summary>
    public bool OutIsTerminal { get; init; }

    /// <summary>Whether a person reads <see cref="Error"/>; progress is for them only.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>Ctrl-C.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Ctrl-C, for a command that passes it on to another program.</summary>
    public StopSignals Signals { get; init; } = new();

    /// <summary>Makes a trace from its name on the command line.</summary>
    public Func<string, TraceOptions, ITraceSource> OpenTrace { get; init; } = TraceSource.Parse;

    /// <summary>Replays a trace.</summary>
    public ReplayTrace Replay { get; init; } = TraceReplay.Run;

    /// <summary>Replays a trace against the cache with page data.</summary>
    public ReplayLive ReplayLive { get; init; } = LiveReplay.Run;

    /// <summary>Makes the miss ratio curves of a trace.</summary>
    public MakeCurves MakeCurves { get; init; } = CurveRun.Run;

    /// <summary>The policies there are.</summary>
    public PolicyCatalog Policies { get; init; } = PolicyCatalog.BuiltIn;

    /// <summary>The folder that has sys and proc, where a machine's nodes are read.</summary>
    public string MachineRoot { get; init; } = "/";

    /// <summary>Checks a policy's name and parameters before a long run; null to look it up in
    /// <see cref="Policies"/>.</summary>
    public Action<PolicySpec>? CheckPolicy { get; init; }
}

/// <summary>Replays a trace: <see cref="TraceReplay.Run"/>, or the same over a test's own cells.</summary>
internal delegate IReadOnlyList<ReplayResult> ReplayTrace(ITraceSource source, ReplayOptions options,
    Action<ReplayProgress>? progress, CancellationToken cancellation);

/// <summary>Replays a trace live: <see cref="LiveReplay.Run"/>, or a test's own.</summary>
internal delegate IReadOnlyList<ReplayResult> ReplayLive(ITraceSource source, ReplayOptions options, LiveOptions live,
    Action<ReplayProgress>? progress, CancellationToken cancellation);

/// <summary>Makes curves: <see cref="CurveRun.Run"/>, or a test's own.</summary>
internal delegate IReadOnlyList<MissRatioCurve> MakeCurves(ITraceSource source, CurveOptions options,
    Action<ReplayProgress>? progress, CancellationToken cancellation);

/// <summary>The exit codes that scripts rely on.</summary>
internal static class ExitCode
{
    /// <summary>All is done.</summary>
    public const int Success = 0;

    /// <summary>The work failed or was stopped: a full disk, not enough memory, Ctrl-C.</summary>
    public const int Failure = 1;

    /// <summary>Wrong usage or bad input, an output file that cannot be opened included.</summary>
    public const int Usage = 2;
}

/// <summary>Wrong usage: one line that says what and what to do instead.</summary>
internal sealed class UsageException(string message) : Exception(message);
