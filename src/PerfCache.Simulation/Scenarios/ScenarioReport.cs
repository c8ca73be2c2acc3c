// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>A column of a <see cref="ScenarioTable"/>.</summary>
/// <param name="Name">Its name in JSON and CSV.</param>
/// <param name="Heading">Its name for people.</param>
/// <param name="Format">How numbers are written for people: a .NET format, invariant.</param>
public readonly record struct ScenarioColumn(string Name, string Heading, string Format = "");

/// <summary>Results, a row a run.</summary>
/// <param name="Name">Its name in JSON and CSV.</param>
/// <param name="Title">What it shows.</param>
/// <param name="Columns">The columns.</param>
/// <param name="Rows">Values in the order of the columns: string, long, double, bool, or null for none.</param>
public sealed record ScenarioTable(
    string Name, string Title, IReadOnlyList<ScenarioColumn> Columns, IReadOnlyList<IReadOnlyList<object?>> Rows);

/// <summary>One machine of one run over time.</summary>
/// <param name="Run">Which run.</param>
/// <param name="Machine">Which machine.</param>
/// <param name="PageBytes">Bytes of a page, with the scale in it: what a page of the samples stands for.</param>
/// <param name="IntervalSeconds">The time between samples.</param>
/// <param name="Samples">What it had and did.</param>
/// <param name="Suspended">When its lending was suspended, in seconds.</param>
public sealed record MachineTimeline(
    string Run, string Machine, double PageBytes, double IntervalSeconds, IReadOnlyList<MachineSample> Samples,
    IReadOnlyList<(double From, double To)> Suspended);

/// <summary>A block of memory that a program asked for.</summary>
/// <param name="Seconds">When.</param>
/// <param name="Milliseconds">How long it took.</param>
/// <param name="IsClean">True when neither a rest of a balloon nor a swap device had part in it.</param>
public readonly record struct MallocPoint(double Seconds, double Milliseconds, bool IsClean);

/// <summary>The blocks of one run.</summary>
public sealed record MallocTimeline(string Run, IReadOnlyList<MallocPoint> Points);

/// <summary>What a lender decided in one run.</summary>
/// <param name="Run">Which run.</param>
/// <param name="Machine">Who decided.</param>
/// <param name="Journal">What; times are virtual nanoseconds.</param>
public sealed record DecisionList(string Run, string Machine, PumaJournal Journal);

/// <summary>A number that says in short what a scenario showed, for studies of sensitivity.</summary>
/// <param name="Name">Its name in JSON and CSV.</param>
/// <param name="Heading">Its name for people.</param>
/// <param name="Value">The number.</param>
public readonly record struct KeyFigure(string Name, string Heading, double Value);

/// <summary>All that a scenario showed.</summary>
public sealed record ScenarioReport
{
    /// <summary>The scenario's name on the command line.</summary>
    public required string Scenario { get; init; }

    /// <summary>What it is about, in a sentence.</summary>
    public required string Question { get; init; }

    /// <summary>The results.</summary>
    public required IReadOnlyList<ScenarioTable> Tables { get; init; }

    /// <summary>What they mean, a sentence each.</summary>
    public required IReadOnlyList<string> Findings { get; init; }

    /// <summary>The numbers to watch, of the first kernel.</summary>
    public IReadOnlyList<KeyFigure> KeyFigures { get; init; } = [];

    /// <summary>Machines over time, to plot.</summary>
    public IReadOnlyList<MachineTimeline> Timelines { get; init; } = [];

    /// <summary>Blocks of memory over time, to plot.</summary>
    public IReadOnlyList<MallocTimeline> Mallocs { get; init; } = [];

    /// <summary>What was decided.</summary>
    public IReadOnlyList<DecisionList> Decisions { get; init; } = [];

    /// <summary>What it was run with.</summary>
    public required ParameterSet Parameters { get; init; }
}
