// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Policies.Puma;

/// <summary>What a borrower knows of a page that it may have lent away.</summary>
/// <remarks>
/// <code>
///   7      3   2        1      0
/// +----------+------+------+---------+
/// | lender 5 | kept | busy | present |
/// +----------+------+------+---------+
/// </code>
/// </remarks>
internal readonly record struct CatalogueEntry(byte Packed)
{
    private const byte PresentBit = 1;
    private const byte BusyBit = 2;
    private const byte SequentialBit = 4;
    private const int LenderShift = 3;

    /// <summary>A lender has the page, or will have when its put arrives.</summary>
    public bool IsPresent => (Packed & PresentBit) != 0;

    /// <summary>The put is on its way.</summary>
    public bool IsBusy => (Packed & BusyBit) != 0;

    /// <summary>The page was read sequentially.</summary>
    public bool IsSequential => (Packed & SequentialBit) != 0;

    public int Lender => Packed >> LenderShift;

    public CatalogueEntry Sent(int lender) => new((byte)((Packed & SequentialBit) | PresentBit | BusyBit | (lender << LenderShift)));

    public CatalogueEntry Arrived() => new((byte)(Packed & ~BusyBit));

    public CatalogueEntry Gone() => new((byte)(Packed & SequentialBit));

    public CatalogueEntry Read(bool sequentially) =>
        new((byte)(sequentially ? Packed | SequentialBit : Packed & ~SequentialBit));
}

/// <summary>
/// Which pages are at which lender: so that the borrower knows a miss there without a message.
/// </summary>
/// <remarks>
/// A byte a page, in leaves of 4096 neighbouring pages that are made when the first of them is sent. With the sequential
/// filter another four bytes, made with the first score. The authors' later catalogue takes 8 bytes a page, their first
/// one 80.
/// </remarks>
internal sealed class BorrowerCatalogue
{
    private const int LeafBits = 12;
    private const int LeafMask = (1 << LeafBits) - 1;

    private readonly Dictionary<ulong, byte[]> _leaves = [];
    private readonly Dictionary<ulong, SequentialScore[]> _scores = [];
    private ulong _lastLeaf = ulong.MaxValue;
    private byte[] _last = [];

    /// <summary>What is known of a page.</summary>
    public CatalogueEntry this[PageKey page]
    {
        get => TryFind(page.Packed >> LeafBits, out byte[] leaf) ? new(leaf[page.Packed & LeafMask]) : default;
        set
        {
            ulong number = page.Packed >> LeafBits;
            if (!TryFind(number, out byte[] leaf))
            {
                if (value == default) return;
                leaf = new byte[LeafMask + 1];
                _leaves.Add(number, leaf);
                (_lastLeaf, _last) = (number, leaf);
            }

            leaf[page.Packed & LeafMask] = value.Packed;
        }
    }

    /// <summary>The filter's score of a page.</summary>
    public SequentialScore Score(PageKey page) =>
        _scores.TryGetValue(page.Packed >> LeafBits, out SequentialScore[]? leaf) ? leaf[page.Packed & LeafMask] : default;

    /// <summary>Changes the filter's score of a page.</summary>
    public void SetScore(PageKey page, SequentialScore score)
    {
        ulong number = page.Packed >> LeafBits;
        if (!_scores.TryGetValue(number, out SequentialScore[]? leaf))
        {
            if (score == default) return;
            leaf = new SequentialScore[LeafMask + 1];
            _scores.Add(number, leaf);
        }

        leaf[page.Packed & LeafMask] = score;
    }

    private bool TryFind(ulong number, out byte[] leaf)
    {
        if (number == _lastLeaf)
        {
            leaf = _last;
            return true;
        }

        if (!_leaves.TryGetValue(number, out byte[]? found))
        {
            leaf = [];
            return false;
        }

        (_lastLeaf, _last) = (number, found);
        leaf = found;
        return true;
    }
}
