// SPDX-License-Identifier: MIT
namespace PerfCache.Native;

/// <summary>A caller who looks at a cache's memory by itself, until it says that it does no longer.</summary>
internal sealed class OpenView : Opened
{
    private readonly OpenCache _cache;

    internal OpenView(OpenCache cache)
    {
        _cache = cache;
        cache.AddView();
    }

    /// <summary>Nobody looks any more: the cache may end.</summary>
    public override void Dispose() => _cache.RemoveView();
}
