// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;

namespace PerfCache.Simulation.Replay;

/// <summary>The same cache addressed by files and pages, for models that ask for pages which no request named.</summary>
internal sealed partial class CacheReplayCell<TRules>
{
    /// <summary>Files that get a directory: each is a range of address space of its own, and a process may have some
    /// 65,000 ranges.</summary>
    private const int DenseFilesMax = 8192;

    private int _fileCount;

    // Neighbouring pages share leaves in the kernel, and its limit on shadows counts leaves.
    ObjectId IFileCache.AddFile() =>
        _cache.AddObject(ReadaheadModel.FilePagesMax, dense: _fileCount++ < DenseFilesMax);

    AccessOutcome IFileCache.Access(ObjectId file, ulong page, ref PageReader reader) =>
        _cache.Access(file, page, ref reader);

    bool IFileCache.Contains(ObjectId file, ulong page) => _cache.Contains(file, page);

    bool IFileCache.Insert(ObjectId file, ulong page) => _cache.Insert(file, page);

    void IFileCache.Remove(ObjectId file, ulong firstPage, ulong pageCount) =>
        _cache.RemoveRange(file, firstPage, pageCount);
}
