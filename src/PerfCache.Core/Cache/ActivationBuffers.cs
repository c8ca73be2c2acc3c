// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>
/// Hits that the rule wants to hear of, on their way to it: each is a frame and the version that was hit, gathered in
/// stripes without a lock and handed over under it.
/// </summary>
/// <remarks>
/// <code>
/// stripe: | count (4 of 64 bytes) | entry 0 | entry 1 | ... |     entry: version 32 | frame 32, 0 for none
/// </code>
/// Step by step: a reader takes a place by a locked increment of the count and stores its entry; whoever holds the
/// cache's lock sets the count to 0 and takes the entries, each by an exchange with 0. A reader that was too slow to
/// store its entry leaves it for the next round; one that finds the stripe full drops its entry. Both are hints lost
/// or late, never wrong: an entry is believed only if the frame still has its version.
/// <para>Stripes are chosen by processor, so two threads seldom share one. Whoever has counted up sets a mark, if it is not
/// set; the drain takes it back before it looks at the counts. Both counts and mark are changed by locked operations, so
/// one of the two sees the other.</para>
/// </remarks>
internal sealed class ActivationBuffers : IDisposable
{
    /// <summary>Entries of a stripe.</summary>
    internal const int BatchMax = 256;

    private const int EntryBytes = sizeof(ulong);
    private const int WordsPerStripe = (64 / EntryBytes) + BatchMax;

    private readonly NativeColumn<ulong> _words;
    private readonly NativeArray<ulong> _word;
    private readonly uint _stripeMask;
    private readonly int _batch;
    private Mark _mark;

    internal ActivationBuffers(int batch, MemoryMeter meter)
    {
        _stripeMask = StripesFor(batch) - 1;
        _batch = batch;
        _words = NativeColumn<ulong>.Whole("activation buffers", (long)(_stripeMask + 1) * WordsPerStripe, meter);
        _word = _words.View;
    }

    /// <summary>Native bytes of the buffers.</summary>
    internal static long BytesFor(int batch) => (long)StripesFor(batch) * WordsPerStripe * EntryBytes;

    /// <summary>Adds a hit.</summary>
    /// <returns>True when the stripe has gathered a batch: the caller should drain soon.</returns>
    internal bool Add(FrameId frame, uint version)
    {
        uint stripe = (uint)Thread.GetCurrentProcessorId() & _stripeMask;
        uint first = stripe * WordsPerStripe;
        uint place = Interlocked.Increment(ref Unsafe.As<ulong, uint>(ref _word[first])) - 1;
        if (place < BatchMax)
            Volatile.Write(ref _word[first + (64 / EntryBytes) + place], ((ulong)version << 32) | frame.Value);
        // Read first: most often it is set, and its line stays with all.
        if (Volatile.Read(ref _mark.IsSet) == 0) Interlocked.Exchange(ref _mark.IsSet, 1);
        return place + 1 >= (uint)_batch;
    }

    /// <summary>True when there are entries, as far as one load can tell.</summary>
    internal bool HasSome
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Volatile.Read(ref _mark.IsSet) != 0;
    }

    /// <summary>Takes all entries out and hands each to <paramref name="receive"/>. Under the lock.</summary>
    internal void Drain<TReceiver>(ref TReceiver receive) where TReceiver : struct, IActivationReceiver
    {
        Interlocked.Exchange(ref _mark.IsSet, 0);
        for (uint stripe = 0; stripe <= _stripeMask; stripe++)
        {
            uint first = stripe * WordsPerStripe;
            if (Volatile.Read(ref _word[first]) == 0) continue;
            uint count = Math.Min(BatchMax, Interlocked.Exchange(ref Unsafe.As<ulong, uint>(ref _word[first]), 0));
            for (uint i = 0; i < count; i++)
            {
                ulong entry = Interlocked.Exchange(ref _word[first + (64 / EntryBytes) + i], 0);
                if (entry != 0) receive.Receive(new FrameId((uint)entry), (uint)(entry >> 32));
            }
        }
    }

    private static uint StripesFor(int batch) => batch == 1
        ? 1
        : System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Min(64, Environment.ProcessorCount));

    public void Dispose() => _words.Dispose();

    /// <summary>On a cache line of its own, away from the fields that every hit reads.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Mark
    {
        [FieldOffset(64)]
        public int IsSet;
    }
}

/// <summary>Whoever gets the entries of <see cref="ActivationBuffers"/>.</summary>
internal interface IActivationReceiver
{
    /// <summary>One hit.</summary>
    void Receive(FrameId frame, uint version);
}
