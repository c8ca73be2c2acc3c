// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Tests.Models.Stepwise;

/// <summary>
/// A protocol between threads, written as steps on shared words, of which <see cref="StepwiseExplorer"/>
/// tries every interleaving that a weakly ordered machine allows.
/// </summary>
/// <remarks>
/// <b>One memory; what is weak is when.</b> Every store takes effect for all threads at one moment, as on
/// x64, arm64 and by the .NET memory model ("multicopy atomic"). The stores that have taken effect form one
/// history with one clock, so the views of a thread are single times. An access may take effect at another
/// moment than its step:
/// <list type="bullet">
/// <item><i>Early loads.</i> A load may return any value that its word held since the thread's <i>floor</i>,
/// and nothing older than what the thread has already seen of that word. Only ordering raises the floor: an
/// acquire load to the moment that it read at, a read barrier to the latest moment that any earlier load read
/// at, a fence to now.</item>
/// <item><i>Late loads.</i> A plain load may stay open while the thread goes on; it reads when it is
/// performed, at the latest before a step that uses the value, a read barrier, a fence, or the effect of a
/// release behind it. So a load can pass later stores (load buffering), but no value comes out of thin air: a
/// store waits for what it depends on.</item>
/// <item><i>Late stores.</i> Stores wait in the thread's <i>window</i> and take effect in any order, except
/// that those to one word keep theirs, a release waits for every earlier load and store of its thread, and
/// whatever follows a write barrier waits for every access before it. The thread itself reads its newest
/// waiting store.</item>
/// <item><i>Locked operations</i> read the latest value and write at the same moment with an empty window: a
/// full fence, as .NET promises of Interlocked. Weaker orders (what arm64's bare acquire-release loop does)
/// read at once, reserve the word, and let the store wait in the window, where later stores may overtake
/// it.</item>
/// <item><i>A process-wide barrier</i> makes each other thread fence at some step of its own while the caller
/// waits.</item>
/// </list>
/// This allows every reordering of two accesses to different words that .NET allows, and speculation of loads
/// past branches and addresses (dependencies order stores, never loads). Weaker than real machines: dependent
/// loads are not ordered, and an acquire may pass an earlier release. Stronger: a failed compare-exchange
/// reads the latest value, and a locked operation without acquire is not itself delayed. Words are whole:
/// mixed-size access is not modelled.
/// <para>Functions given to steps must be pure: they are called any number of times.</para>
/// </remarks>
internal sealed class StepwiseModel(string name)
{
    private readonly List<string> _wordNames = [];
    private readonly List<ulong> _initialValues = [];
    private readonly List<Func<ulong, string>> _formats = [];
    private readonly List<StepwiseThread> _threads = [];
    private readonly List<(string Name, Func<World, bool> Holds)> _always = [];
    private readonly List<(string Name, Func<World, bool> Holds)> _atEnd = [];

    internal string Name => name;

    internal IReadOnlyList<string> WordNames => _wordNames;

    internal IReadOnlyList<ulong> InitialValues => _initialValues;

    internal IReadOnlyList<StepwiseThread> Threads => _threads;

    internal IReadOnlyList<(string Name, Func<World, bool> Holds)> Invariants => _always;

    internal IReadOnlyList<(string Name, Func<World, bool> Holds)> EndConditions => _atEnd;

    /// <summary>A value of a word as a trace prints it.</summary>
    internal string Format(int word, ulong value) => _formats[word](value);

    /// <summary>Adds a shared word; at most 64.</summary>
    internal Word Word(string wordName, ulong initialValue = 0, Func<ulong, string>? format = null)
    {
        if (_wordNames.Count == 64) throw new InvalidOperationException($"{name}: more than 64 words");
        _wordNames.Add(wordName);
        _initialValues.Add(initialValue);
        _formats.Add(format ?? (value => value.ToString(CultureInfo.InvariantCulture)));
        return new Word(_wordNames.Count - 1);
    }

    /// <summary>Adds a thread; its steps are added to what this returns.</summary>
    internal StepwiseThread Thread(string threadName)
    {
        StepwiseThread thread = new(threadName, _threads.Count);
        _threads.Add(thread);
        return thread;
    }

    /// <summary>What must hold after every single effect.</summary>
    internal void Always(string invariant, Func<World, bool> holds) => _always.Add((invariant, holds));

    /// <summary>What must hold when every thread has ended and every store has taken effect.</summary>
    internal void AtEnd(string condition, Func<World, bool> holds) => _atEnd.Add((condition, holds));
}

/// <summary>A shared 64-bit word.</summary>
internal readonly record struct Word(int Index);

/// <summary>A word that only its thread reads and writes.</summary>
internal readonly record struct Register(int Thread, int Index);

/// <summary>What an access is ordered with, in the terms of the .NET memory model.</summary>
internal enum Ordering
{
    /// <summary>With nothing but the accesses to the same word.</summary>
    Plain,

    /// <summary>No later access of the thread takes effect before it.</summary>
    Acquire,

    /// <summary>Every earlier access of the thread takes effect before it.</summary>
    Release,

    /// <summary>
    /// Acquire for the read and release for the write, but what follows may still pass the write.
    /// </summary>
    AcquireRelease,

    /// <summary>A full fence: what .NET promises of Interlocked.</summary>
    Full,
}

/// <summary>Which reorderings the explorer allows.</summary>
internal enum MachineKind
{
    /// <summary>All that the essay of <see cref="StepwiseModel"/> tells.</summary>
    Weak,

    /// <summary>
    /// x64: only a later load passes an earlier store, and every locked operation is a full fence.
    /// </summary>
    TotalStoreOrder,
}

/// <summary>The word that a step goes to: always the same, or chosen by registers from a list.</summary>
internal readonly record struct Address(Word[] Words, Func<Registers, int>? Index)
{
    public static implicit operator Address(Word word) => new([word], null);

    internal static Address Of(Word[] words, Func<Registers, int> index) => new(words, index);

    internal int Resolve(Registers registers) =>
        Index is null ? Words[0].Index : Words[Index(registers)].Index;
}
