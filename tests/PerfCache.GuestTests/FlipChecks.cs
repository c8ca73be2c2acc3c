// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.GuestTests;

/// <summary>
/// The flipping study's story on real nodes: domains exchange frames through the ring, and where these end up is asked of
/// the kernel, frame by frame.
/// </summary>
internal static class FlipChecks
{
    private const double DriftMin = 0.1;
    private const double RemedyMax = 0.02;

    internal static IReadOnlyList<GuestCheck> All { get; } =
    [
        new("flipped-memory-drifts-to-the-other-node", GuestKind.Any, _ => Expect.That(
            Run("naive").RemoteShareFound > DriftMin, "naive flipping makes memory remote")),
        new("a-pool-keeps-flipped-memory-at-home", GuestKind.Any, _ => ExpectCured("pool-static")),
        new("a-dynamic-pool-keeps-flipped-memory-at-home", GuestKind.Any, _ => ExpectCured("pool-dynamic")),
        new("migration-by-threshold-brings-flipped-memory-home", GuestKind.Any, _ => ExpectMigrated("threshold")),
        new("periodic-migration-brings-flipped-memory-home", GuestKind.Any, _ => ExpectMigrated("periodic")),
    ];

    private static void ExpectMigrated(string remedy) =>
        Expect.That(ExpectCured(remedy).Migrated > 0, $"{remedy} moves pages");

    private static LiveFlipResult ExpectCured(string remedy)
    {
        LiveFlipResult result = Run(remedy);
        Expect.That(result.RemoteShareFound < RemedyMax, $"with {remedy}, a share of {result.RemoteShareFound} is remote");
        return result;
    }

    private static LiveFlipResult Run(string remedy)
    {
        LiveFlipOptions options = new() { GuestFrames = 4096, DriverFrames = 2048, Pages = 16_384, PoolFrames = 256 };
        LiveFlipResult result = LiveFlip.Run(
            options, FlipRemedy.Parse(remedy), NumaTopology.Read(), NumaSystem.OfThisMachine, TimeProvider.System);
        Expect.Equal(result.WrongPages, 0, $"wrong pages with {remedy}");
        Expect.That(result.Flips >= options.Pages, $"{result.Flips} of {options.Pages} pages are flipped");
        Expect.That(
            Math.Abs(result.RemoteShareFound - result.RemoteShare) < 1e-9,
            $"with {remedy} the books say {result.RemoteShare} and the kernel {result.RemoteShareFound}");
        return result;
    }
}
