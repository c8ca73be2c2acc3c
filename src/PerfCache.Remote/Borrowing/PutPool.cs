// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Remote.Borrowing;

/// <summary>Evicted pages that wait to be sent: a ring with a fixed number of buffers, one producer and one consumer.</summary>
/// <remarks>
/// The producer runs under the cache's lock and must not wait: it copies a page and goes. Counters run free.
/// <code>
/// produce   P1 end - begin &lt; slots, begin acquired   P2 fill the slot      P3 end + 1, a release     P4 fence; asleep? wake
/// consume   C1 begin &lt; end, end acquired             C2 use the slot       C3 begin + 1, a release
/// sleep     S1 asleep on, fence                      S2 still empty?       S3 wait                   S4 asleep off
/// </code>
/// P4 and S1 are the two full fences of Dekker: either the producer sees that the consumer sleeps, or the consumer sees the
/// page.
/// </remarks>
internal sealed class PutPool : IDisposable
{
    private readonly byte[] _values;
    private readonly (PageKey Page, uint Generation, int Server)[] _names;
    private readonly AutoResetEvent _wake = new(false);
    private long _begin;
    private long _end;
    private int _asleep;

    internal PutPool(int slots, int valueBytes)
    {
        ValueBytes = valueBytes;
        _values = GC.AllocateUninitializedArray<byte>(checked(slots * valueBytes), pinned: true);
        _names = new (PageKey, uint, int)[slots];
    }

    /// <summary>Bytes of a buffer.</summary>
    internal int ValueBytes { get; }

    /// <summary>True when a page fits in. The producer's.</summary>
    internal bool HasRoom => _end - Volatile.Read(ref _begin) < _names.Length; // P1

    /// <summary>Copies a page in; there must be room. The producer's.</summary>
    internal void Add(PageKey page, uint generation, int server, ReadOnlySpan<byte> bytes)
    {
        int slot = (int)(_end % _names.Length);
        _names[slot] = (page, generation, server);
        bytes.CopyTo(_values.AsSpan(slot * ValueBytes));
        Volatile.Write(ref _end, _end + 1); // P3
        Interlocked.MemoryBarrier(); // P4
        if (_asleep != 0 && Interlocked.Exchange(ref _asleep, 0) != 0) _wake.Set();
    }

    /// <summary>The page that waits longest, if any. The consumer's, until <see cref="RemoveFirst"/>.</summary>
    internal bool TryPeek(out (PageKey Page, uint Generation, int Server) name, out Memory<byte> value)
    {
        name = default;
        value = default;
        if (_begin >= Volatile.Read(ref _end)) return false; // C1
        int slot = (int)(_begin % _names.Length);
        name = _names[slot];
        value = _values.AsMemory(slot * ValueBytes, ValueBytes);
        return true;
    }

    /// <summary>Frees the buffer that was looked at.</summary>
    internal void RemoveFirst() => Volatile.Write(ref _begin, _begin + 1); // C3

    /// <summary>Waits until there is something, or until somebody rings.</summary>
    internal void Wait(int milliseconds)
    {
        Interlocked.Exchange(ref _asleep, 1); // S1
        if (_begin >= Volatile.Read(ref _end)) _wake.WaitOne(milliseconds); // S2, S3
        Volatile.Write(ref _asleep, 0); // S4
    }

    /// <summary>Wakes the consumer.</summary>
    internal void Ring() => _wake.Set();

    /// <inheritdoc/>
    public void Dispose() => _wake.Dispose();
}
