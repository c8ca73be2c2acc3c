// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>
/// All numbers of the flipping study. Four are calibrated to the one result that the slides show (a 16 GB domain
/// with 22 % of its memory remote): they decide that number, so it is no prediction of ours. What the study does
/// find out is how the share comes about, how fast, and what the remedies make of it.
/// </summary>
public static class FlipParameters
{
    /// <summary>Frames in a GiB.</summary>
    public const long FramesPerGib = 262_144;

    /// <summary>Bytes of a page.</summary>
    public const int PageBytes = 4096;

    /// <summary>The defaults.</summary>
    public static ParameterSet Defaults { get; } = new(
    [
        .. Memory(), .. Load(), .. Network(), .. Costs(), .. Pool(), .. Migration(), .. Work(),
    ]);

    private static IEnumerable<Parameter> Memory() =>
    [
        Published("guest-gib", 16, "GiB", 0.01, 256, "slides: 22 % are 3.6 GB") with { IsVaried = false },
        Assumed("guests", 2, "", 1, 8, "the slide's VM1 and VM2") with { IsWhole = true, IsVaried = false },
        Calibrated("free-heap-share", 0.22, "of a guest", 0, 16,
            "free heap of the driver's node, heap model: 3.5 GiB, to the slide's 22 %"),
        Calibrated("driver-pool-share", 0.42, "of a guest", 0.0001, 16,
            "frames that the driver domain receives into, swap model: to the slide's 22 %"),
        Assumed("cache-share", 0.5, "of a guest", 0, 0.95, "pages that a guest reuses over time: its page cache"),
        Assumed("free-share", 0.02, "of a guest", 0.0001, 0.9, "free pages of a busy guest"),
        Calibrated("retention", 1, "pages a page", 0, 1,
            "pages taken for the page cache for each page received: to the slide's 22 %"),
    ];

    private static IEnumerable<Parameter> Load() =>
    [
        Published("queries", 8, "", 1, 1000, "slides: eight TPC-DS web queries") with { IsWhole = true, IsVaried = false },
        Assumed("query-seconds", 75, "s", 0.01, 100_000, "the slides give no time axis"),
        Assumed("scan-share", 0.4, "of a query", 0.001, 1, "a query first draws its tables, then computes"),
        Assumed("scan-packets", 17_500, "1/s", 0, 10_000_000, "about 190 Mb/s while a query draws its tables"),
        Assumed("quiet-packets", 500, "1/s", 0, 10_000_000, "while it computes"),
        Assumed("burst-packets", 300, "packets", 1, 1_000_000,
            "mean, half to one and a half of it: a window of 450 KB, 10 Gb/s for 0.36 ms")
            with { IsWhole = true },
        Assumed("packet-bytes", 1_500, "B", 1, 65_536, "Ethernet's usual payload") with { IsWhole = true },
        Assumed("small-bytes", 90, "B", 1, 65_536, "acknowledgements and short answers") with { IsWhole = true },
        Assumed("small-share", 0.1, "of packets", 0, 1, "short ones among them"),
        Assumed("other-load", 0.1, "of the load", 0, 1, "what each other guest gets of the loaded one's traffic"),
    ];

    private static IEnumerable<Parameter> Network() =>
    [
        Assumed("line-gbit", 10, "Gb/s", 0.001, 10_000, "the network card"),
        Published("ring-slots", 256, "slots", 1, 65_536, "Xen's receive ring") with { IsWhole = true },
        Published("spare-frames", 64, "frames", 1, 65_536, "Xen's driver domain keeps so many") with { IsWhole = true },
        Assumed("card-slots", 512, "slots", 64, 65_536, "receive buffers of the card for each guest") with { IsWhole = true },
        Assumed("read-delay-us", 500, "us", 0, 1e9, "until a guest's program begins to read a packet"),
        Assumed("consume-us", 4, "us", 0, 1e6, "a guest's program takes so long for a packet"),
    ];

    private static IEnumerable<Parameter> Costs() =>
    [
        Assumed("packet-ns", 1_000, "ns", 0, 1e6, "network stacks of both domains, for a packet however delivered"),
        Assumed("flip-driver-ns", 500, "ns", 0, 1e6,
            "a page: unlink, assign, flush the sender's TLB, its part of a batched call"),
        Assumed("flip-guest-ns", 250, "ns", 0, 1e6, "a page: unmap and post a free one, its part of a batched flush"),
        Assumed("copy-fixed-ns", 250, "ns", 0, 1e6, "a packet: check the grant and two cache misses"),
        Assumed("copy-byte-ns", 0.21, "ns/B", 0, 1e3, "our cold copies of 64 B to 4 KiB, on another machine"),
        Assumed("copy-break-bytes", 256, "B", 0, 65_536, "adaptive delivery copies up to this") with { IsWhole = true },
    ];

    private static IEnumerable<Parameter> Pool() =>
    [
        Assumed("pool-frames", 0, "frames", 0, 1e9, "static pool; 0: found by calibration")
            with { IsWhole = true, IsVaried = false },
        Assumed("pool-margin", 1.5, "", 1, 100, "static pool: calibrated peak times this"),
        Assumed("pool-period-ms", 100, "ms", 0.001, 1e6, "dynamic pool; the slides give none"),
        Assumed("pool-ceiling-share", 0.02, "of a guest", 0.0001, 1, "dynamic pool; the slides give none"),
        Assumed("pool-operation-ns", 30, "ns", 0, 1e6, "put and take, a page"),
        Assumed("small-pool-frames", 64, "frames", 1, 1e9, "ablation: less than the ring and than a burst")
            with { IsWhole = true, IsVaried = false },
    ];

    private static IEnumerable<Parameter> Migration() =>
    [
        Published("migrate-page-us", 1.24, "us", 0, 1e6, "move_pages, another machine"),
        Assumed("migrate-call-us", 85, "us", 0, 1e6, "our measurement: a call drains every processor's batches"),
        Assumed("migrate-free-us", 0.2, "us", 0, 1e6, "a free page is exchanged, not copied"),
        Assumed("migrate-batch", 512, "pages", 1, 1_000_000, "pages a call") with { IsWhole = true },
        Assumed("migrate-rate", 100_000, "pages/s", 1, 1e9, "limit of the rate"),
        Assumed("migrate-period-s", 2, "s", 0.0001, 1e6, "the slides give none"),
        Assumed("migrate-threshold", 0.01, "of a guest", 0.000001, 0.99, "the slides give none"),
        Assumed("long-period-s", 150, "s", 0.0001, 1e6, "ablation: two queries")
            with { IsVaried = false },
    ];

    private static IEnumerable<Parameter> Work() =>
    [
        Calibrated("latency-ratio", 2, "", 1, 100, "remote over local: to the abstract's 18 %; sources give 1.4 to 2.5"),
        Published("local-latency-ns", 90, "ns", 0.1, 1e6, "local DRAM, 80 to 100 ns (tutorial)"),
        Published("local-bandwidth", 112, "GB/s", 0.001, 1e6, "Xeon Platinum 8160, a socket"),
        Published("remote-bandwidth", 34, "GB/s", 0.001, 1e6, "the same, one way over its links"),
        Assumed("misses-in-flight", 10, "", 1, 1000, "cache misses that a core has under way at once"),
        Assumed("stream-mib", 256, "MiB", 0.01, 1e6, "each of the three arrays") with { IsVaried = false },
    ];

    private static Parameter Published(string name, double value, string unit, double min, double max, string source) =>
        new(name, value, unit, min, max, ParameterOrigin.Published, source);

    private static Parameter Calibrated(string name, double value, string unit, double min, double max, string source) =>
        new(name, value, unit, min, max, ParameterOrigin.Calibrated, source);

    private static Parameter Assumed(string name, double value, string unit, double min, double max, string source) =>
        new(name, value, unit, min, max, ParameterOrigin.Assumed, source);
}
