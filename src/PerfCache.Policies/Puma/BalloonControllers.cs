// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Puma;

/// <summary>How short of memory a guest is.</summary>
public enum MemoryPressure
{
    /// <summary>It has what it needs.</summary>
    None,

    /// <summary>It reclaims page cache.</summary>
    Low,

    /// <summary>It reclaims, and programs wait for it.</summary>
    Medium,

    /// <summary>It swaps, or cannot go on.</summary>
    Critical,
}

/// <summary>A guest as its host sees it: sizes, not contents.</summary>
public sealed class BalloonGuest
{
    /// <summary>The memory that it has when its balloon is empty, in pages.</summary>
    public required long MaxPages { get; init; }

    /// <summary>The memory that the host never takes, in pages.</summary>
    public required long MinPages { get; init; }

    /// <summary>Its weight among the guests.</summary>
    public double Shares { get; init; } = 1000;

    /// <summary>Its balloon.</summary>
    public required BalloonDriver Balloon { get; init; }

    /// <summary>Free pages, as it reported them last.</summary>
    public long FreePages { get; set; }

    /// <summary>Its memory now, in pages.</summary>
    public long CurrentPages => MaxPages - Balloon.ActualPages;
}

/// <summary>Decides how large balloons are to be: the host's side of automatic ballooning.</summary>
public interface IBalloonController
{
    /// <summary>A guest reports that it needs pages.</summary>
    /// <param name="guests">All guests.</param>
    /// <param name="needy">The index of the one that reports.</param>
    /// <param name="pressure">How badly.</param>
    /// <param name="hostFreePages">Pages of the host that no guest has.</param>
    void OnPressure(IReadOnlyList<BalloonGuest> guests, int needy, MemoryPressure pressure, long hostFreePages);

    /// <summary>A round of a controller that looks by itself.</summary>
    /// <param name="guests">All guests.</param>
    /// <param name="hostUsedPages">Pages of the host that are in use.</param>
    /// <param name="hostPages">All pages of the host.</param>
    void OnRound(IReadOnlyList<BalloonGuest> guests, long hostUsedPages, long hostPages);

    /// <summary>The time between rounds; zero for none.</summary>
    TimeSpan RoundTime { get; }
}

/// <summary>
/// The slides' four steps: a guest under pressure asks for a request's worth of pages; where the host has none, the other
/// guest with most free or, by size, most memory above its minimum inflates; then the first one deflates.
/// </summary>
public sealed class DemandController(int pagesPerRequest = 256) : IBalloonController
{
    /// <inheritdoc/>
    public TimeSpan RoundTime => TimeSpan.Zero;

    /// <inheritdoc/>
    public void OnPressure(IReadOnlyList<BalloonGuest> guests, int needy, MemoryPressure pressure, long hostFreePages)
    {
        ArgumentNullException.ThrowIfNull(guests);
        BalloonGuest asking = guests[needy];
        long wanted = Math.Min(pagesPerRequest, asking.Balloon.ActualPages);
        if (wanted == 0) return;
        asking.Balloon.TargetPages = asking.Balloon.ActualPages - wanted;
        long missing = wanted - hostFreePages;
        if (missing > 0) BalloonSteps.TakeFromOthers(guests, needy, missing);
    }

    /// <inheritdoc/>
    public void OnRound(IReadOnlyList<BalloonGuest> guests, long hostUsedPages, long hostPages)
    {
    }
}

/// <summary>
/// Steps by pressure: low 1 MiB, medium 16 MiB, critical 128 MiB, as on the KVM project's page about automatic ballooning.
/// </summary>
/// <param name="pagesPerMib">Pages of 1 MiB: fewer in a study whose machines are scaled down.</param>
public sealed class PressureController(double pagesPerMib = 256) : IBalloonController
{

    /// <inheritdoc/>
    public TimeSpan RoundTime => TimeSpan.Zero;

    /// <inheritdoc/>
    public void OnPressure(IReadOnlyList<BalloonGuest> guests, int needy, MemoryPressure pressure, long hostFreePages)
    {
        ArgumentNullException.ThrowIfNull(guests);
        long step = pressure switch
        {
            MemoryPressure.None => 0,
            MemoryPressure.Low => (long)Math.Ceiling(pagesPerMib),
            MemoryPressure.Medium => (long)Math.Ceiling(16 * pagesPerMib),
            _ => (long)Math.Ceiling(128 * pagesPerMib),
        };
        BalloonGuest asking = guests[needy];
        long wanted = Math.Min(step, asking.Balloon.ActualPages);
        if (wanted == 0) return;
        asking.Balloon.TargetPages = Math.Min(asking.Balloon.TargetPages, asking.Balloon.ActualPages - wanted);
        long missing = wanted - hostFreePages;
        if (missing > 0) BalloonSteps.TakeFromOthers(guests, needy, missing);
    }

    /// <inheritdoc/>
    public void OnRound(IReadOnlyList<BalloonGuest> guests, long hostUsedPages, long hostPages)
    {
    }
}

/// <summary>
/// Rounds with a goal, as in Proxmox VE: 80 % of the host in use, a dead band of 10 MiB, at most 100 MiB a guest and
/// round, by shares; guests with much free memory shrink first, the others grow first.
/// </summary>
/// <param name="roundTime">The time between rounds.</param>
/// <param name="pagesPerMib">Pages of 1 MiB: fewer in a study whose machines are scaled down.</param>
public sealed class GoalController(TimeSpan roundTime, double pagesPerMib = 256) : IBalloonController
{
    private const double GoalShare = 0.8;
    private const double MuchFreeShare = 0.25;
    private readonly long _deadBandPages = (long)Math.Ceiling(10 * pagesPerMib);
    private readonly long _stepPagesMost = (long)Math.Ceiling(100 * pagesPerMib);

    /// <inheritdoc/>
    public TimeSpan RoundTime { get; } = roundTime;

    /// <inheritdoc/>
    public void OnPressure(IReadOnlyList<BalloonGuest> guests, int needy, MemoryPressure pressure, long hostFreePages)
    {
    }

    /// <inheritdoc/>
    public void OnRound(IReadOnlyList<BalloonGuest> guests, long hostUsedPages, long hostPages)
    {
        ArgumentNullException.ThrowIfNull(guests);
        long goal = (long)(GoalShare * hostPages) - hostUsedPages;
        // Guests with much free memory give to those without, whatever the host has: by equal steps.
        long moved = 0;
        foreach (BalloonGuest guest in guests)
        {
            if (!HasMuchFree(guest)) continue;
            long step = Math.Min(Math.Min(_stepPagesMost, guest.CurrentPages - guest.MinPages), guest.FreePages / 2);
            if (step <= 0 || (goal >= _deadBandPages && guests.Count == 1)) continue;
            guest.Balloon.TargetPages = guest.Balloon.ActualPages + step;
            moved += step;
        }

        long room = Math.Max(0, goal > _deadBandPages ? goal : 0) + moved;
        Grow(guests, room);
        if (goal < -_deadBandPages) Shrink(guests, -goal - moved);
    }

    private static bool HasMuchFree(BalloonGuest guest) => guest.FreePages > MuchFreeShare * guest.MinPages;

    private void Grow(IReadOnlyList<BalloonGuest> guests, long room)
    {
        double shares = guests.Where(guest => !HasMuchFree(guest) && guest.Balloon.ActualPages > 0).Sum(one => one.Shares);
        if (shares == 0) return;
        foreach (BalloonGuest guest in guests)
        {
            if (HasMuchFree(guest) || guest.Balloon.ActualPages == 0) continue;
            long step = Math.Min((long)(room * guest.Shares / shares), _stepPagesMost);
            guest.Balloon.TargetPages = Math.Max(0, guest.Balloon.ActualPages - step);
        }
    }

    private void Shrink(IReadOnlyList<BalloonGuest> guests, long excess)
    {
        double shares = guests.Sum(one => 1 / one.Shares);
        foreach (BalloonGuest guest in guests)
        {
            long step = Math.Min((long)(excess / guest.Shares / shares), _stepPagesMost);
            step = Math.Min(step, guest.CurrentPages - guest.MinPages);
            if (step > 0) guest.Balloon.TargetPages = guest.Balloon.ActualPages + step;
        }
    }
}

/// <summary>What the controllers that are asked share.</summary>
internal static class BalloonSteps
{
    /// <summary>Balloons of others grow by so many pages in all: first where most memory is free, then where there is most
    /// above the minimum. The host cannot tell page cache from programs.</summary>
    internal static void TakeFromOthers(IReadOnlyList<BalloonGuest> guests, int needy, long pages)
    {
        foreach (BalloonGuest guest in guests.Where((_, index) => index != needy)
            .OrderByDescending(one => one.FreePages).ThenByDescending(one => one.CurrentPages - one.MinPages))
        {
            BalloonDriver balloon = guest.Balloon;
            long promised = Math.Max(0, balloon.TargetPages - balloon.ActualPages);
            long most = guest.CurrentPages - guest.MinPages - promised;
            long taken = Math.Clamp(most, 0, pages);
            balloon.TargetPages = balloon.ActualPages + promised + taken;
            pages -= taken;
            if (pages == 0) return;
        }
    }
}
