// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Items;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Protocol;

namespace PerfCache.Remote.Server;

/// <summary>What <c>stats</c> tells: memcached's names where memcached has one, then those of lending.</summary>
internal sealed partial class MemcachedServer : IServerFacts
{
    private readonly CommandCounters _baseline = new();

    /// <summary>All commands since the start or the last reset.</summary>
    internal CommandCounters Counters
    {
        get
        {
            CommandCounters sum = new();
            lock (_lock)
            {
                sum.Add(_ended);
                foreach (MemcachedSession session in _sessions) sum.Add(session.Counters);
                sum.Add(_baseline, sign: -1);
            }

            return sum;
        }
    }

    /// <summary>Connections that were closed because there were too many.</summary>
    internal long RejectedConnections => Volatile.Read(ref _rejected);

    /// <inheritdoc/>
    public void Reset()
    {
        CommandCounters now = Counters;
        lock (_lock) _baseline.Add(now);
    }

    /// <inheritdoc/>
    public bool TryWrite(string topic, LendableStore store, Action<string, string> add)
    {
        switch (topic)
        {
            case "":
                WriteGeneral(store, add);
                return true;
            case "settings":
                WriteSettings(store, add);
                return true;
            case "conns":
                add("curr_connections", Text(ConnectionCount));
                return true;
            default:
                return false;
        }
    }

    private void WriteGeneral(LendableStore store, Action<string, string> add)
    {
        CommandCounters counters = Counters;
        ItemStatistics items = store.Items.Statistics;
        add("pid", Text(Environment.ProcessId));
        add("uptime", Text(_settings.Clock.UptimeSeconds));
        add("time", Text(_settings.Clock.UnixSeconds));
        add("version", "1.6.18-perfcache");
        add("pointer_size", "64");
        add("max_connections", Text(Options.ConnectionsMax));
        add("curr_connections", Text(ConnectionCount));
        add("total_connections", Text(Volatile.Read(ref _accepted)));
        add("rejected_connections", Text(RejectedConnections));
        WriteCommands(counters, add);
        add("auth_cmds", Text(counters.Logins));
        add("auth_errors", Text(counters.FailedLogins));
        add("bytes_read", Text(counters.BytesRead));
        add("bytes_written", Text(counters.BytesWritten));
        add("limit_maxbytes", Text(store.Items.Options.CapacityBytes));
        add("accepting_conns", "1");
        add("threads", Text(Options.Threads));
        add("bytes", Text(items.KeyBytes + items.ValueBytes));
        add("curr_items", Text(items.Items));
        add("total_items", Text(items.Stores));
        add("evictions", Text(items.Evicted));
        add("expired", Text(items.Expired));
        add("store_too_large", Text(counters.TooLarge));
        add("store_no_memory", Text(counters.NoMemory));
        WriteLending(store, items, counters, add);
    }

    private static void WriteCommands(CommandCounters counters, Action<string, string> add)
    {
        add("cmd_get", Text(counters.Gets));
        add("cmd_set", Text(counters.Sets));
        add("cmd_flush", Text(counters.Flushes));
        add("cmd_touch", Text(counters.Touches));
        add("cmd_meta", Text(counters.MetaCommands));
        add("get_hits", Text(counters.GetHits));
        add("get_misses", Text(counters.Gets - counters.GetHits));
        add("delete_misses", Text(counters.DeleteMisses));
        add("delete_hits", Text(counters.DeleteHits));
        add("incr_misses", Text(counters.IncrementMisses));
        add("incr_hits", Text(counters.IncrementHits));
        add("decr_misses", Text(counters.DecrementMisses));
        add("decr_hits", Text(counters.DecrementHits));
        add("cas_misses", Text(counters.CasMisses));
        add("cas_hits", Text(counters.CasHits));
        add("cas_badval", Text(counters.CasBadValues));
        add("touch_hits", Text(counters.TouchHits));
        add("touch_misses", Text(counters.Touches - counters.TouchHits));
    }

    private void WriteLending(
        LendableStore store, ItemStatistics items, CommandCounters counters, Action<string, string> add)
    {
        add("lender_frames_used", Text(items.UsedFrames));
        add("lender_frames_free", Text(items.FreeFrames));
        add("lender_frames_given_back", Text(items.WithdrawnFrames));
        add("lender_frames_given_back_total", Text(store.GivenBackFrames));
        add("lender_metadata_bytes", Text(items.MetadataBytes));
        add("lender_items_taken", Text(items.Lost));
        add("lender_checksum_failures", Text(items.ChecksumFailures));
        add("lender_frames_marked", Text(store.MarkedFrames));
        add("lender_frames_taken", Text(store.TakenFrames));
        add("lender_suspended", store.IsSuspended ? "1" : "0");
        add("lender_suspended_millis", Text((long)(_keeper.SuspendedFor?.TotalMilliseconds ?? 0)));
        add("lender_suspensions", Text(_keeper.Suspensions));
        add("lender_reason", _keeper.Reason.ToString());
        add("lender_refused", Text(counters.Refused));
        add("lender_in_flight_bytes", Text(InFlight.Bytes));
        add("lender_failures", Text(Volatile.Read(ref _failures)));
    }

    private void WriteSettings(LendableStore store, Action<string, string> add)
    {
        add("maxbytes", Text(store.Items.Options.CapacityBytes));
        add("maxconns", Text(Options.ConnectionsMax));
        int port = Addresses.Select(address => address.EndPoint).OfType<System.Net.IPEndPoint>()
            .FirstOrDefault()?.Port ?? 0;
        add("tcpport", Text(port));
        add("udpport", "0");
        add("inter", string.Join(',', Addresses));
        add("verbosity", "0");
        add("num_threads", Text(Options.Threads));
        add("item_size_max", Text(Options.ItemBytesMax));
        add("idle_timeout", Text((long)Options.IdleTimeout.TotalSeconds));
        add("auth_enabled_ascii", Options.PasswordFile ?? "no");
        add("cas_enabled", "yes");
        add("flush_enabled", "yes");
        add("maxconns_fast", "yes");
        add("evictions", "on");
        add("domain_socket", _paths.FirstOrDefault() ?? "NULL");
        add("ssl_enabled", Options.Tls is null ? "no" : "yes");
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
