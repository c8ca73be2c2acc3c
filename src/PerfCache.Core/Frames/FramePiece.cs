// SPDX-License-Identifier: MIT
namespace PerfCache.Frames;

/// <summary>Frames that were neighbours at the tail of a list and still name each other; the outer links of both ends mean
/// nothing.</summary>
/// <param name="Youngest">The row nearest to the head; from there on Next leads to the oldest.</param>
/// <param name="Oldest">The row that was the tail.</param>
/// <param name="Count">How many; with 0 the rows mean nothing.</param>
internal readonly record struct FramePiece(uint Youngest, uint Oldest, uint Count);
