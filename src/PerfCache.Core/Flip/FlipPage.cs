// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;

namespace PerfCache.Flip;

/// <summary>A full page on its way to another domain; also the slot of a <see cref="FlipRing{TThreads}"/>.</summary>
/// <remarks>
/// <code>
/// 63              32 31               0      63        48 47       32 31               0
/// +-----------------+------------------+    +------------+-----------+------------------+
/// |  length in bytes|       frame      |    |      0     |   domain  |     user bits    |
/// +-----------------+------------------+    +------------+-----------+------------------+
/// </code>
/// 16 bytes, so four slots share a cache line and none straddles two. On the way back a slot has the free frame in the
/// frame's place, and the rest means nothing.
/// <para>It is two words on purpose, and is copied as two words. A load that is wider than the stores before it waits
/// until they have left the core, and in a ring those stores wait for a cache line from the other core: copying slots
/// by 16 or 32 bytes cost more than half of the speed at bursts of 8.</para>
/// </remarks>
public readonly record struct FlipPage
{
    private const int LengthShift = 32;
    private const int DomainShift = 32;

    private readonly ulong _place;
    private readonly ulong _tags;

    /// <summary>Makes a page.</summary>
    /// <param name="frame">The frame that holds it.</param>
    /// <param name="lengthBytes">Bytes of it that mean something, from its start: at least 1.</param>
    /// <param name="userBits">Whatever the domains agree on.</param>
    /// <param name="domain">The domain that it is for: it must be the consuming one of the ring.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FlipPage(FrameId frame, uint lengthBytes, uint userBits, ushort domain)
    {
        _place = frame.Value | ((ulong)lengthBytes << LengthShift);
        _tags = userBits | ((ulong)domain << DomainShift);
    }

    private FlipPage(ulong place, ulong tags)
    {
        _place = place;
        _tags = tags;
    }

    /// <summary>The frame that holds the page.</summary>
    public FrameId Frame
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new((uint)_place);
        init => _place = (_place & ~(ulong)uint.MaxValue) | value.Value;
    }

    /// <summary>Bytes of the page that mean something, from its start: at least 1.</summary>
    public uint LengthBytes
    {
        get => (uint)(_place >> LengthShift);
        init => _place = (uint)_place | ((ulong)value << LengthShift);
    }

    /// <summary>Whatever the domains agree on.</summary>
    public uint UserBits
    {
        get => (uint)_tags;
        init => _tags = (_tags & ~(ulong)uint.MaxValue) | value;
    }

    /// <summary>The domain that the page is for: it must be the consuming one of the ring.</summary>
    public ushort Domain
    {
        get => (ushort)(_tags >> DomainShift);
        init => _tags = (uint)_tags | ((ulong)value << DomainShift);
    }

    /// <summary>Reads a slot, word by word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static FlipPage ReadFrom(ref FlipPage slot)
    {
        ref ulong word = ref Unsafe.As<FlipPage, ulong>(ref slot);
        return new FlipPage(word, Unsafe.Add(ref word, 1));
    }

    /// <summary>Writes a slot, word by word. By value and not as <see cref="Copy"/>: a page whose address is not taken can
    /// stay in registers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void WriteTo(ref FlipPage slot)
    {
        ref ulong word = ref Unsafe.As<FlipPage, ulong>(ref slot);
        word = _place;
        Unsafe.Add(ref word, 1) = _tags;
    }

    /// <summary>Copies a page, word by word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Copy(ref readonly FlipPage from, ref FlipPage to) => WordCopy.Copy(in from, ref to, 1);

    /// <summary>Puts a free frame into a slot on its way back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Leave(ref FlipPage slot, FrameId free) => Unsafe.As<FlipPage, ulong>(ref slot) = free.Value;
}
