// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;

namespace PerfCache.Remote.Borrowing;

/// <summary>Whose memory a cache overflows into, and how. Values that make no sense are refused when it is made.</summary>
public sealed record BorrowedMemoryOptions
{
    /// <summary>The servers: "unix:/run/lender.sock", "tcp:host:port", "tls:host:port"; lenders or stock memcached.</summary>
    public required IReadOnlyList<string> Servers { get; init; }

    /// <summary>The name, in metrics and messages.</summary>
    public string Name { get; init; } = "borrowed memory";

    /// <summary>The most bytes of pages to keep at the servers, all together. The catalogue takes 24 bytes of this process for
    /// each page of it.</summary>
    public long CapacityBytes { get; init; } = 1L << 30;

    /// <summary>Evicted pages that may wait to be sent, and pages that may be on their way to each server; when so many are,
    /// a page is dropped. 8 to 65,536.</summary>
    public int PutPoolPages { get; init; } = 512;

    /// <summary>True to encrypt pages (AES-256-GCM, with a key that is drawn anew each time and never leaves the process), so
    /// that servers cannot read them.</summary>
    public bool Encrypts { get; init; }

    /// <summary>Which pages of sequential reads are kept back; off by default. Of the penalties only -1 (never sent) and 0
    /// (sent) are possible: these servers do not tell what they evict.</summary>
    public SequentialFilterOptions Filter { get; init; } = new();

    /// <summary>When to leave the servers alone because the source is faster; null for never.</summary>
    public TierRaceOptions? Race { get; init; } = new();

    /// <summary>A get is given up after so many times the source's own average: to wait longer would cost more than to
    /// read. It is never more than what the server's 99th percentile allows.</summary>
    public double SourceTimesMax { get; init; } = 2;

    /// <summary>The least time that a get is given, however fast the source: as long as a thread may wait for a processor on a
    /// busy machine. A page that is given up is not asked for again, so haste costs pages.</summary>
    public TimeSpan GetTimeoutMin { get; init; } = TimeSpan.FromMilliseconds(2);

    /// <summary>Changes how the servers are spoken with: time limits, buffers, TLS; null for <see cref="FleetOptions"/> as
    /// they are. The length of a value is set afterwards.</summary>
    public Func<FleetOptions, FleetOptions>? Fleet { get; init; }

    /// <summary>Called for each decision to leave the servers alone or to use them again, on whatever thread noticed. It must
    /// not throw or wait.</summary>
    public Action<BorrowDecision>? Decided { get; init; }

    /// <summary>What tests leave out on purpose.</summary>
    internal BorrowCheck Omits { get; init; }

    /// <summary>False in tests that send queued pages by themselves.</summary>
    internal bool HasSender { get; init; } = true;

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentException">One line that names the option, its value and what is possible.</exception>
    internal void Check()
    {
        if (Servers is null || Servers.Count is < 1 or > BorrowerOptions.LendersMax)
            throw Wrong(nameof(Servers), $"{Servers?.Count ?? 0} servers", $"1 to {BorrowerOptions.LendersMax}");
        if (string.IsNullOrWhiteSpace(Name)) throw Wrong(nameof(Name), $"'{Name}'", "a name that is not blank");
        if (CapacityBytes is < 1 << 20 or > 1L << 44)
            throw Wrong(nameof(CapacityBytes), CapacityBytes, "1 MiB to 16 TiB");
        if (PutPoolPages is < 8 or > 1 << 16) throw Wrong(nameof(PutPoolPages), PutPoolPages, "8 to 65536");
        if (Filter is null || Filter.EvictionPenalty is not (-1 or 0))
            throw Wrong(nameof(Filter), Filter?.EvictionPenalty ?? 0, "an eviction penalty of -1 or 0");
        if (!(SourceTimesMax > 0)) throw Wrong(nameof(SourceTimesMax), SourceTimesMax, "above 0");
        if (GetTimeoutMin <= TimeSpan.Zero || GetTimeoutMin > TimeSpan.FromSeconds(10))
            throw Wrong(nameof(GetTimeoutMin), GetTimeoutMin, "above 0, at most 10 s");
        Race?.Check();
    }

    private static ArgumentException Wrong(string option, object value, string possible) =>
        new($"borrowed memory: {option} is {value}; possible is {possible}", option);
}

/// <summary>Which reads a decision is about.</summary>
public enum BorrowReads
{
    /// <summary>Single pages.</summary>
    OnePage,

    /// <summary>Neighbours that the source reads in one request.</summary>
    Runs,
}

/// <summary>A decision to leave the servers alone, or to use them again.</summary>
/// <param name="At">When.</param>
/// <param name="Reads">For which reads.</param>
/// <param name="IsOff">True when the source is asked at once from now on.</param>
/// <param name="ServerTime">How long a get takes on average.</param>
/// <param name="SourceTime">How long the source takes.</param>
public readonly record struct BorrowDecision(
    DateTimeOffset At, BorrowReads Reads, bool IsOff, TimeSpan ServerTime, TimeSpan SourceTime)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"{At:u} {Reads}: {(IsOff ? "servers left alone" : "servers used again")}: "
        + $"{ServerTime.TotalMicroseconds:0} us from them, {SourceTime.TotalMicroseconds:0} us from the source");
}

/// <summary>A check that a seeded bug leaves out, for a test that must notice.</summary>
[Flags]
internal enum BorrowCheck
{
    /// <summary>None: what production does.</summary>
    None = 0,

    /// <summary>Bytes are compared with the checksum.</summary>
    Checksum = 1,

    /// <summary>Each put has a generation of its own.</summary>
    Generation = 2,

    /// <summary>A page that is told to be forgotten is.</summary>
    Forget = 4,
}
