// SPDX-License-Identifier: MIT
namespace PerfCache.Frames;

/// <summary>
/// The number of a row of the frame table. Ids instead of pointers: half the bytes, and checkable. Id 0 is reserved,
/// so zeroed memory is "no frame".
/// </summary>
/// <param name="Value">The row number.</param>
public readonly record struct FrameId(uint Value)
{
    /// <summary>The most data frames of one table: an index slot has 30 bits for an id, and some rows are list heads.</summary>
    public const uint CountMax = (1u << 30) - 1024;

    /// <summary>No frame.</summary>
    public static FrameId None => default;

    /// <summary>True for <see cref="None"/>.</summary>
    public bool IsNone => Value == 0;

    /// <inheritdoc/>
    public override string ToString() => $"frame {Value}";
}
