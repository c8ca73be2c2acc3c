// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Text;

namespace PerfCache.Native;

/// <summary>Where a thread finds its state. Apart, because a class with initialisers would check on every access whether
/// they have run.</summary>
internal static class PerThread
{
    [ThreadStatic]
    internal static ThreadState? State;
}

/// <summary>
/// What the library keeps for each thread that has called it: what the thread is inside of, its last error, and lease
/// slots that it may use without asking anybody.
/// </summary>
/// <remarks>
/// Closing something that other threads use needs to know when they are out. A counter would cost every hit two locked
/// operations on one line; this costs it two plain stores to a line of its own:
/// <code>
/// caller   N1 store inside        N2 load the entry of the table: gone? then out, "closed"
/// closer   N3 store: entry gone   N4 barrier in all threads of the process    N5 load every thread's inside
/// </code>
/// N4 stands in for the barrier between N1 and N2 that the caller does not pay for: either the caller's store was before
/// it, and N5 sees it, or the caller's load comes after it and sees that the entry is gone.
/// <para>A thread that ended is forgotten when its state is collected; its slots go back then.</para>
/// </remarks>
internal sealed class ThreadState
{
    /// <summary>The most free slots that a thread keeps for itself.</summary>
    internal const int SlotsMax = 64;

    private static readonly Lock s_lock = new();
    private static readonly List<WeakReference<ThreadState>> s_all = [];

    // Copies of the tables' arrays: one load from here instead of several through statics.
    internal readonly LeaseSlot[]?[] LeaseChunks = LeaseTable.Chunks;
    internal readonly OpenCache?[] Caches = Tables.Caches.Entries;
    private readonly uint[] _freeSlots = new uint[SlotsMax];
    private int _freeCount;
    private ulong _inside;
    private byte[] _errorText = [];

    private ThreadState()
    {
    }

    ~ThreadState() => LeaseTable.GiveBack(_freeSlots.AsSpan(0, _freeCount));

    /// <summary>This thread's state.</summary>
    internal static ThreadState Current
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => PerThread.State ?? Register();
    }

    /// <summary>N1: what the calling thread is about to use.</summary>
    internal void Enter(ulong handle) => Volatile.Write(ref _inside, handle);

    /// <summary>The thread uses it no longer.</summary>
    internal void Leave() => Volatile.Write(ref _inside, 0);

    /// <summary>A lease slot that nobody else has; <see cref="PutSlot"/> gives it back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryTakeSlot(out uint slot)
    {
        int count = _freeCount - 1;
        slot = 0;
        if ((uint)count >= (uint)_freeSlots.Length) return false;
        slot = _freeSlots[count];
        _freeCount = count;
        return true;
    }

    /// <summary>Gives a slot back, whichever thread had it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void PutSlot(uint slot)
    {
        uint[] slots = _freeSlots;
        int count = _freeCount;
        if ((uint)count >= (uint)slots.Length) count = PutHalfBack();
        slots[count] = slot;
        _freeCount = count + 1;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int PutHalfBack()
    {
        LeaseTable.GiveBack(_freeSlots.AsSpan(SlotsMax / 2));
        return SlotsMax / 2;
    }

    /// <summary>N4 and N5: true when no thread but this one is inside of what a handle names.</summary>
    internal static bool IsNobodyInside(ulong handle, ThreadState self)
    {
        Interlocked.MemoryBarrierProcessWide();
        lock (s_lock)
        {
            foreach (WeakReference<ThreadState> weak in s_all)
            {
                if (weak.TryGetTarget(out ThreadState? thread) && thread != self && Volatile.Read(ref thread._inside) == handle)
                    return false;
            }
        }

        return true;
    }

    /// <summary>Ends a call that failed: out of everything, the text noted.</summary>
    /// <returns>The status.</returns>
    internal static int Fail(Exception failure)
    {
        AbiStatus status = AbiException.StatusOf(failure);
        if (PerThread.State is not { } state) return (int)status;
        state.Leave();
        try
        {
            state._errorText = Encoding.UTF8.GetBytes(TextOf(failure, status));
        }
        catch (OutOfMemoryException)
        {
            state._errorText = [];
        }

        return (int)status;
    }

    /// <summary>The text of the last failure.</summary>
    internal ReadOnlySpan<byte> ErrorText => _errorText;

    private static string TextOf(Exception failure, AbiStatus status)
    {
        string text = failure.Message.ReplaceLineEndings(" ");
        if (status == AbiStatus.Internal) return $"{failure.GetType().Name}: {text}";
        // The name of a C# parameter says nothing to a caller in C.
        if (failure is not ArgumentException { ParamName: { } name }) return text;
        int end = text.IndexOf($" (Parameter '{name}')", StringComparison.Ordinal);
        return end < 0 ? text : text[..end];
    }

    private static ThreadState Register()
    {
        ThreadState state = new();
        lock (s_lock)
        {
            s_all.RemoveAll(static weak => !weak.TryGetTarget(out _));
            s_all.Add(new WeakReference<ThreadState>(state));
        }

        PerThread.State = state;
        return state;
    }
}
