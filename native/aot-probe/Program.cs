// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

// Compiled ahead of time, this program cannot generate code; if it can, the probe was published the wrong
// way. What else it should call of the libraries to show that they also run, not only compile, goes here.
if (RuntimeFeature.IsDynamicCodeSupported)
{
    Console.Error.WriteLine("aot-probe: this is not an ahead-of-time compiled program");
    return 1;
}

// One page in, many more behind it, and what was added last found again.
PageCacheOptions options = new() { CapacityBytes = 1 << 20 };
using PageCache<LinuxRules<Linux6>> cache = new(options, new LinuxRules<Linux6>());
ObjectId owner = cache.AddObject(source: null, pageCountMax: 10_000);
for (uint page = 0; page < 1000; page++) cache.TryAdd(owner, page, [(byte)page]);
if (!cache.TryGet(owner, 999, out PageLease lease) || lease.Span[0] != unchecked((byte)999) || cache.Contains(owner, 0))
{
    Console.Error.WriteLine("aot-probe: the page cache does not keep what it should");
    return 1;
}

lease.Dispose();
cache.Validate();
Console.WriteLine("aot-probe: ok");
return 0;
