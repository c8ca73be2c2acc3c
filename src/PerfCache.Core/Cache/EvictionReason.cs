// SPDX-License-Identifier: MIT
namespace PerfCache.Cache;

/// <summary>Why a page left the cache.</summary>
public enum EvictionReason
{
    /// <summary>Its frame was needed for another page.</summary>
    Reclaimed,

    /// <summary>Somebody invalidated it, its range or its object.</summary>
    Invalidated,

    /// <summary>The cache became smaller.</summary>
    Resized,

    /// <summary>Its partition was at its own limit, or the limit was lowered.</summary>
    PartitionLimit,
}
