// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>The lock of a page cache: left by a plain store as long as nobody competes for it. Not re-entrant.</summary>
/// <remarks>
/// <code>
/// calm      K1 word: 0 -> 1, compare-exchange                         K2 word := 0, a release
/// crowded   G1 gate.Enter   G2 crowded := some turns   K1, polled     K2   G3 gate.Exit
/// </code>
/// Nobody sleeps on the word, so whoever leaves has nobody to wake; that is what makes K2 a plain store, and the pair
/// half as dear as the runtime's. Who fails at K1 goes through the gate, which is the runtime's lock and sleeps as that
/// does, and polls the word. While "crowded" says so, everybody comes through the gate: then one thread at most polls, and
/// the lock stays with a thread for as long as the gate does, instead of changing threads with every insertion.
/// <para>M1: one thread at most is between K1 and K2. M2: whoever holds the gate is that thread, or is about to be. M3: when
/// all have left, word and gate are free.</para>
/// </remarks>
internal sealed class CacheLock
{
    /// <summary>How many acquisitions after the last that had to wait still come through the gate.</summary>
    internal const int CrowdedTurns = 4096;

    /// <summary>How often the one at the gate looks at the word, a minute or more. What the lock protects takes
    /// microseconds: by then the owner waits for itself.</summary>
    private const int PollsMax = 60_000;

    private readonly Lock _gate = new();
    private readonly int _pollsMax;
    private int _word;

    /// <summary>A hint: so many more acquisitions go through the gate. Written by its holder, read by all.</summary>
    private int _crowded;

    /// <summary>The owner's: it came through the gate. False while nobody is in.</summary>
    private bool _throughGate;

    /// <summary>The owner in checked builds, otherwise 0.</summary>
    private int _owner;

    /// <summary>Makes a lock that is free.</summary>
    /// <param name="pollsMax">How often the one at the gate looks at the word before it gives up.</param>
    internal CacheLock(int pollsMax = PollsMax) => _pollsMax = pollsMax;

    /// <summary>True when everybody comes through the gate at the moment.</summary>
    internal bool IsCrowded => Volatile.Read(ref _crowded) != 0;

    /// <summary>Enters if that needs no waiting.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryEnter()
    {
        CheckNotMine();
        bool entered = _crowded == 0
            ? Interlocked.CompareExchange(ref _word, 1, 0) == 0
            : TryEnterCrowded();
        if (entered) NoteOwner(Mine);
        return entered;
    }

    /// <summary>Enters.</summary>
    /// <exception cref="InvalidOperationException">The lock was not left for a minute: a caller's code that runs under it has
    /// called the cache.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Enter()
    {
        if (!TryEnter()) EnterThroughGate();
    }

    /// <summary>Leaves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Exit()
    {
        NoteOwner(0);
        if (_throughGate) ExitThroughGate();
        else Volatile.Write(ref _word, 0); // K2
    }

    /// <summary>Enters; disposing what comes back leaves.</summary>
    /// <inheritdoc cref="Enter" path="/exception"/>
    internal Scope EnterScope()
    {
        Enter();
        return new Scope(this);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryEnterCrowded()
    {
        if (!_gate.TryEnter()) return false;
        if (Interlocked.CompareExchange(ref _word, 1, 0) != 0) // K1
        {
            _gate.Exit();
            return false;
        }

        _throughGate = true;
        _crowded = Math.Max(0, _crowded - 1);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EnterThroughGate()
    {
        _gate.Enter(); // G1
        _crowded = CrowdedTurns; // G2
        SpinWait spin = default;
        int polls = 0;
        while (Interlocked.CompareExchange(ref _word, 1, 0) != 0) // K1
        {
            // After some twenty, each is a nap of a millisecond.
            if (++polls <= _pollsMax)
            {
                spin.SpinOnce();
                continue;
            }

            _gate.Exit();
            throw new InvalidOperationException(
                "page cache: its lock is not left; does a filler or another callback under the lock call the cache?");
        }

        _throughGate = true;
        NoteOwner(Mine);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ExitThroughGate()
    {
        _throughGate = false;
        Volatile.Write(ref _word, 0); // K2
        _gate.Exit(); // G3
    }

    private static int Mine => Environment.CurrentManagedThreadId;

    [Conditional("DEBUG")]
    [Conditional("PERFCACHE_VALIDATE")]
    private void CheckNotMine() => Invariant.Assert(
        Volatile.Read(ref _owner) != Mine, "page cache", "no call of the cache under its own lock", Mine);

    [Conditional("DEBUG")]
    [Conditional("PERFCACHE_VALIDATE")]
    private void NoteOwner(int owner) => Volatile.Write(ref _owner, owner);

    /// <summary>One entry.</summary>
    internal readonly ref struct Scope(CacheLock held)
    {
        /// <summary>Leaves.</summary>
        public void Dispose() => held.Exit();
    }
}
