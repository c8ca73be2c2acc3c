// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Machines;

/// <summary>A machine at one time: its memory by kind, in pages, and what it did since the time before.</summary>
/// <param name="Seconds">The virtual time.</param>
/// <param name="Programs">Pages of programs in memory.</param>
/// <param name="OwnActive">Own active pages of the cache.</param>
/// <param name="OwnInactive">Own inactive pages, those on their way to a list included.</param>
/// <param name="Lent">Pages of other machines.</param>
/// <param name="Free">Pages that hold nothing.</param>
/// <param name="Balloon">Pages that the balloon has.</param>
/// <param name="Swapped">Pages of programs on the swap device.</param>
/// <param name="Done">I/Os that ended.</param>
/// <param name="Pages">Pages asked for.</param>
/// <param name="Hits">Of them, those found in the own cache.</param>
/// <param name="IsSuspended">True when the machine lends and lending is suspended.</param>
public readonly record struct MachineSample(
    double Seconds, long Programs, long OwnActive, long OwnInactive, long Lent, long Free, long Balloon, long Swapped,
    long Done, long Pages, long Hits, bool IsSuspended)
{
    /// <summary>The share of the pages asked for that were found.</summary>
    public double HitRatio => Pages == 0 ? 0 : (double)Hits / Pages;
}

/// <summary>A machine over time.</summary>
internal sealed class MachineSeries(Machine machine, IReadOnlyList<IoClient> clients)
{
    private readonly List<MachineSample> _samples = [];
    private (long Done, long Pages, long Hits) _before;

    internal Machine Machine => machine;

    internal IReadOnlyList<MachineSample> Samples => _samples;

    internal void Add(long nowNanos)
    {
        (_, uint active) = machine.Cache.Lengths;
        long lent = machine.Watch.LentCount;
        long ownActive = active - machine.Watch.LentActiveCount;
        (long done, long pages, long hits) = (0, 0, 0);
        foreach (IoClient client in clients)
            (done, pages, hits) = (done + client.Done, pages + client.Pages, hits + client.Hits);
        _samples.Add(new MachineSample(
            VirtualClock.ToSeconds(nowNanos), machine.AnonymousPages, ownActive,
            machine.Cache.ResidentCount - ownActive - lent, lent, machine.Cache.FreeCount, machine.BalloonPages,
            machine.SwappedPages, done - _before.Done, pages - _before.Pages, hits - _before.Hits,
            machine.Lender?.IsSuspended ?? false));
        _before = (done, pages, hits);
    }
}
