// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>Where a value's bytes go: so many whole frames, then one or two slots.</summary>
/// <param name="WholeFrames">Frames that the value fills, or the last of which it nearly fills.</param>
/// <param name="First">The class of the first slot, or 0.</param>
/// <param name="Second">The class of the second slot, or 0: full first slot, remainder in the second.</param>
internal readonly record struct ValueShape(int WholeFrames, byte First, byte Second);

/// <summary>The sizes that a page is cut into, and which of them a value gets.</summary>
/// <remarks>
/// Class 0 is no bytes, class 1 a whole page, class 2 half a page, and so on: the number of slots grows by a
/// quarter or by one, so each size is a page divided by a whole number and no end of a page is lost to more than
/// rounding (8 bytes a slot). Between a half and a whole page no such size exists. Where the next larger size
/// wastes much, a value takes two slots: the largest that it fills, and one for the remainder. That costs a
/// second row, so it is done when it saves the row and a sixteenth besides.
/// </remarks>
internal sealed class SizeClasses
{
    /// <summary>No bytes at all.</summary>
    internal const byte Empty = 0;

    /// <summary>A page of its own.</summary>
    internal const byte Whole = 1;

    /// <summary>The smallest slot.</summary>
    internal const int SlotBytesMin = 128;

    private const int RowBytes = ItemHead.SizeBytes + 16;

    private readonly int[] _bytes;
    private readonly int[] _slots;
    private readonly byte[] _classOf;
    private readonly ValueShape[] _shapeOf;

    internal SizeClasses(int pageBytes)
    {
        PageBytes = pageBytes;
        List<int> bytes = [0, pageBytes];
        List<int> slots = [0, 1];
        int slotsMax = pageBytes / SlotBytesMin;
        for (int count = 2; count <= slotsMax; count = Math.Max(count + 1, Math.Min(count * 5 / 4, slotsMax)))
        {
            bytes.Add(pageBytes / count / 8 * 8);
            slots.Add(count);
        }

        _bytes = [.. bytes];
        _slots = [.. slots];
        SlotsMax = slotsMax;
        _classOf = new byte[(pageBytes / 8) + 1];
        for (int eighths = 1; eighths < _classOf.Length; eighths++) _classOf[eighths] = Smallest(eighths * 8);
        _shapeOf = new ValueShape[_classOf.Length];
        for (int eighths = 1; eighths < _shapeOf.Length; eighths++) _shapeOf[eighths] = Cheapest(eighths * 8);
    }

    internal int PageBytes { get; }

    /// <summary>The number of classes, the two that are no slots included.</summary>
    internal int Count => _bytes.Length;

    /// <summary>The most slots of a page.</summary>
    internal int SlotsMax { get; }

    /// <summary>Bytes of a slot of the class.</summary>
    internal int Bytes(int sizeClass) => _bytes[sizeClass];

    /// <summary>Slots of a page of the class.</summary>
    internal int Slots(int sizeClass) => _slots[sizeClass];

    /// <summary>Where a value of <paramref name="length"/> bytes goes.</summary>
    internal ValueShape ShapeOf(int length)
    {
        int whole = length / PageBytes;
        // Class sizes are multiples of 8, so the shape of a length is the shape of its next multiple of 8.
        ValueShape rest = _shapeOf[(length - (whole * PageBytes) + 7) / 8];
        return new ValueShape(whole + rest.WholeFrames, rest.First, rest.Second);
    }

    /// <summary>Bytes of page memory that a shape takes.</summary>
    internal long BytesOf(ValueShape shape) =>
        ((long)shape.WholeFrames * PageBytes) + _bytes[shape.First] + _bytes[shape.Second];

    private byte Smallest(int length)
    {
        int sizeClass = Count - 1;
        while (_bytes[sizeClass] < length) sizeClass--;
        return (byte)sizeClass;
    }

    private ValueShape Cheapest(int length)
    {
        byte single = _classOf[length / 8];
        int first = single;
        while (first < Count && _bytes[first] >= length) first++;
        if (first < Count)
        {
            byte second = _classOf[(length - _bytes[first] + 7) / 8];
            int splitBytes = _bytes[first] + _bytes[second] + RowBytes;
            if (second > Whole && splitBytes + (_bytes[single] / 16) < _bytes[single])
                return new ValueShape(0, (byte)first, second);
        }

        return single == Whole ? new ValueShape(1, Empty, Empty) : new ValueShape(0, single, Empty);
    }
}
