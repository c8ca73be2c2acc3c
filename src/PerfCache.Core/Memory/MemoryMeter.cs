// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>
/// Counts the native bytes that are committed and not yet given back, and refuses what would exceed a limit.
/// </summary>
/// <remarks>
/// Every block charges the meter before it commits and uncharges it only after the operating system took the memory
/// back, so the meter never reads less than what is out. A test gives its cache a meter of its own: it must read zero
/// after dispose, and a low <see cref="LimitBytes"/> makes any allocation fail on purpose. Thread-safe.
/// </remarks>
public sealed class MemoryMeter
{
    private long _outstandingBytes;
    private long _peakBytes;

    /// <summary>Makes a meter.</summary>
    /// <param name="limitBytes">The most bytes that may be outstanding.</param>
    public MemoryMeter(long limitBytes = long.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(limitBytes);
        LimitBytes = limitBytes;
    }

    /// <summary>The meter of those who do not bring their own.</summary>
    public static MemoryMeter Process { get; } = new();

    /// <summary>The most bytes that may be outstanding.</summary>
    public long LimitBytes { get; private set; }

    /// <summary>Bytes committed and not yet given back.</summary>
    public long OutstandingBytes => Interlocked.Read(ref _outstandingBytes);

    /// <summary>The most bytes that were outstanding at any time.</summary>
    public long PeakBytes => Interlocked.Read(ref _peakBytes);

    /// <summary>Adds <paramref name="bytes"/>, or says that the limit forbids it.</summary>
    internal bool TryCharge(long bytes)
    {
        // An exchange, not an addition that is taken back: nobody may read more than the limit.
        long now = Interlocked.Read(ref _outstandingBytes);
        while (true)
        {
            if (now + bytes > LimitBytes) return false;
            long seen = Interlocked.CompareExchange(ref _outstandingBytes, now + bytes, now);
            if (seen == now) break;
            now = seen;
        }

        now += bytes;

        // Lossy on a race between two peaks, never by more than the smaller one: it is a figure for people.
        if (now > Interlocked.Read(ref _peakBytes)) Interlocked.Exchange(ref _peakBytes, now);
        return true;
    }

    /// <summary>Changes the limit, for those who own the meter and let nobody else charge it meanwhile.</summary>
    internal void SetLimit(long limitBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(limitBytes);
        LimitBytes = limitBytes;
    }

    /// <summary>Takes <paramref name="bytes"/> off again.</summary>
    internal void Uncharge(long bytes)
    {
        long now = Interlocked.Add(ref _outstandingBytes, -bytes);
        Invariant.Assert(now >= 0, "MemoryMeter", "outstanding bytes >= 0", now);
    }
}
