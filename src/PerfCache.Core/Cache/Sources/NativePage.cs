// SPDX-License-Identifier: MIT
using System.Buffers;
using Microsoft.Extensions.ObjectPool;
using PerfCache.Memory;

namespace PerfCache.Cache.Sources;

/// <summary>A page of native memory as <see cref="Memory{T}"/>, which asynchronous calls ask for.</summary>
/// <remarks>
/// It owns no memory: whoever rents one promises that the page stays where it is until the return. Native
/// memory does not move, so pinning is handing out the address. Objects are pooled, and one miss after
/// another allocates nothing.
/// <para>
/// A <see cref="Memory{T}"/> that somebody kept beyond the return fails as soon as it is used, because the
/// page is no longer there. Only once the object serves another page would such a leftover see that one;
/// debug builds therefore never reuse an object, and each leftover fails with a line that says so.
/// </para>
/// </remarks>
internal sealed unsafe class NativePage : MemoryManager<byte>
{
    // Enough for a few requests of 32 neighbours each; those beyond are left to the garbage collector.
    private const int PooledMax = 256;

    private static readonly ObjectPool<NativePage> s_pool =
        new DefaultObjectPool<NativePage>(new Policy(), PooledMax);

    private byte* _address;
    private int _length;

    private NativePage() { }

    /// <summary>A view of <paramref name="length"/> bytes at <paramref name="address"/>.</summary>
    internal static NativePage Rent(byte* address, int length)
    {
        Invariant.Assert(address is not null && length > 0, nameof(NativePage), "a page to view", length);
        NativePage page = s_pool.Get();
        Invariant.Assert(page._address is null, nameof(NativePage), "an unused view from the pool", page._length);
        page._address = address;
        page._length = length;
        return page;
    }

    /// <summary>Ends the view. The page itself is not touched.</summary>
    internal void Return()
    {
        Invariant.Assert(_address is not null, nameof(NativePage), "a view that was not returned before", 0);
        _address = null;
        _length = 0;
        s_pool.Return(this);
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan()
    {
        // The base class asks for the span when it makes the Memory, too: both ends of a leftover are caught
        // here.
        Invariant.Assert(_address is not null, nameof(NativePage), "no use after the page's return", 0);
        return new Span<byte>(_address, _length);
    }

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        Invariant.Assert(_address is not null, nameof(NativePage), "no use after the page's return", 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)_length);
        return new MemoryHandle(_address + elementIndex);
    }

    /// <inheritdoc/>
    public override void Unpin() { }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) { }

    private sealed class Policy : PooledObjectPolicy<NativePage>
    {
        public override NativePage Create() => new();

        public override bool Return(NativePage obj)
        {
#if DEBUG || PERFCACHE_VALIDATE
            return false;
#else
            return true;
#endif
        }
    }
}
