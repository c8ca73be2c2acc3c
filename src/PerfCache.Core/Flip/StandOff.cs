// SPDX-License-Identifier: MIT
namespace PerfCache.Flip;

/// <summary>Keeps a consumer off the producer's heels.</summary>
/// <remarks>
/// A consumer that takes each page as soon as it is published fetches the line of the tail (of the turns) from the
/// producer's core for every page, and the producer has to get it back before it can tell of the next one: both go at the
/// pace of the lines, two to three times slower (the benchmark's row <c>flip 1</c>). So a look that finds fewer pages than
/// <see cref="DistanceMax"/> pauses once, for less than a microsecond, and looks again; then a line travels once for many
/// pages. Traffic that is slow would gain nothing: after a pause that brought no page, the next
/// <see cref="LooksAfterVain"/> looks do without. A page that is there is taken in any case, so nothing waits for another
/// thread.
/// </remarks>
internal static class StandOff
{
    /// <summary>Pages that should be there: two lines' worth of turns, so that the sides are on different lines.</summary>
    internal const uint DistanceMax = 128;

    /// <summary>Of a small ring so much: its producer must not come to its end while the consumer pauses.</summary>
    private const int PartOfRing = 8;

    // Each 25 to 40 ns (the runtime measures the processor's pause): the time in which a producer fills half the distance.
    private const int Pauses = 20;

    /// <summary>Looks without a pause after one that brought nothing.</summary>
    internal const uint LooksAfterVain = 64;

    /// <summary>The distance of a ring, 0 for one whose consumers never pause: who asks for the quickest answer, or has
    /// fewer cores than threads, is better off without.</summary>
    internal static uint DistanceOf(RingWait wait, int slotCount) =>
        wait is RingWait.Pause or RingWait.Adaptive && Environment.ProcessorCount > 1
            ? Math.Min(DistanceMax, (uint)slotCount / PartOfRing) : 0;

    /// <summary>Pauses, unless the last pauses brought nothing.</summary>
    /// <param name="looksWithout">Looks that still do without. Several consumers may count in it at once, and a count is
    /// lost then, which is a pause more or less.</param>
    /// <returns>False when this look does without.</returns>
    internal static bool TryPause(ref uint looksWithout)
    {
        // Read once: of two that see the last one, neither counts below zero.
        uint left = Volatile.Read(ref looksWithout);
        if (left > 0)
        {
            Volatile.Write(ref looksWithout, left - 1);
            return false;
        }

        Thread.SpinWait(Pauses);
        return true;
    }
}
