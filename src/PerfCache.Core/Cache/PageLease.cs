// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>
/// A pinned page: its bytes stay where they are, and stay this page's, until the lease is disposed. Zero-copy, no
/// allocation; may be kept across awaits and handed to another thread.
/// </summary>
/// <remarks>
/// Dispose it exactly once, best by <c>using</c>; copies of the struct are the same lease. A debug build throws on a
/// second dispose and on use after dispose, and reports a lease that was lost through
/// <see cref="System.Diagnostics.Trace"/>.
/// The default value holds nothing, and disposing it does nothing.
/// </remarks>
public readonly unsafe struct PageLease : IDisposable, IEquatable<PageLease>
{
    private readonly FrameHead* _head;
    private readonly byte* _bytes;
    private readonly int _length;
#if DEBUG || PERFCACHE_VALIDATE
    private readonly LeaseTicket? _ticket;
#endif

    internal PageLease(ref FrameHead head, byte* bytes, int length)
    {
        _head = (FrameHead*)Unsafe.AsPointer(ref head);
        _bytes = bytes;
        _length = length;
#if DEBUG || PERFCACHE_VALIDATE
        _ticket = new LeaseTicket(head.Key);
#endif
    }

    /// <summary>True for the default value, which holds no page.</summary>
    public bool IsEmpty => _head is null;

    /// <summary>The bytes of the page; a whole page, with zeros behind the end of a short last page.</summary>
    /// <exception cref="ObjectDisposedException">Debug builds: the lease was disposed.</exception>
    public ReadOnlySpan<byte> Span
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
#if DEBUG || PERFCACHE_VALIDATE
            _ticket?.CheckHeld();
#endif
            return new ReadOnlySpan<byte>(_bytes, _length);
        }
    }

    /// <summary>The page's number in its object.</summary>
    public ulong Page => _head is null ? 0 : _head->Key.Page;

    /// <summary>Lets the page go.</summary>
    /// <exception cref="ObjectDisposedException">Debug builds: it was let go before.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Dispose()
    {
        if (_head is null) return;
#if DEBUG || PERFCACHE_VALIDATE
        _ticket?.Return();
#endif
        // L6. The locked operation is a release: what the holder read was read before.
        Interlocked.Add(ref _head->Word, FrameState.PinsMask);
    }

    /// <summary>The pin goes over to somebody else, who will let it go: the lease ends without.</summary>
    internal static void HandOver(in PageLease lease)
    {
#if DEBUG || PERFCACHE_VALIDATE
        lease._ticket?.Return();
#else
        _ = lease;
#endif
    }

    /// <summary>Lets a page go whose pin was handed over.</summary>
    /// <param name="word">The state word of its frame.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Unpin(ulong* word) => Interlocked.Add(ref *word, FrameState.PinsMask); // L6

    /// <summary>Where the bytes are.</summary>
    internal byte* Address => _bytes;

    /// <summary>The state word of the frame, which has the pin.</summary>
    internal ulong* Word => &_head->Word;

    /// <inheritdoc/>
    public bool Equals(PageLease other) => _head == other._head;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PageLease other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => ((nuint)_head).GetHashCode();

    /// <summary>True for leases of one frame.</summary>
    public static bool operator ==(PageLease left, PageLease right) => left.Equals(right);

    /// <summary>True for leases of two frames.</summary>
    public static bool operator !=(PageLease left, PageLease right) => !left.Equals(right);
}

/// <summary>What a lease of a debug build carries: copies of the struct share it.</summary>
internal sealed class LeaseTicket(PageKey key)
{
    private int _returned;

    ~LeaseTicket()
    {
        // Its frame is pinned for ever, and nobody else will ever say whose fault that is.
        if (!IsReturned) Trace.TraceError($"page cache: a lease of {key} was lost; dispose each lease, best by using");
    }

    internal void CheckHeld() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _returned) != 0, typeof(PageLease));

    internal void Return()
    {
        ObjectDisposedException.ThrowIf(Interlocked.Exchange(ref _returned, 1) != 0, typeof(PageLease));
    }

    internal bool IsReturned => Volatile.Read(ref _returned) != 0;
}
