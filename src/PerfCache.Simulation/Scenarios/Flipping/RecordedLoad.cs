// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>
/// Packets from a file of lines <c>time_us,bytes,domain</c>: microseconds since the start, payload, and the guest
/// (1, 2, ...) that it is for. A first line that begins with <c>time_us</c>, empty lines and lines that begin with
/// <c>#</c> are skipped.
/// </summary>
public sealed class RecordedLoad
{
    private readonly List<long> _times = [];
    private readonly List<int> _bytes = [];
    private readonly List<int> _guests = [];

    private RecordedLoad(string name) => Name = name;

    /// <summary>The name of the file.</summary>
    public string Name { get; }

    /// <summary>The number of packets.</summary>
    public int Packets => _times.Count;

    /// <summary>The largest guest, counted from 0.</summary>
    public int GuestMax { get; private set; }

    /// <summary>The time of the last packet and a millisecond, so that it is seen.</summary>
    public long DurationNanos => _times[^1] + VirtualClock.Millisecond;

    /// <summary>Reads a file.</summary>
    /// <exception cref="TraceFormatException">A line is wrong; the message says which and why.</exception>
    public static RecordedLoad Read(TextReader reader, string name)
    {
        ArgumentNullException.ThrowIfNull(reader);
        RecordedLoad load = new(name);
        int number = 0;
        while (reader.ReadLine() is string line)
        {
            number++;
            if (line.Length == 0 || line[0] == '#' || (number == 1 && line.StartsWith("time_us", StringComparison.Ordinal)))
                continue;
            load.Add(line, $"{name}: line {number}");
        }

        return load.Packets > 0 ? load
            : throw new TraceFormatException($"{name}: no packets; lines are time_us,bytes,domain");
    }

    /// <summary>The packets of one guest.</summary>
    internal NetworkLoad Of(int guest) => new GuestPackets(this, guest);

    private void Add(string line, string where)
    {
        string[] fields = line.Split(',');
        if (fields.Length != 3)
            throw new TraceFormatException($"{where}: {fields.Length} fields, expected time_us,bytes,domain");
        const NumberStyles Style = NumberStyles.AllowDecimalPoint;
        if (!double.TryParse(fields[0], Style, CultureInfo.InvariantCulture, out double micros) || micros > 1e12)
            throw new TraceFormatException($"{where}: '{TraceInput.OneLine(fields[0])}' is not a time in microseconds");
        long nanos = (long)Math.Round(micros * VirtualClock.Microsecond);
        if (_times.Count > 0 && nanos < _times[^1])
            throw new TraceFormatException($"{where}: the time goes back; sort the file by time");
        if (!int.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out int bytes)
            || bytes is < 1 or > 65_536)
            throw new TraceFormatException($"{where}: '{TraceInput.OneLine(fields[1])}' is not a payload of 1 to 65536 bytes");
        if (!int.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out int domain)
            || domain is < 1 or > 8)
            throw new TraceFormatException($"{where}: '{TraceInput.OneLine(fields[2])}' is not a domain from 1 to 8");
        _times.Add(nanos);
        _bytes.Add(bytes);
        _guests.Add(domain - 1);
        GuestMax = Math.Max(GuestMax, domain - 1);
    }

    /// <summary>A driver that polls gathers what came within a poll of the first packet.</summary>
    private sealed class GuestPackets(RecordedLoad load, int guest) : NetworkLoad
    {
        private const long PollNanos = 50 * VirtualClock.Microsecond;

        private int _next;

        internal override int Next(Span<int> sizes, out long atNanos)
        {
            atNanos = 0;
            int count = 0;
            long first = 0;
            for (; _next < load.Packets && count < ChunkMax; _next++)
            {
                if (load._guests[_next] != guest) continue;
                if (count > 0 && load._times[_next] - first > PollNanos) break;
                if (count == 0) first = load._times[_next];
                sizes[count++] = load._bytes[_next];
                atNanos = load._times[_next];
            }

            return count;
        }
    }
}
