// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Machines;

/// <summary>
/// All machines of a run, their programs, and the virtual time that they share. One seed decides everything.
/// </summary>
internal sealed class MachineRoom : IEventTarget, IDisposable
{
    private readonly List<Machine> _machines = [];
    private readonly List<IoClient> _clients = [];
    private readonly List<MachineSeries> _series = [];
    private readonly SeedStreams _seeds;
    private long _sampleNanos;

    internal MachineRoom(ParameterSet parameters, ulong seed)
    {
        Parameters = parameters;
        _seeds = new SeedStreams(seed);
    }

    internal EventQueue Queue { get; } = new();

    internal ParameterSet Parameters { get; }

    internal IReadOnlyList<Machine> Machines => _machines;

    internal IReadOnlyList<MachineSeries> Series => _series;

    internal BalloonHost? Host { get; set; }

    internal Machine Add(MachineOptions options)
    {
        Machine machine = new(Queue, options, Parameters);
        _machines.Add(machine);
        return machine;
    }

    /// <summary>Lets one machine lend to another.</summary>
    internal void Lend(
        Machine lender, Machine borrower, PumaLenderOptions lending, BorrowerOptions borrowing, long quotaPages = 0)
    {
        lender.BecomeLender(lending);
        borrower.BecomeBorrower(borrowing);
        _ = new PumaLink(Queue, borrower, lender, quotaPages);
    }

    internal IoClient Run(Machine machine, IoClientOptions options)
    {
        IoClient client = new(Queue, machine, options, _seeds.Stream($"{machine.Options.Name} program {_clients.Count}"));
        _clients.Add(client);
        return client;
    }

    internal MallocClient Run(Machine machine, MallocClientOptions options) =>
        new(Queue, machine, Host, options, () => (Host?.BackOffs ?? 0, _machines.Sum(one => one.SwapOuts)));

    /// <summary>Begins to note what the machines have and do, at regular times.</summary>
    internal void Sample(long everyNanos)
    {
        _sampleNanos = everyNanos;
        foreach (Machine machine in _machines)
            _series.Add(new MachineSeries(machine, [.. _clients.Where(client => client.Machine == machine)]));
        Queue.Schedule(Queue.NowNanos, this);
    }

    /// <summary>Lets time pass.</summary>
    /// <param name="untilNanos">Until when.</param>
    /// <param name="run">Whoever wants to know how far it is, and may stop it.</param>
    internal void RunUntil(long untilNanos, ScenarioRun run)
    {
        const int Steps = 200;
        long start = Queue.NowNanos;
        for (int i = 1; i <= Steps; i++)
        {
            run.ThrowIfStopped();
            Queue.RunUntil(start + (long)((untilNanos - start) * ((double)i / Steps)));
            run.Report((double)i / Steps);
        }
    }

    /// <inheritdoc/>
    public void Handle(long nowNanos, int kind, long argument)
    {
        foreach (MachineSeries series in _series) series.Add(nowNanos);
        Queue.Schedule(nowNanos + _sampleNanos, this);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Machine machine in _machines) machine.Dispose();
    }
}

/// <summary>Who runs a scenario: is told how far it is, and may stop it.</summary>
internal sealed class ScenarioRun(Action<string, double>? progress, CancellationToken cancellation)
{
    /// <summary>What is being run.</summary>
    internal string Part { get; set; } = "";

    internal void Report(double fraction) => progress?.Invoke(Part, fraction);

    internal void ThrowIfStopped() => cancellation.ThrowIfCancellationRequested();
}
