// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>
/// One store's workplace for append and prepend: the old value is copied here and checked before anything of it is
/// freed, joined with the new bytes, and stored like any other. Has a lock of its own, taken inside a shard's.
/// </summary>
internal sealed class ItemJoin(int valueBytesMax, MemoryMeter meter) : IDisposable
{
    private readonly NativeColumn<byte> _bytes = new("joining of values", valueBytesMax, meter);

    /// <summary>The largest value that may be stored.</summary>
    internal int ValueBytesMax { get; } = valueBytesMax;

    internal Lock Lock { get; } = new();

    internal long NativeBytes => _bytes.CommittedBytes;

    /// <summary>Room for a joined value, or false when memory cannot be had. Call under the lock.</summary>
    internal bool TryRoom(int length, out Span<byte> room)
    {
        room = default;
        try
        {
            _bytes.EnsureLengthExact(length);
        }
        catch (NativeMemoryException)
        {
            return false;
        }

        room = _bytes.View.AsSpan(0, length);
        return true;
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _bytes.Dispose();
}
