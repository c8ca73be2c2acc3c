// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace PerfCache.Simulation.Curves;

/// <summary>
/// Time as a line of slots, one a request, with a mark on the slot of every page's latest request: the order statistics
/// behind <see cref="StackDistances"/>.
/// <para>
/// The question is always the same: how many marks lie before a slot? And the change is always the same: a mark
/// vanishes somewhere, and one is added at the end. Marks are bits, and the counts of marks stand in four levels of
/// nodes with 32 children each:
/// <code>
///     region    2^21 slots   marks before it, of all
///     section   2^16 slots   marks before it within its region
///     group     2^11 slots   marks before it within its section
///     word      2^6  slots   marks before it within its group
/// </code>
/// Each count is of what lies <i>before</i>, so a rank is four loads, a popcount and no loop; and adding at the end
/// changes the bit alone, because nothing lies behind it yet. The price is paid where a mark vanishes: in every level
/// the later children of one node lose one, which is two vectors of counts in the two lower levels, four in the third,
/// and in the last as many as there are later regions (one a 16 million slots).
/// </para>
/// <para>
/// Invariants. I1: the counts of a child hold from the request that enters it on; what stands in children that time has
/// not reached is meaningless, and entering overwrites it. I2: no mark lies at or behind <see cref="End"/>. I3: a count
/// never exceeds the slots of the node that it counts in, so 16 bits do for words and groups.
/// </para>
/// <para>
/// Cost: 1.3 bits a slot, in managed arrays that the processor's second-level cache holds up to some three million
/// slots.
/// </para>
/// </summary>
internal sealed class RecencyAxis
{
    /// <summary>Slots in a word, the step in which requests are best handed over.</summary>
    public const int WordSlots = 1 << WordBits;

    /// <summary>The smallest axis, and the step in which an axis grows: a section.</summary>
    public const long CapacityMin = 1 << SectionBits;

    /// <summary>The longest axis: every slot has a 32-bit number, and one is left to mean none.</summary>
    public const long CapacityMax = (1L << 32) - CapacityMin;

    private const int WordBits = 6;
    private const int GroupBits = 11;
    private const int SectionBits = 16;
    private const int RegionBits = 21;
    private const int Children = 32;

    private ulong[] _marks = [];
    private ushort[] _beforeWord = [];
    private ushort[] _beforeGroup = [];
    private uint[] _beforeSection = [];
    private uint[] _beforeRegion = [];

    /// <summary>Makes an empty axis.</summary>
    /// <param name="capacity">Slots, a multiple of <see cref="CapacityMin"/>.</param>
    public RecencyAxis(long capacity) => Restart(0, capacity);

    /// <summary>The slots that there are.</summary>
    public long Capacity { get; private set; }

    /// <summary>The slot of the next request.</summary>
    public long End { get; private set; }

    /// <summary>The marks.</summary>
    public long Marks { get; private set; }

    /// <summary>Bytes of the arrays.</summary>
    public long Bytes => (8L * _marks.Length) + (2L * _beforeWord.Length) + (2L * _beforeGroup.Length)
        + (4L * _beforeSection.Length) + (4L * _beforeRegion.Length);

    /// <summary>Begins anew with a mark on each of the first slots.</summary>
    public void Restart(long marks, long capacity)
    {
        if (capacity != Capacity)
        {
            long sections = (capacity >> SectionBits) + Children - 1 & -Children;
            _marks = new ulong[capacity >> WordBits];
            _beforeWord = new ushort[capacity >> WordBits];
            _beforeGroup = new ushort[capacity >> GroupBits];
            _beforeSection = new uint[sections];
            // Room for one vector behind the last, so that whole vectors may be changed.
            _beforeRegion = new uint[(sections / Children) + Vector256<uint>.Count];
            Capacity = capacity;
        }
        else
        {
            Array.Clear(_marks);
        }

        long words = marks >> WordBits;
        _marks.AsSpan(0, (int)words).Fill(ulong.MaxValue);
        End = Marks = 0;
        for (long word = 0; word <= words && word < _marks.Length; word++)
        {
            End = Marks = word << WordBits;
            EnterWord();
        }

        End = Marks = marks;
        int rest = (int)(marks & (WordSlots - 1));
        if (rest > 0) _marks[words] = (1UL << rest) - 1;
    }

    /// <summary>The marks on slots before <paramref name="slot"/>, which lies before <see cref="End"/>.</summary>
    public long Rank(uint slot)
    {
        uint word = slot >> WordBits;
        ulong before = _marks[word] & ((1UL << (int)(slot & (WordSlots - 1))) - 1);
        return (long)_beforeRegion[slot >> RegionBits] + _beforeSection[slot >> SectionBits]
            + _beforeGroup[slot >> GroupBits] + _beforeWord[word] + BitOperations.PopCount(before);
    }

    /// <summary>
    /// Serves requests in order: each takes the next slot, and the mark of its page moves there. All of them must fit
    /// into one word, and the axis.
    /// </summary>
    /// <param name="slots">For each request the slot that the page's mark is on, plus 1; 0 for a page without.</param>
    /// <param name="distances">Receives the marks from that slot on, its own included; 0 for a page without.</param>
    public void Touch(ReadOnlySpan<uint> slots, Span<uint> distances)
    {
        int place = (int)(End & (WordSlots - 1));
        if (place == 0) EnterWord();
        ref ulong last = ref _marks[End >> WordBits];
        long marks = Marks;
        for (int i = 0; i < slots.Length; i++)
        {
            uint slot = slots[i];
            if (slot == 0)
            {
                distances[i] = 0;
                marks++;
            }
            else
            {
                distances[i] = (uint)(marks - Rank(slot - 1));
                RemoveMark(slot - 1);
            }

            last |= 1UL << (place + i);
        }

        Marks = marks;
        End += slots.Length;
    }

    /// <summary>Takes a mark away for good.</summary>
    public void Remove(uint slot)
    {
        RemoveMark(slot);
        Marks--;
    }

    private void RemoveMark(uint slot)
    {
        uint word = slot >> WordBits;
        uint group = slot >> GroupBits;
        uint section = slot >> SectionBits;
        _marks[word] &= ~(1UL << (int)(slot & (WordSlots - 1)));
        SubtractBehind(_beforeWord, word);
        SubtractBehind(_beforeGroup, group);

        Span<Vector256<uint>> sections = MemoryMarshal.Cast<uint, Vector256<uint>>(_beforeSection.AsSpan());
        int first = (int)(section / Children) * (Children / Vector256<uint>.Count);
        Vector256<int> place = Vector256.Create((int)(section % Children));
        sections = sections.Slice(first, 4);
        sections[0] += Vector256.GreaterThan(Vector256<int>.Indices, place).AsUInt32();
        sections[1] += Vector256.GreaterThan(Vector256<int>.Indices + Vector256.Create(8), place).AsUInt32();
        sections[2] += Vector256.GreaterThan(Vector256<int>.Indices + Vector256.Create(16), place).AsUInt32();
        sections[3] += Vector256.GreaterThan(Vector256<int>.Indices + Vector256.Create(24), place).AsUInt32();

        uint lastRegion = (uint)(End >> RegionBits);
        for (uint region = (slot >> RegionBits) + 1; region <= lastRegion; region += (uint)Vector256<uint>.Count)
        {
            // Past the last region this changes what nobody has entered yet (I1).
            Span<uint> later = _beforeRegion.AsSpan((int)region);
            (Vector256.Create<uint>(later) - Vector256<uint>.One).CopyTo(later);
        }
    }

    /// <summary>Takes one from the children behind one child of a node; a true lane of a comparison is minus one.</summary>
    private static void SubtractBehind(ushort[] counts, uint child)
    {
        Span<Vector256<ushort>> vectors = MemoryMarshal.Cast<ushort, Vector256<ushort>>(counts.AsSpan())
            .Slice((int)(child / Children) * 2, 2);
        Vector256<short> place = Vector256.Create((short)(child % Children));
        vectors[0] += Vector256.GreaterThan(Vector256<short>.Indices, place).AsUInt16();
        vectors[1] += Vector256.GreaterThan(Vector256<short>.Indices + Vector256.Create((short)16), place).AsUInt16();
    }

    /// <summary>
    /// Sets the counts of the word at the end, and of the nodes that begin with it: all marks lie before it.
    /// </summary>
    private void EnterWord()
    {
        uint slot = (uint)End;
        uint marks = (uint)Marks;
        if (slot % (1 << RegionBits) == 0) _beforeRegion[slot >> RegionBits] = marks;
        marks -= _beforeRegion[slot >> RegionBits];
        if (slot % (1 << SectionBits) == 0) _beforeSection[slot >> SectionBits] = marks;
        marks -= _beforeSection[slot >> SectionBits];
        if (slot % (1 << GroupBits) == 0) _beforeGroup[slot >> GroupBits] = (ushort)marks;
        marks -= _beforeGroup[slot >> GroupBits];
        _beforeWord[slot >> WordBits] = (ushort)marks;
    }
}
