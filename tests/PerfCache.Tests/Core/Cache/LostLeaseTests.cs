// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using PerfCache.Cache;

namespace PerfCache.Tests.Core.Cache;

/// <summary>
/// Goal: a lease that nobody disposed is reported, and one that somebody did is not. Method: the ticket that the leases of
/// debug builds carry is made where nothing keeps it, and the collector is asked.
/// </summary>
[TestFixture]
[NonParallelizable]
public sealed class LostLeaseTests
{
    [TestCase(false, ExpectedResult = true)]
    [TestCase(true, ExpectedResult = false)]
    public bool ALeaseThatNobodyDisposedIsReported(bool disposes)
    {
        using StringWriter said = new();
        using TextWriterTraceListener listener = new(said);
        Trace.Listeners.Add(listener);
        try
        {
            Lend(disposes);
            for (int i = 0; i < 10 && said.ToString().Length == 0; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                listener.Flush();
            }

            return said.ToString().Contains("was lost; dispose each lease", StringComparison.Ordinal);
        }
        finally
        {
            Trace.Listeners.Remove(listener);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Lend(bool disposes)
    {
        LeaseTicket ticket = new(default);
        if (disposes) ticket.Return();
    }
}
