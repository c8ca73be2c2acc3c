// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>
/// How far a walk over all items of a store has come (<see cref="ItemStore{TRule}.TryReadNext"/>); the default value is
/// its start. Belongs to one thread.
/// </summary>
public record struct ItemWalk
{
    /// <summary>The shard that comes next, from 0.</summary>
    internal int Shard { get; set; }

    /// <summary>The last row of it that was looked at.</summary>
    internal uint Row { get; set; }
}
