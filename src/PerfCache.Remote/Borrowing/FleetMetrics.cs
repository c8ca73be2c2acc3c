// SPDX-License-Identifier: MIT
using System.Diagnostics.Metrics;
using PerfCache.Cache;

namespace PerfCache.Remote.Borrowing;

/// <summary>The metrics of all fleets of servers in the process, for System.Diagnostics.Metrics.</summary>
/// <remarks>
/// <code>
/// fleet.gets             counter {page}        tag fleet.get.outcome: found, missing, no_answer
/// fleet.puts             counter {page}        tag fleet.put.outcome: stored, refused, failed, dropped
/// fleet.late_answers     counter {page}        came after their deadline, and were thrown away
/// fleet.out_of_step      counter {answer}      did not fit their question; each closed a connection
/// fleet.connects         counter {connection}
/// fleet.connect_failures counter {attempt}
/// fleet.losses           counter {loss}        all pages of a server given up
/// fleet.suspensions      counter {suspension}  left alone for being slow or silent
/// fleet.in_service       gauge   1             1 while it is given pages, else 0
/// fleet.send_buffers     up-down {page}        values on their way
/// fleet.ping             gauge   s             average of signs of life
/// fleet.get_p99          gauge   s             of late
/// fleet.deadline         gauge   s             that a get is worth waiting for
/// </code>
/// Every measurement has the tags fleet.name and server.address, the address without a password. All instruments are
/// observable: a fleet is asked when somebody collects, and pays nothing at any other time.
/// </remarks>
public static class FleetMetrics
{
    /// <summary>The name of the meter.</summary>
    public const string MeterName = "PerfCache.Fleet";

    private const string NameTag = "fleet.name";
    private const string ServerTag = "server.address";

    private static readonly Meter s_meter = new(MeterName);
    private static readonly MeasuredInstances<PageFleet> s_fleets = new();

    static FleetMetrics()
    {
        s_meter.CreateObservableCounter(
            "fleet.gets",
            () => Outcomes("fleet.get.outcome", ("found", s => s.Hits), ("missing", s => s.Misses), ("no_answer", s => s.NoAnswers)),
            "{page}", "Pages that were asked for.");
        s_meter.CreateObservableCounter(
            "fleet.puts",
            () => Outcomes("fleet.put.outcome", ("stored", s => s.Stored), ("refused", s => s.Refused),
                ("failed", s => s.PutsFailed), ("dropped", s => s.PutsDropped)),
            "{page}", "Pages that were to be stored.");
        Counter("fleet.late_answers", "{page}", "Answers after their deadline.", s => s.LateAnswers);
        Counter("fleet.out_of_step", "{answer}", "Answers that did not fit.", s => s.OutOfStep);
        Counter("fleet.connects", "{connection}", "Times connected.", s => s.Connects);
        Counter("fleet.connect_failures", "{attempt}", "Attempts to connect that failed.", s => s.ConnectFailures);
        Counter("fleet.losses", "{loss}", "Times that all pages were given up.", s => s.Losses);
        Counter("fleet.suspensions", "{suspension}", "Times left alone.", s => s.Suspensions);
        s_meter.CreateObservableUpDownCounter(
            "fleet.send_buffers", () => Each<long>(s => s.SendBuffersUsed), "{page}", "Values on their way.");
        Gauge("fleet.in_service", "1", "1 while it is given pages.", s => s.State == ServerState.InService ? 1 : 0);
        Gauge("fleet.ping", "s", "Average of signs of life.", s => s.PingAverage.TotalSeconds);
        Gauge("fleet.get_p99", "s", "99 of 100 gets take no longer.", s => s.GetP99.TotalSeconds);
        Gauge("fleet.deadline", "s", "What a get is worth waiting for.", s => s.Deadline.TotalSeconds);
    }

    internal static void Add(PageFleet fleet) => s_fleets.Add(fleet);

    internal static void Remove(PageFleet fleet) => s_fleets.Remove(fleet);

    private static void Counter(string name, string unit, string description, Func<ServerStatistics, long> read) =>
        s_meter.CreateObservableCounter(name, () => Each(read), unit, description);

    private static void Gauge(string name, string unit, string description, Func<ServerStatistics, double> read) =>
        s_meter.CreateObservableGauge(name, () => Each(read), unit, description);

    private static List<Measurement<TValue>> Each<TValue>(Func<ServerStatistics, TValue> read)
        where TValue : struct
    {
        List<Measurement<TValue>> values = [];
        foreach (PageFleet fleet in s_fleets.All())
        {
            foreach (ServerStatistics server in fleet.Statistics)
                values.Add(new(read(server), new(NameTag, fleet.Name), new(ServerTag, server.Address.ToString())));
        }

        return values;
    }

    private static List<Measurement<long>> Outcomes(
        string tag, params (string Outcome, Func<ServerStatistics, long> Read)[] outcomes)
    {
        List<Measurement<long>> values = [];
        foreach (PageFleet fleet in s_fleets.All())
        {
            foreach (ServerStatistics server in fleet.Statistics)
            {
                foreach ((string outcome, Func<ServerStatistics, long> read) in outcomes)
                {
                    values.Add(new(
                        read(server), new(NameTag, fleet.Name), new(ServerTag, server.Address.ToString()), new(tag, outcome)));
                }
            }
        }

        return values;
    }
}
