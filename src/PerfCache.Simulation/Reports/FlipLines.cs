// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.Json;
using PerfCache.Policies.Flipping;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// The flipping study for scripts: JSON objects, one a line, told apart by <c>kind</c>, and the samples as
/// comma-separated values. The names are a contract.
/// </summary>
public static class FlipLines
{
    /// <summary>All that a study printed: parameters, runs with their samples, delivery, sensitivity.</summary>
    public static IEnumerable<string> All(
        FlipScenario scenario, IReadOnlyList<FlipResult> results, IReadOnlyList<FlipSensitivity> sensitivities)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        ArgumentNullException.ThrowIfNull(results);
        ArgumentNullException.ThrowIfNull(sensitivities);
        foreach (Parameter one in scenario.Parameters) yield return ParameterTable.Json(one);
        foreach (FlipResult result in results)
        {
            yield return Run(result);
            foreach (string line in Samples(result)) yield return line;
        }

        foreach (string line in Delivery(new DeliveryCosts(scenario.Parameters))) yield return line;
        foreach (FlipSensitivity one in sensitivities) yield return Sensitivity(one);
    }

    /// <summary>One run.</summary>
    public static string Run(FlipResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return JsonLine.Of(json =>
        {
            json.WriteString("kind", "run");
            json.WriteString("placement", Name(result.Placement));
            json.WriteString("remedy", result.Remedy.Name);
            json.WriteNumber("seed", result.Seed);
            json.WriteNumber("seconds", result.DurationNanos / 1e9);
            json.WriteNumber("guestPages", result.GuestFrames);
            json.WriteNumber("packets", result.Packets);
            json.WriteNumber("flips", result.Flips);
            json.WriteNumber("copies", result.Copies);
            json.WriteNumber("dropped", result.Dropped);
            json.WriteNumber("remoteShare", result.RemoteShare);
            json.WriteNumber("remoteShareMax", result.RemoteShareMax);
            json.WriteNumber("remoteShareOfExchanged", result.RemoteShareOfExchanged);
            json.WriteNumber("driverRemoteShare", result.DriverRemoteShare);
            json.WriteNumber("lossAtEnd", result.LossAtEnd);
            json.WriteNumber("lossMean", result.LossMean);
            json.WriteNumber("remedyShare", result.RemedyShare);
            json.WriteNumber("deliveryNanos", result.DeliveryNanos);
            json.WriteNumber("migratedPages", result.Migrated);
            json.WriteNumber("migrationFailed", result.MigrationFailed);
            json.WriteNumber("poolFrames", result.PoolFrames);
            json.WriteNumber("poolFramesMax", result.PoolFramesMax);
            json.WriteNumber("poolEmpty", result.PoolAllocated);
            json.WriteNumber("events", result.Events);
            json.WriteBoolean("complete", result.Complete);
            json.WriteStartArray("stream");
            foreach (StreamResult one in result.Stream) WriteStream(json, one);
            json.WriteEndArray();
        });
    }

    /// <summary>The samples of a run.</summary>
    public static IEnumerable<string> Samples(FlipResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return result.Samples.Select(sample => JsonLine.Of(json =>
        {
            json.WriteString("kind", "sample");
            json.WriteString("placement", Name(result.Placement));
            json.WriteString("remedy", result.Remedy.Name);
            json.WriteNumber("seconds", sample.AtNanos / 1e9);
            json.WriteNumber("guest", sample.Guest + 1);
            json.WriteStartArray("shareOfNode");
            foreach (double share in sample.ShareOfNode) json.WriteNumberValue(share);
            json.WriteEndArray();
            json.WriteNumber("poolFrames", sample.PoolFrames);
            json.WriteNumber("poolUsed", sample.PoolUsedFrames);
            json.WriteNumber("migratedPages", sample.MigratedPages);
            json.WriteNumber("remedyShare", sample.RemedyShare);
        }));
    }

    /// <summary>Throughput by payload.</summary>
    public static IEnumerable<string> Delivery(DeliveryCosts costs)
    {
        ArgumentNullException.ThrowIfNull(costs);
        foreach (DeliveryPoint point in costs.Points())
            yield return JsonLine.Of(json =>
            {
                json.WriteString("kind", "delivery");
                json.WriteNumber("bytes", point.Bytes);
                json.WriteNumber("copyGigabits", point.CopyGigabits);
                json.WriteNumber("flipGigabits", point.FlipGigabits);
            });
        yield return JsonLine.Of(json =>
        {
            json.WriteString("kind", "crossover");
            json.WriteNumber("bytes", costs.CrossoverBytes());
        });
    }

    /// <summary>What a halved or doubled parameter does.</summary>
    public static string Sensitivity(FlipSensitivity one)
    {
        ArgumentNullException.ThrowIfNull(one);
        return JsonLine.Of(json =>
        {
            json.WriteString("kind", "sensitivity");
            json.WriteString("parameter", one.Name);
            json.WriteNumber("value", one.Value);
            if (one.Refusal.Length > 0)
            {
                json.WriteString("refused", one.Refusal);
                return;
            }

            json.WriteNumber("naiveHeap", one.NaiveHeap);
            json.WriteNumber("naiveSwap", one.NaiveSwap);
            json.WriteNumber("naiveLoss", one.NaiveLoss);
            json.WriteNumber("dynamicPoolMax", one.PoolMax);
            json.WriteNumber("periodicMax", one.PeriodicMax);
            json.WriteNumber("periodicLoss", one.PeriodicLoss);
            json.WriteNumber("crossoverBytes", one.CrossoverBytes);
        });
    }

    /// <summary>What copies and flips cost in this process: a line a size, then the threshold and the price of
    /// isolation.</summary>
    public static IEnumerable<string> Measured(CopyBreakMeasurement costs)
    {
        ArgumentNullException.ThrowIfNull(costs);
        for (int i = 0; i < costs.Sizes.Count; i++)
        {
            int at = i;
            yield return JsonLine.Of(json =>
            {
                json.WriteString("kind", "liveCost");
                json.WriteNumber("bytes", costs.Sizes[at]);
                json.WriteNumber("copyNanos", costs.CopyNanos[at]);
                json.WriteNumber("flipNanos", costs.FlipNanos[at]);
            });
        }

        yield return JsonLine.Of(json =>
        {
            json.WriteString("kind", "copyBreak");
            json.WriteNumber("bytes", costs.CopyBreakBytes);
            if (double.IsNaN(costs.FenceNanos)) json.WriteNull("fenceNanosPage");
            else json.WriteNumber("fenceNanosPage", costs.FenceNanos);
        });
    }

    /// <summary>A run over real frames.</summary>
    public static string Live(LiveFlipResult result, bool isEmulated)
    {
        ArgumentNullException.ThrowIfNull(result);
        return JsonLine.Of(json =>
        {
            json.WriteString("kind", "live");
            json.WriteString("remedy", result.Remedy.Name);
            json.WriteBoolean("emulatedNodes", isEmulated);
            json.WriteNumber("flips", result.Flips);
            json.WriteNumber("copies", result.Copies);
            json.WriteNumber("remoteShare", result.RemoteShare);
            json.WriteNumber("remoteShareMax", result.RemoteShareMax);
            json.WriteNumber("remoteShareFound", result.RemoteShareFound);
            json.WriteNumber("migratedPages", result.Migrated);
            json.WriteNumber("poolFramesMax", result.PoolFramesMax);
            json.WriteNumber("wrongPages", result.WrongPages);
            json.WriteNumber("pagesPerSecond", result.PagesPerSecond);
        });
    }

    /// <summary>The samples of all runs as comma-separated values, a line a sample, guest and node.</summary>
    public static void WriteCsv(TextWriter writer, IEnumerable<FlipResult> results)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(results);
        writer.Write("placement,remedy,seconds,guest,node,share,poolFrames,poolUsed,migratedPages,remedyShare\r\n");
        foreach (FlipResult result in results)
            foreach (FlipSample sample in result.Samples)
                for (int node = 0; node < sample.ShareOfNode.Length; node++)
                    writer.Write(string.Create(CultureInfo.InvariantCulture,
                        $"{Name(result.Placement)},{result.Remedy.Name},{sample.AtNanos / 1e9},{sample.Guest + 1},{node},{sample.ShareOfNode[node]},{sample.PoolFrames},{sample.PoolUsedFrames},{sample.MigratedPages},{sample.RemedyShare}\r\n"));
    }

    private static void WriteStream(Utf8JsonWriter json, StreamResult one)
    {
        json.WriteStartObject();
        json.WriteString("kernel", one.Kernel);
        json.WriteNumber("remoteShare", one.RemoteShare);
        json.WriteNumber("beforeMegabytes", one.BeforeMegabytes);
        json.WriteNumber("afterMegabytes", one.AfterMegabytes);
        json.WriteNumber("latencyLoss", one.LatencyLoss);
        json.WriteNumber("bandwidthLossBlended", one.BlendedLoss);
        json.WriteNumber("bandwidthLossOverlapped", one.OverlappedLoss);
        json.WriteEndObject();
    }

    private static string Name(PlacementModel placement) => placement == PlacementModel.Heap ? "heap" : "swap";
}
