// SPDX-License-Identifier: MIT
using System.Diagnostics.Metrics;
using PerfCache.Cache;

namespace PerfCache.Remote.Borrowing;

/// <summary>The metrics of all borrowed memory in the process, for System.Diagnostics.Metrics.</summary>
/// <remarks>
/// <code>
/// borrowed.evictions     counter {page}        tag borrowed.outcome: sent, kept, sequential, no_server, no_room, source_faster
/// borrowed.gets          counter {page}        tag borrowed.outcome: hit, missing, expired, wrong
/// borrowed.known_misses  counter {page}        no server was asked
/// borrowed.forgotten     counter {page}        changed, or may have
/// borrowed.pages         up-down {page}        that the catalogue knows
/// borrowed.off           gauge   1             1 while single pages come from the source, which is faster
/// borrowed.get_time      gauge   s             what a miss waits for the servers, on average
/// borrowed.source_time   gauge   s             what it waits for the source
/// </code>
/// Every measurement has the tag borrowed.name; each server's connections are in <see cref="FleetMetrics"/>. All instruments
/// are observable: nothing is paid but when somebody collects.
/// </remarks>
public static class BorrowedMemoryMetrics
{
    /// <summary>The name of the meter.</summary>
    public const string MeterName = "PerfCache.BorrowedMemory";

    private const string NameTag = "borrowed.name";
    private const string OutcomeTag = "borrowed.outcome";

    private static readonly Meter s_meter = new(MeterName);
    private static readonly MeasuredInstances<BorrowedMemory> s_all = new();

    static BorrowedMemoryMetrics()
    {
        s_meter.CreateObservableCounter(
            "borrowed.evictions",
            () => Outcomes(
                ("sent", s => s.Sent), ("kept", s => s.Kept), ("sequential", s => s.DroppedSequential),
                ("no_server", s => s.DroppedNoServer), ("no_room", s => s.DroppedNoRoom),
                ("source_faster", s => s.DroppedSourceFaster)),
            "{page}", "Clean pages that the cache evicted.");
        s_meter.CreateObservableCounter(
            "borrowed.gets",
            () => Outcomes(
                ("hit", s => s.Hits), ("missing", s => s.Missing), ("expired", s => s.Expired), ("wrong", s => s.Wrong)),
            "{page}", "Pages that were asked for.");
        s_meter.CreateObservableCounter(
            "borrowed.known_misses", () => Each(s => s.KnownMisses), "{page}", "Misses that no server was asked for.");
        s_meter.CreateObservableCounter(
            "borrowed.forgotten", () => Each(s => s.Forgotten), "{page}", "Pages that changed, or may have.");
        s_meter.CreateObservableUpDownCounter(
            "borrowed.pages", () => Each(s => s.CataloguePages), "{page}", "Pages that the catalogue knows.");
        s_meter.CreateObservableGauge(
            "borrowed.off", () => Each(s => s.IsOffForSingle ? 1L : 0), "1", "1 while the source is faster.");
        s_meter.CreateObservableGauge(
            "borrowed.get_time", () => Each(s => s.ServerTime.TotalSeconds), "s", "What a miss waits for the servers.");
        s_meter.CreateObservableGauge(
            "borrowed.source_time", () => Each(s => s.SourceTime.TotalSeconds), "s", "What a miss waits for the source.");
    }

    internal static void Add(BorrowedMemory memory) => s_all.Add(memory);

    internal static void Remove(BorrowedMemory memory) => s_all.Remove(memory);

    private static List<Measurement<T>> Each<T>(Func<BorrowedMemoryStatistics, T> read) where T : struct =>
        [.. s_all.All().Select(memory => new Measurement<T>(
            read(memory.Statistics), new KeyValuePair<string, object?>(NameTag, memory.Name)))];

    private static List<Measurement<long>> Outcomes(params (string Name, Func<BorrowedMemoryStatistics, long> Read)[] outcomes)
    {
        List<Measurement<long>> values = [];
        foreach (BorrowedMemory memory in s_all.All())
        {
            BorrowedMemoryStatistics counts = memory.Statistics;
            foreach ((string name, Func<BorrowedMemoryStatistics, long> read) in outcomes)
                values.Add(new(read(counts), new(NameTag, memory.Name), new(OutcomeTag, name)));
        }

        return values;
    }
}
