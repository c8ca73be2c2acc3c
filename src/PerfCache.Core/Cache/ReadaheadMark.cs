// SPDX-License-Identifier: MIT
namespace PerfCache.Cache;

/// <summary>What is known of a frame whose page was read ahead, until somebody reads it.</summary>
/// <remarks>
/// <code>
///  15     14           13       10 9             0
/// +------+------------+-----------+---------------+
/// |unread| sequential |  unused   |  distance 10  |
/// +------+------------+-----------+---------------+
/// </code>
/// The first page of a window is its marker: it knows how far it is to the window's end, where the next begins.
/// Only "sequential" stays once the page was read: an overflow tier wants to know it when the page leaves.
/// </remarks>
/// <param name="Packed">The packed word.</param>
internal readonly record struct ReadaheadMark(ushort Packed)
{
    /// <summary>Bytes of a mark.</summary>
    internal const int Bytes = sizeof(ushort);

    /// <summary>The greatest distance, and so the largest window.</summary>
    internal const int DistanceMax = 512;

    private const ushort UnreadBit = 1 << 15;
    private const ushort SequentialBit = 1 << 14;
    private const ushort DistanceMask = (1 << 10) - 1;

    /// <summary>A page that was read ahead.</summary>
    internal static ReadaheadMark Unread => new(UnreadBit);

    /// <summary>A page that was read ahead, whose first reader starts the window this many pages further on.</summary>
    internal static ReadaheadMark Marker(int distance) => new((ushort)(UnreadBit | distance));

    /// <summary>The same for a page of a long sequential read.</summary>
    internal ReadaheadMark Sequentially() => new((ushort)(Packed | SequentialBit));

    /// <summary>What is left once the page was read.</summary>
    internal ReadaheadMark Read() => new((ushort)(Packed & SequentialBit));

    /// <summary>True for a page of a long sequential read.</summary>
    internal bool IsSequential => (Packed & SequentialBit) != 0;

    /// <summary>True when the page was read ahead and not read since.</summary>
    internal bool IsUnread => (Packed & UnreadBit) != 0;

    /// <summary>Pages from this one to the end of its window; 0 unless it is the marker.</summary>
    internal int Distance => Packed & DistanceMask;
}
