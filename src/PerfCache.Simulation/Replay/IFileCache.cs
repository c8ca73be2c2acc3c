// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;

namespace PerfCache.Simulation.Replay;

/// <summary>A cache of files, page by page: what a model of the kernel's reads and writes drives.</summary>
internal interface IFileCache
{
    /// <summary>Cache size in frames.</summary>
    long Frames { get; }

    /// <summary>Adds a file of any size.</summary>
    ObjectId AddFile();

    /// <summary>A request for a page: found, or brought in.</summary>
    AccessOutcome Access(ObjectId file, ulong page, ref PageReader reader);

    /// <summary>True when the page is resident.</summary>
    bool Contains(ObjectId file, ulong page);

    /// <summary>Brings a page in that nobody asked for.</summary>
    /// <returns>False when it was there.</returns>
    bool Insert(ObjectId file, ulong page);

    /// <summary>Pages go, and leave no shadow.</summary>
    void Remove(ObjectId file, ulong firstPage, ulong pageCount);
}
