// SPDX-License-Identifier: MIT
namespace PerfCache.Frames;

/// <summary>The number of an object (a file, a volume, a tenant) whose pages are cached.</summary>
/// <param name="Value">0 to <see cref="ValueMax"/>.</param>
public readonly record struct ObjectId(uint Value)
{
    /// <summary>The greatest object number.</summary>
    public const uint ValueMax = (1u << PageKey.ObjectBits) - 1;
}

/// <summary>The name of a page: its object and its place in it, packed into 64 bits.</summary>
/// <remarks>
/// <code>
///  63            40 39                               0
/// +----------------+----------------------------------+
/// |   object (24)  |             page (40)            |
/// +----------------+----------------------------------+
/// </code>
/// 40 bits of 4 KiB pages are 4 PiB an object. The page is in the low bits, so <c>Packed >> 6</c> names the leaf of 64
/// neighbouring pages and is unique among all objects.
/// </remarks>
/// <param name="Packed">The packed word.</param>
public readonly record struct PageKey(ulong Packed)
{
    /// <summary>Bits of the page number.</summary>
    public const int PageBits = 40;

    /// <summary>Bits of the object number.</summary>
    public const int ObjectBits = 64 - PageBits;

    /// <summary>The greatest page number.</summary>
    public const ulong PageMax = (1UL << PageBits) - 1;

    /// <summary>Packs an object and a page, neither above its maximum.</summary>
    public PageKey(ObjectId owner, ulong page) : this(((ulong)owner.Value << PageBits) | page) { }

    /// <summary>The object.</summary>
    public ObjectId ObjectId => new((uint)(Packed >> PageBits));

    /// <summary>The page's place in its object.</summary>
    public ulong Page => Packed & PageMax;

    /// <inheritdoc/>
    public override string ToString() => $"page {Page} of object {ObjectId.Value}";
}
