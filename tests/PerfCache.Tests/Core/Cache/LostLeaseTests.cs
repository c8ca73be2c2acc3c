// SPDX-License-Identifier: MIT
#if DEBUG
using System.Diagnostics;
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>
/// Goal: a debug build says which lease nobody disposed. Method: a lease is made where nothing keeps it, and the collector
/// is asked. Release builds record nothing.
/// </summary>
[TestFixture]
[NonParallelizable]
public sealed class LostLeaseTests
{
    [Test]
    public void ALeaseThatNobodyDisposedIsReported()
    {
        using StringWriter said = new();
        using TextWriterTraceListener listener = new(said);
        Trace.Listeners.Add(listener);
        PageCache<Fifo> cache = new(
            new PageCacheOptions { CapacityBytes = 1 << 20, Patience = TimeSpan.Zero }, default);
        try
        {
            Lose(cache, cache.AddObject());
            for (int i = 0; i < 10 && said.ToString().Length == 0; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                listener.Flush();
            }

            Assert.That(said.ToString(), Does.Contain("was lost"));
        }
        finally
        {
            Trace.Listeners.Remove(listener);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Lose(PageCache<Fifo> cache, ObjectId owner) => _ = cache.GetForWrite(owner, page: 1);
}
#endif
