// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Conversion;

/// <summary>
/// <c>oracle</c> (oracleGeneral): each record names the next request for its id, which is known only when all are: so the
/// requests are held (up to 24 bytes each) and written at the end.
/// </summary>
/// <remarks>
/// Times are whole seconds in 32 bits. Those of formats with a finer unit are divided; where the clock began long ago they
/// count from the trace's first request. A trace without sizes gets one for all.
/// </remarks>
internal sealed class OracleTraceWriter(Stream stream, string sourceFormat, uint sizeOfAll) : TraceWriter(stream)
{
    private const int RecordBytes = 24;

    private readonly List<Held> _held = [];

    // In how many parts the source divides a second: what its reader says of its times.
    private readonly long _ticksPerSecond = sourceFormat switch
    {
        TraceFormats.Vscsi or TraceFormats.Spc => 1_000_000,
        TraceFormats.Msr => 10_000_000,
        _ => 1,
    };

    public override TraceColumns Columns => TraceColumns.Time | TraceColumns.Size;

    public override void Write(TraceBlock block, ReadOnlySpan<ulong> ids) => _held.Add(new Held(
        ids.ToArray(),
        block.Sizes.Length > 0 ? block.Sizes.AsSpan(0, ids.Length).ToArray() : [],
        block.Times.Length > 0 ? block.Times.AsSpan(0, ids.Length).ToArray() : []));

    public override void End()
    {
        long[][] nexts = FindNexts();
        long start = StartOfTime();
        for (int h = 0; h < _held.Count; h++)
        {
            Held held = _held[h];
            for (int i = 0; i < held.Ids.Length; i++)
            {
                Span<byte> record = Room(RecordBytes);
                long time = held.Times.Length > 0 ? (held.Times[i] / _ticksPerSecond) - start : 0;
                BinaryPrimitives.WriteUInt32LittleEndian(record, (uint)Math.Clamp(time, 0, uint.MaxValue));
                BinaryPrimitives.WriteUInt64LittleEndian(record[4..], held.Ids[i]);
                BinaryPrimitives.WriteUInt32LittleEndian(record[12..], held.Sizes.Length > 0 ? held.Sizes[i] : sizeOfAll);
                BinaryPrimitives.WriteInt64LittleEndian(record[16..], nexts[h][i]);
                Take(RecordBytes);
            }
        }

        base.End();
    }

    // From the end to the start: the request seen last for a page is the next one of the one before it. Counted from 1;
    // -1 for none.
    private long[][] FindNexts()
    {
        using IdMap map = new(PageNumbering.Dense, hasFiles: false);
        uint[][] numbers = new uint[_held.Count][];
        for (int h = 0; h < numbers.Length; h++)
        {
            numbers[h] = new uint[_held[h].Ids.Length];
            map.Map(_held[h].Ids, default, numbers[h]);
        }

        long[] nextOfPage = new long[map.Pages];
        Array.Fill(nextOfPage, -1);
        long[][] nexts = new long[_held.Count][];
        long position = numbers.Sum(block => (long)block.Length);
        for (int h = numbers.Length - 1; h >= 0; h--)
        {
            nexts[h] = new long[numbers[h].Length];
            for (int i = nexts[h].Length - 1; i >= 0; i--)
            {
                ref long next = ref nextOfPage[numbers[h][i]];
                nexts[h][i] = next;
                next = position--;
            }
        }

        return nexts;
    }

    private long StartOfTime()
    {
        long first = long.MaxValue;
        long last = 0;
        foreach (Held held in _held)
        {
            foreach (long time in held.Times)
            {
                first = Math.Min(first, time / _ticksPerSecond);
                last = Math.Max(last, time / _ticksPerSecond);
            }
        }

        return last > uint.MaxValue || first < 0 ? first : 0;
    }

    private sealed record Held(ulong[] Ids, uint[] Sizes, long[] Times);
}
