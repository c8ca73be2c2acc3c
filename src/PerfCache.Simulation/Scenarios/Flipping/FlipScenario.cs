// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>One run of the study: the host, the load and the seed, without the remedy.</summary>
public sealed record FlipScenario
{
    private const long HostFramesMax = 1L << 27;

    /// <summary>The numbers.</summary>
    public ParameterSet Parameters { get; init; } = FlipParameters.Defaults;

    /// <summary>How the driver domain gets its frames.</summary>
    public PlacementModel Placement { get; init; }

    /// <summary>Decides every random choice.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>
    /// Divides the guests' memory, and with it the times of queries and migration, so that the same part of the
    /// memory drifts in a shorter run. Bursts, rings and the period of the pool stay, so pools are a larger part of
    /// the memory than at scale 1.
    /// </summary>
    public int Scale { get; init; } = 1;

    /// <summary>Packets of a file instead of generated ones.</summary>
    public RecordedLoad? Recorded { get; init; }

    /// <summary>Frames of a guest.</summary>
    public long GuestFrames => (long)(Value("guest-gib") * FlipParameters.FramesPerGib / Scale);

    /// <summary>The number of guests; guest i lives on node i + 1, the driver domain on node 0.</summary>
    public int Guests => (int)Value("guests");

    /// <summary>The guest that gets the whole load: the last, as on the slide.</summary>
    public int LoadedGuest => Guests - 1;

    /// <summary>How long the run is.</summary>
    public long DurationNanos => Recorded?.DurationNanos
        ?? VirtualClock.FromSeconds(Value("queries") * Value("query-seconds") / Scale);

    /// <summary>The value of a parameter.</summary>
    public double Value(string name) => Parameters.Value(name);

    /// <summary>A part of a guest in frames.</summary>
    internal long FramesOf(string shareName) => (long)(GuestFrames * Value(shareName));

    /// <summary>Refuses scenarios that contradict themselves.</summary>
    /// <exception cref="ParameterException">The message says what contradicts what.</exception>
    public void Check()
    {
        if (Scale < 1) throw new ParameterException($"a scale of {Scale} is none; give 1 or more");
        double used = Value("cache-share") + Value("free-share");
        if (used > 0.98)
            throw new ParameterException(
                $"cache-share and free-share are {Text(used)} of a guest together; leave at least 0.02 for its programs");
        long needed = 4 * (long)Value("ring-slots") + 2 * (long)Value("burst-packets") * FramesOfPacket;
        long exchanged = FramesOf("cache-share") + FramesOf("free-share");
        if (exchanged < needed)
            throw new ParameterException(
                $"a guest has {exchanged} pages to exchange and needs {needed} for its ring and bursts; "
                + "give it more memory, or less of a burst or a ring");
        long all = (Guests * GuestFrames) + FrameSupply.DriverFrames(this);
        if (all > HostFramesMax)
            throw new ParameterException(
                $"a host of {all} pages is more than the model holds, {HostFramesMax}; give less memory or a larger scale");
        if (Placement == PlacementModel.Swap && FramesOf("driver-pool-share") < 2 * (long)Value("ring-slots") * Guests)
            throw new ParameterException(
                $"driver-pool-share={Text(Value("driver-pool-share"))} is less than the rings of {Guests} guests hold; give more");
        if (Recorded is not null)
        {
            if (Recorded.GuestMax >= Guests)
                throw new ParameterException(
                    $"{Recorded.Name} has packets for domain {Recorded.GuestMax + 1}, and there are {Guests} guests; "
                    + "give --set guests=N");
            return;
        }

        double bitsPerSecond = Value("scan-packets") * Math.Max(Value("packet-bytes"), Value("small-bytes")) * 8;
        if (bitsPerSecond > Value("line-gbit") * 1e9)
            throw new ParameterException(
                $"scan-packets={Text(Value("scan-packets"))} are more than a line of {Text(Value("line-gbit"))} Gb/s carries");
        if (Value("scan-packets") * Value("consume-us") > 0.95e6)
            throw new ParameterException(
                $"a guest that takes {Text(Value("consume-us"))} us a packet falls behind {Text(Value("scan-packets"))} "
                + "packets a second; lower consume-us or scan-packets");
    }

    private long FramesOfPacket =>
        ((long)Math.Max(Value("packet-bytes"), Value("small-bytes")) + FlipParameters.PageBytes - 1) / FlipParameters.PageBytes;

    private static string Text(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);
}
