// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

/// <summary>A value that a word has held, from a moment on.</summary>
internal readonly record struct PastValue(ulong Value, int Time);

internal enum OpenAccessKind
{
    Load, Store, WriteBarrier,
}

/// <summary>
/// An access whose step is over and whose effect is still to come, or a write barrier between such.
/// </summary>
/// <param name="Kind">What it is.</param>
/// <param name="Word">The word it goes to.</param>
/// <param name="Value">The value of a store.</param>
/// <param name="Register">The register of a load.</param>
/// <param name="IsRelease">True for a store that waits for everything before it.</param>
/// <param name="IsExclusive">True for the store of a locked operation: nobody else may write the word before
/// it.</param>
/// <param name="Step">The step, for the trace.</param>
internal readonly record struct OpenAccess(
    OpenAccessKind Kind, int Word, ulong Value, int Register, bool IsRelease, bool IsExclusive, int Step);

/// <summary>One thread between two effects.</summary>
internal sealed class ThreadState
{
    internal int NextStep;
    internal ulong[] Registers = [];

    /// <summary>Registers whose load is still open, as bits.</summary>
    internal ulong OpenRegisters;

    /// <summary>No later load may read at an earlier moment.</summary>
    internal int Floor;

    /// <summary>The latest moment that a load has read at: the floor behind the next read barrier.</summary>
    internal int LoadedUpTo;

    /// <summary>
    /// For each word the oldest past value that may still be read, as an index into its history.
    /// </summary>
    internal int[] Seen = [];

    /// <summary>Accesses whose effect is still to come, in program order.</summary>
    internal OpenAccess[] Window = [];

    /// <summary>During a process-wide barrier: the threads that have already fenced, as bits.</summary>
    internal ulong Fenced;

    internal ThreadState Clone() => new()
    {
        NextStep = NextStep,
        Registers = (ulong[])Registers.Clone(),
        OpenRegisters = OpenRegisters,
        Floor = Floor,
        LoadedUpTo = LoadedUpTo,
        Seen = (int[])Seen.Clone(),
        Window = Window,
        Fenced = Fenced,
    };

    internal void Open(OpenAccess access) => Window = [.. Window, access];

    /// <summary>
    /// Takes an access out of the window, and the write barriers that have nothing before them any more.
    /// </summary>
    internal void Close(int at)
    {
        OpenAccess[] rest = [.. Window.AsSpan(0, at), .. Window.AsSpan(at + 1)];
        int barriers = 0;
        while (barriers < rest.Length && rest[barriers].Kind == OpenAccessKind.WriteBarrier) barriers++;
        Window = barriers == 0 ? rest : rest[barriers..];
    }
}

/// <summary>
/// The whole machine between two effects. <see cref="Canonicalise"/> forgets all that no thread can tell any
/// more, so that states which behave alike are equal and the explorer visits one of them.
/// </summary>
internal sealed class MachineState
{
    internal int Now;

    /// <summary>For each word the values that some thread may still read, the latest last.</summary>
    internal PastValue[][] Memory = [];

    internal ThreadState[] Threads = [];

    internal ulong Latest(int word) => Memory[word][^1].Value;

    internal MachineState Clone() => new()
    {
        Now = Now,
        Memory = (PastValue[][])Memory.Clone(),
        Threads = Array.ConvertAll(Threads, thread => thread.Clone()),
    };

    /// <summary>A store takes effect.</summary>
    internal void Write(int thread, int word, ulong value)
    {
        Memory[word] = [.. Memory[word], new PastValue(value, ++Now)];
        Threads[thread].Seen[word] = Memory[word].Length - 1;
    }

    /// <summary>
    /// The oldest past value of a word that a thread may still read, as an index into its history.
    /// </summary>
    internal int OldestReadable(int thread, int word)
    {
        ThreadState reader = Threads[thread];
        PastValue[] history = Memory[word];
        int oldest = reader.Seen[word];
        while (oldest + 1 < history.Length && history[oldest + 1].Time <= reader.Floor) oldest++;
        return oldest;
    }

    /// <summary>
    /// Drops values that nobody can read any more, and renumbers the moments that are left.
    /// </summary>
    /// <param name="mayRead">For each thread the words that it may still read the past of, as bits.</param>
    internal void Canonicalise(ReadOnlySpan<ulong> mayRead)
    {
        int lowestFloor = int.MaxValue;
        for (int thread = 0; thread < Threads.Length; thread++)
        {
            ThreadState state = Threads[thread];
            if (mayRead[thread] == 0) state.Floor = state.LoadedUpTo = 0;
            else lowestFloor = Math.Min(lowestFloor, state.Floor);
            if (state.LoadedUpTo < state.Floor) state.LoadedUpTo = state.Floor;
        }

        for (int word = 0; word < Memory.Length; word++) DropUnreadable(word, mayRead, lowestFloor);
        RenumberMoments(mayRead);
    }

    private void DropUnreadable(int word, ReadOnlySpan<ulong> mayRead, int lowestFloor)
    {
        PastValue[] history = Memory[word];
        int oldest = history.Length - 1;
        for (int thread = 0; thread < Threads.Length; thread++)
        {
            bool reads = (mayRead[thread] >> word & 1) != 0;
            Threads[thread].Seen[word] = reads ? OldestReadable(thread, word) : int.MaxValue;
            if (reads) oldest = Math.Min(oldest, Threads[thread].Seen[word]);
        }

        foreach (ThreadState thread in Threads)
            thread.Seen[word] = thread.Seen[word] == int.MaxValue ? 0 : thread.Seen[word] - oldest;
        bool ancient = history[oldest].Time != 0 && history[oldest].Time <= lowestFloor;
        if (oldest == 0 && !ancient) return;
        Memory[word] = history[oldest..];
        if (ancient) Memory[word][0] = new PastValue(Memory[word][0].Value, 0);
    }

    // Times are only compared, and a floor says no more than which of the remaining values came before it.
    private void RenumberMoments(ReadOnlySpan<ulong> mayRead)
    {
        Span<bool> used = stackalloc bool[Now + 1];
        used.Clear();
        foreach (PastValue[] history in Memory)
            foreach (PastValue value in history) used[value.Time] = true;
        Span<int> rank = stackalloc int[Now + 1];
        int last = 0;
        for (int time = 1; time <= Now; time++) rank[time] = used[time] ? ++last : last;
        rank[0] = 0;
        if (last == Now) return;
        for (int word = 0; word < Memory.Length; word++)
        {
            PastValue[] history = Memory[word];
            bool moves = false;
            foreach (PastValue value in history) moves |= rank[value.Time] != value.Time;
            if (!moves) continue;
            PastValue[] renumbered = new PastValue[history.Length];
            for (int i = 0; i < history.Length; i++)
                renumbered[i] = new PastValue(history[i].Value, rank[history[i].Time]);
            Memory[word] = renumbered;
        }

        for (int thread = 0; thread < Threads.Length; thread++)
        {
            Threads[thread].Floor = rank[Threads[thread].Floor];
            Threads[thread].LoadedUpTo = rank[Threads[thread].LoadedUpTo];
        }

        Now = last;
    }

    /// <summary>A 128-bit hash of everything that later behaviour depends on.</summary>
    internal UInt128 Hash()
    {
        ulong low = 0x9E3779B97F4A7C15, high = 0xC2B2AE3D27D4EB4F;
        void Mix(ulong value)
        {
            low = (ulong.RotateLeft(low, 23) ^ value) * 0xFF51AFD7ED558CCD;
            low ^= low >> 32;
            high = (ulong.RotateLeft(high, 29) + value) * 0xC4CEB9FE1A85EC53;
            high ^= high >> 29;
        }

        foreach (PastValue[] history in Memory)
        {
            Mix((ulong)history.Length);
            foreach (PastValue value in history)
            {
                Mix(value.Value);
                Mix((ulong)value.Time);
            }
        }

        foreach (ThreadState thread in Threads)
        {
            Mix((ulong)thread.NextStep << 32 | (ulong)thread.Floor << 16 | (uint)thread.LoadedUpTo);
            Mix(thread.OpenRegisters);
            Mix(thread.Fenced);
            foreach (ulong register in thread.Registers) Mix(register);
            foreach (int seen in thread.Seen) Mix((ulong)seen);
            Mix((ulong)thread.Window.Length);
            foreach (OpenAccess access in thread.Window)
            {
                Mix((ulong)access.Kind << 48 | (ulong)(access.Register + 1) << 32 | (ulong)access.Word << 2
                    | (access.IsRelease ? 2UL : 0) | (access.IsExclusive ? 1UL : 0));
                Mix(access.Value);
            }
        }

        return new UInt128(high, low);
    }
}
