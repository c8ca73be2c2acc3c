// SPDX-License-Identifier: MIT
namespace PerfCache.Native;

/// <summary>
/// The border of the calls that are not hot: what every one of them does before and after, once. The closure that each
/// makes costs some ten nanoseconds, so pages and rings on their way have it written out instead.
/// </summary>
internal static class AbiCall
{
    /// <summary>Runs a call, with the thread's state; afterwards it is out of whatever it entered.</summary>
    /// <returns>The status: what was thrown goes no further.</returns>
    internal static int Run(Action<ThreadState> call)
    {
        try
        {
            ThreadState thread = ThreadState.Current;
            call(thread);
            thread.Leave();
            return (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }

    /// <summary>Gives something new its handle, or ends it.</summary>
    internal static ulong Publish<T>(HandleTable<T> table, T made) where T : Opened
    {
        try
        {
            table.Add(made);
        }
        catch
        {
            made.Dispose();
            throw;
        }

        return made.Handle;
    }
}
