// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Machines;

/// <summary>
/// Every number that the simulated machines depend on, with its source; what has none is marked as assumed.
/// </summary>
public static class MachineParameters
{
    private const string HyperAlloc = "HyperAlloc artifact (EuroSys'25), Xeon Gold 6252, pages that moved";
    private const string AuthorsCode = "the PUMA authors' published code";

    /// <summary>The defaults.</summary>
    public static ParameterSet Defaults { get; } = new(
    [
        Assumed("reclaim-ns", 600, "ns", 1, 1e7, "a clean page taken back by reclaim: unlink, unmap, free"),
        Assumed("notice-ns", 20, "ns", 0, 1e7, "a page in the notice that tells a borrower of reclaimed pages"),
        Published("touch-ns", 387, "ns", 1, 1e7, HyperAlloc + ": touch of a page that is backed, balloon run"),
        Published("balloon-inflate-ns", 4455, "ns", 0, 1e7, HyperAlloc + ": reclaim of a touched page, virtio-balloon"),
        Published("balloon-deflate-ns", 1808, "ns", 0, 1e7, HyperAlloc + ": return of a page, virtio-balloon"),
        Published("balloon-touch-ns", 3931, "ns", 0, 1e7, HyperAlloc + ": first touch of a returned page"),
        Published("balloon-request", 256, "pages", 1, 65536, "Linux virtio_balloon.c: pages of one request") with
        { IsWhole = true },
        Published("balloon-backoff-ms", 200, "ms", 0, 1e5, "Linux virtio_balloon.c: rest after a failed allocation"),
        Assumed("balloon-ask-us", 60, "us", 0, 1e6, "a guest's report of pressure until balloons get new targets"),
        Assumed("balloon-round-s", 10, "s", 0.1, 3600, "a round of the goal controller; believed of Proxmox VE, not read"),
        Assumed("pressure-report-ms", 250, "ms", 1, 1e5, "a guest that reclaims page cache says so at most so often"),
        Assumed("swap-patience-ms", 20, "ms", 0.1, 1e5, "how long a guest waits for its balloon before it swaps"),
        Assumed("oom-patience-s", 1, "s", 0.01, 3600, "how long a guest without memory and swap tries before it kills"),
        Assumed("hit-us", 10, "us", 0.01, 1e5, "a read that hits the page cache, with the program's own work"),
        Assumed("network-us", 50, "us", 0, 1e6, "one way between two machines"),
        Assumed("network-gbit", 10, "Gbit/s", 0.001, 1e5, "bandwidth of a machine's link, each way"),
        Assumed("lend-us", 2, "us", 0, 1e5, "a lender's work for one message"),
        Published("get-timeout-ms", 1, "ms", 0.001, 1e5, AuthorsCode + ": then the page is read from the disk"),
        Published("message-pages", 32, "pages", 1, 4096, AuthorsCode) with { IsWhole = true },
        Published("send-pool", 1024, "pages", 1, 1e6, AuthorsCode + ": dropped instead of sent when empty") with
        { IsWhole = true },
        Published("suspend-s", 3, "s", 0.001, 3600, AuthorsCode + " and the slides"),
        Published("min-active", 0.05, "1", 0, 1, AuthorsCode + ": forced deactivation, share of pages active"),
        Published("max-remote", 0.90, "1", 0, 1, AuthorsCode + ": forced deactivation, lent share of inactive pages"),
        Assumed("hdd-ms", 6, "ms", 0.001, 1e4, "hard disk: seek and rotation of a random read"),
        Assumed("hdd-mb", 150, "MB/s", 0.001, 1e5, "hard disk: sequential"),
        Assumed("ssd-us", 250, "us", 0.1, 1e6, "SSD: a random read"),
        Assumed("ssd-mb", 500, "MB/s", 0.001, 1e6, "SSD: bandwidth"),
        Assumed("ssd-depth", 8, "requests", 1, 4096, "SSD: at work at once") with { IsWhole = true },
        Assumed("fast-ssd-us", 80, "us", 0.1, 1e6, "fast SSD: a random read"),
        Assumed("fast-ssd-mb", 3000, "MB/s", 0.001, 1e6, "fast SSD: bandwidth"),
        Assumed("fast-ssd-depth", 32, "requests", 1, 4096, "fast SSD: at work at once") with { IsWhole = true },
        Assumed("swap-us", 250, "us", 0.1, 1e6, "swap device: a write of up to 32 pages, beside the transfer"),
        Assumed("swap-mb", 500, "MB/s", 0.001, 1e6, "swap device: bandwidth"),
        Assumed("watermark-min", 0.0028, "1", 0.0001, 0.2, "free share below which allocations reclaim themselves; "
            + "Linux's rule 4*sqrt(KiB) gives this at 2 GiB"),
        Published("dirty-expire-s", 30, "s", 0.01, 3600, "Linux dirty_expire_centisecs"),
        Published("dirty-wakeup-s", 5, "s", 0.01, 3600, "Linux dirty_writeback_centisecs"),
        Chosen("lender-mib", 2048, "MiB", 1, 1 << 24, "memory of the lending machine"),
        Chosen("borrower-mib", 1024, "MiB", 1, 1 << 24, "memory of the borrowing machine"),
        Chosen("host-mib", 0, "MiB", 0, 1 << 25, "memory of the host that balloons share; 0 for what both machines have"),
    ]);

    /// <summary>
    /// The parameters of a run at another scale: memory is divided by the factor, and all that one I/O takes is multiplied
    /// by it, so that a run passes the same stages at the same virtual times with a fraction of the events. Allocation and
    /// swap are not stretched: blocks keep their size, so that their time can be told.
    /// </summary>
    internal static ParameterSet Stretched(ParameterSet parameters, double factor)
    {
        if (factor == 1) return parameters;
        string[] longer =
            ["hit-us", "network-us", "lend-us", "get-timeout-ms", "hdd-ms", "ssd-us", "fast-ssd-us"];
        string[] slower = ["network-gbit", "hdd-mb", "ssd-mb", "fast-ssd-mb"];
        return new ParameterSet(parameters.Select(one =>
            longer.Contains(one.Name) ? one with { Value = one.Value * factor, Max = double.MaxValue }
            : slower.Contains(one.Name) ? one with { Value = one.Value / factor, Min = 0 } : one));
    }

    private static Parameter Assumed(
        string name, double value, string unit, double min, double max, string source) =>
        new(name, value, unit, min, max, ParameterOrigin.Assumed, source);

    private static Parameter Chosen(
        string name, double value, string unit, double min, double max, string source) =>
        new(name, value, unit, min, max, ParameterOrigin.Assumed, "chosen: " + source) { IsVaried = false };

    private static Parameter Published(
        string name, double value, string unit, double min, double max, string source) =>
        new(name, value, unit, min, max, ParameterOrigin.Published, source);
}
