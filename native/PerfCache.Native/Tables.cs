// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace PerfCache.Native;

/// <summary>Something that a handle names and that callers may be inside of.</summary>
internal abstract class Opened : IDisposable
{
    /// <summary>The number that callers have.</summary>
    internal ulong Handle { get; set; }

    /// <summary>Gives everything back; nobody is inside.</summary>
    public abstract void Dispose();
}

/// <summary>What is open of one kind, by handle.</summary>
/// <typeparam name="T">The kind.</typeparam>
internal sealed class HandleTable<T>(HandleKind kind, string name) where T : Opened
{
    private readonly Lock _lock = new();
    private readonly uint[] _generations = new uint[Handle.IndexMask + 1];
    // What was closed and would not end: takes no calls, but may be closed again.
    private readonly Dictionary<ulong, T> _ending = [];

    /// <summary>What is open; read without the lock.</summary>
    internal T?[] Entries { get; } = new T?[Handle.IndexMask + 1];

    /// <summary>Gives something its handle; from then on callers may come.</summary>
    /// <exception cref="AbiException">Too many are open.</exception>
    internal void Add(T opened)
    {
        lock (_lock)
        {
            for (int index = 0; index < Entries.Length; index++)
            {
                if (Entries[index] is not null || _generations[index] == Handle.GenerationMax) continue;
                opened.Handle = Handle.Make(kind, index, ++_generations[index]);
                Volatile.Write(ref Entries[index], opened);
                return;
            }
        }

        throw new AbiException(AbiStatus.Refused, $"{Entries.Length} are open, or too many were: close a {name} first");
    }

    /// <summary>N1 and N2: what a handle names, with the thread inside of it until it leaves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal T Enter(ThreadState thread, ulong handle) =>
        TryEnter(Entries, thread, handle) ?? throw WhyNot(handle);

    /// <summary>As <see cref="Enter"/>, for somebody who has the entries at hand.</summary>
    /// <returns>Null when the handle names nothing.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static T? TryEnter(T?[] entries, ThreadState thread, ulong handle)
    {
        thread.Enter(handle);
        T? opened = Volatile.Read(ref entries[Handle.IndexOf(handle)]);
        return opened is not null && opened.Handle == handle ? opened : null;
    }

    /// <summary>Closes what a handle names: takes it out, waits until nobody is inside, and lets it end.</summary>
    /// <param name="thread">The calling thread.</param>
    /// <param name="handle">The handle.</param>
    /// <param name="patience">How long to wait for those inside.</param>
    /// <param name="end">Ends it; when this throws, closing may be tried again.</param>
    /// <param name="staysOpen">True when what cannot end goes on taking calls.</param>
    internal void Close(ThreadState thread, ulong handle, Func<T, TimeSpan> patience, Action<T> end, bool staysOpen)
    {
        T opened = TakeOut(handle);
        try
        {
            long ends = Environment.TickCount64 + (long)patience(opened).TotalMilliseconds;
            SpinWait wait = default;
            while (!ThreadState.IsNobodyInside(handle, thread))
            {
                if (Environment.TickCount64 > ends)
                    throw new TimeoutException($"other threads are still inside of {name} 0x{handle:x}; close it again");
                wait.SpinOnce();
            }

            end(opened);
        }
        catch
        {
            PutBack(opened, staysOpen);
            throw;
        }
    }

    /// <summary>Why a handle names nothing.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal AbiException WhyNot(ulong handle)
    {
        uint generation = Handle.GenerationOf(handle);
        bool wasOne = Handle.KindOf(handle) == kind && Handle.ObjectOf(handle).Value == 0 && generation > 0
            && generation <= Volatile.Read(ref _generations[Handle.IndexOf(handle)]);
        return wasOne
            ? new AbiException(AbiStatus.Closed, $"{name} 0x{handle:x} is closed")
            : new AbiException(AbiStatus.BadHandle, $"0x{handle:x} is not the handle of a {name}");
    }

    private T TakeOut(ulong handle)
    {
        lock (_lock)
        {
            int index = Handle.IndexOf(handle);
            if (Entries[index] is { } opened && opened.Handle == handle)
            {
                Volatile.Write(ref Entries[index], null); // N3
                return opened;
            }

            return _ending.Remove(handle, out T? ending) ? ending : throw WhyNot(handle);
        }
    }

    private void PutBack(T opened, bool staysOpen)
    {
        lock (_lock)
        {
            int index = Handle.IndexOf(opened.Handle);
            // Its place may have been taken meanwhile; then it can only be closed.
            if (staysOpen && Entries[index] is null) Volatile.Write(ref Entries[index], opened);
            else _ending.Add(opened.Handle, opened);
        }
    }
}

/// <summary>What is open in this process.</summary>
internal static class Tables
{
    internal static HandleTable<OpenCache> Caches { get; } = new(HandleKind.Cache, "cache");

    internal static HandleTable<OpenView> Views { get; } = new(HandleKind.View, "view");

    internal static HandleTable<OpenPool> Pools { get; } = new(HandleKind.Pool, "pool");

    internal static HandleTable<OpenRing> Rings { get; } = new(HandleKind.Ring, "ring");
}
