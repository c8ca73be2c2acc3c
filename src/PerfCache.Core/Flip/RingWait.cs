// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace PerfCache.Flip;

/// <summary>What a thread does while a ring is full or empty. Every wait has a deadline, whichever it is.</summary>
public enum RingWait
{
    /// <summary>Looks again at once. The quickest answer where each thread has a core; a whole core while it waits.</summary>
    Spin,

    /// <summary>Pauses the core for a growing moment between looks, which leaves the line to who writes it. A consumer that
    /// comes close to the producer pauses too, less than a microsecond now and then, before it takes a page.</summary>
    Pause,

    /// <summary>Lets another thread have the core: for more threads than cores.</summary>
    Yield,

    /// <summary>Sleeps until the other side wakes it: no processor time, and some microseconds to wake.</summary>
    Park,

    /// <summary>Pauses for some microseconds, then yields some times, then parks; consumers keep off as in
    /// <see cref="Pause"/>.</summary>
    Adaptive,
}

/// <summary>What a waiting thread waits for.</summary>
internal interface IRingLook
{
    /// <summary>True when the wait is over.</summary>
    bool IsReady { get; }
}

/// <summary>Waits until a slot is full.</summary>
internal readonly struct FullLook<TThreads>(RingLines ring) : IRingLook where TThreads : struct, IRingThreads
{
    private readonly RingLines _ring = ring;

    public bool IsReady => TThreads.LookForFull(in _ring, 1, out _) != 0;
}

/// <summary>Waits until a slot is free.</summary>
internal readonly struct FreeLook<TThreads>(RingLines ring) : IRingLook where TThreads : struct, IRingThreads
{
    private readonly RingLines _ring = ring;

    public bool IsReady => TThreads.LookForFree(in _ring, 1, out _) != 0;
}

/// <summary>The waiting rooms of a ring, one for each side.</summary>
/// <remarks>
/// Who parks must not miss the wake-up, and who wakes must not pay for it at every element. So the fence between
/// "store what was asked for, then look for sleepers" is left out on the waking side; the parking side makes the whole
/// process fence instead, once a sleep:
/// <code>
/// parking:  W1 one parked more    W2 process-wide barrier    W3 look again; sleep if there is nothing
/// waking:   tell (S2, S4, R4, R8)    W4 any parked? then, under the gate, wake all
/// </code>
/// W2 falls before or after the waking thread's W4. If before, W4 sees W1. If after, what was told is visible to W3. The
/// gate keeps a wake-up from coming between W3 and the sleep.
/// </remarks>
internal sealed class RingRooms
{
    private const int PauseRounds = 12;
    private const int YieldRounds = 24;
    private const int PauseShiftMax = 6;
    private const int SleepMillisMax = 50;
    private static readonly bool s_isAlone = Environment.ProcessorCount == 1;

    private readonly RingLines _ring;
    private readonly RingWait _wait;
    private readonly bool _parks;
    private readonly object _producers = new();
    private readonly object _consumers = new();

    internal RingRooms(RingLines ring, RingWait wait)
    {
        if (!Enum.IsDefined(wait)) throw new ArgumentOutOfRangeException(nameof(wait), wait, "not a way to wait");
        _ring = ring;
        _wait = wait;
        _parks = wait is RingWait.Park or RingWait.Adaptive;
    }

    internal RingWait Kind => _wait;

    /// <summary>Wakes consumers that sleep; to be called after slots were published.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void WakeConsumers()
    {
        // W4. Volatile only to keep the compiler from loading it before the slots are told of.
        if (_parks && Volatile.Read(ref _ring.Control.ParkedConsumers) != 0) Wake(_consumers);
    }

    /// <summary>Wakes producers that sleep; to be called after slots were retired.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void WakeProducers()
    {
        if (_parks && Volatile.Read(ref _ring.Control.ParkedProducers) != 0) Wake(_producers);
    }

    /// <summary>Waits as a consumer.</summary>
    internal bool WaitAsConsumer<TLook>(TLook look, TimeSpan timeout, CancellationToken cancellation)
        where TLook : struct, IRingLook =>
        Wait(look, ref _ring.Control.ParkedConsumers, _consumers, timeout, cancellation);

    /// <summary>Waits as a producer.</summary>
    internal bool WaitAsProducer<TLook>(TLook look, TimeSpan timeout, CancellationToken cancellation)
        where TLook : struct, IRingLook =>
        Wait(look, ref _ring.Control.ParkedProducers, _producers, timeout, cancellation);

    private bool Wait<TLook>(
        TLook look, ref uint parked, object room, TimeSpan timeout, CancellationToken cancellation)
        where TLook : struct, IRingLook
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(timeout, TimeSpan.Zero);
        if (look.IsReady) return true;
        long started = Stopwatch.GetTimestamp();
        for (int round = 0; ; round++)
        {
            RingWait kind = Next(_wait, round);
            TimeSpan left = TimeSpan.MaxValue;
            // The clock costs more than a look, so those who only look and pause read it now and then.
            if (kind >= RingWait.Yield || (round & 63) == 63)
            {
                cancellation.ThrowIfCancellationRequested();
                left = timeout - Stopwatch.GetElapsedTime(started);
                if (left <= TimeSpan.Zero) return look.IsReady;
            }

            if (kind == RingWait.Pause) Thread.SpinWait(1 << Math.Min(round, PauseShiftMax));
            else if (kind == RingWait.Yield) Thread.Yield();
            else if (kind == RingWait.Park) Park(look, ref parked, room, left);
            if (look.IsReady) return true;
        }
    }

    /// <summary>What to do in a round of a wait; never <see cref="RingWait.Adaptive"/>.</summary>
    internal static RingWait Next(RingWait wait, int round) => wait switch
    {
        // A thread that is alone on the machine waits for one that has no core.
        RingWait.Spin or RingWait.Pause when s_isAlone => RingWait.Yield,
        RingWait.Adaptive when round < PauseRounds && !s_isAlone => RingWait.Pause,
        RingWait.Adaptive => round < YieldRounds ? RingWait.Yield : RingWait.Park,
        _ => wait,
    };

    private static void Park<TLook>(TLook look, ref uint parked, object room, TimeSpan left) where TLook : struct, IRingLook
    {
        // W1: locked, because several threads of a side may park.
        Interlocked.Increment(ref parked);
        // W2
        Interlocked.MemoryBarrierProcessWide();
        lock (room)
        {
            // W3. The sleep is cut up so that a cancellation is heard.
            int millis = (int)Math.Min(left.TotalMilliseconds + 1, SleepMillisMax);
            if (!look.IsReady) Monitor.Wait(room, millis);
        }

        Interlocked.Decrement(ref parked);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Wake(object room)
    {
        lock (room) Monitor.PulseAll(room);
    }
}
