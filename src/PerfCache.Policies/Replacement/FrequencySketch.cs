// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// How often pages were used lately, resident or not, in 8 bytes a frame: a count-min sketch of four rows with
/// 4-bit counters, minimal increment and ageing, and a doorkeeper in front of it if wanted. G. Einziger, R.
/// Friedman, B. Manes: "TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on Storage 13(4),
/// 2017, section 3.
/// </summary>
/// <remarks>
/// <para>
/// Add: of the page's four counters only those with the smallest value go up (minimal increment), to 15 at most.
/// Estimate: the smallest of the four; never less than the true count up to 15, since the last halving. After
/// <c>sample</c> additions every counter is halved, and so is the number of additions: old use fades.
/// </para>
/// <para>
/// The doorkeeper is a Bloom filter of as many bits: the first use since the last halving is kept there, and
/// only later ones reach the counters, so pages used once do not fill them. A halving empties it; an estimate
/// adds 1 for a page in it.
/// </para>
/// <para>All that one page needs is in one cache line: the hash chooses a block of 64 bytes, and in it one
/// place a row.</para>
/// <code>
/// block, 8 words   | row 0 row 0 | row 1 row 1 | row 2 row 2 | row 3 row 3 |     32 counters of 4 bits a row
/// hash, 64 bits    bits 32-63: block, by multiplication; bits 5r to 5r+4: the counter of row r
/// door, 512 bits   word 2r or 2r + 1 of the block, as the counter's number is below 16 or not; bit: hash bits 6r to 6r+5,
///                  mixed once more
/// </code>
/// <para>K1: 0 &lt;= additions &lt; sample.</para>
/// </remarks>
internal struct FrequencySketch
{
    /// <summary>The greatest estimate of a counter.</summary>
    public const int CountMax = 15;

    private const int RowCount = 4;
    private const uint WordsPerBlock = 8;
    private const ulong LowBits = 0x1111_1111_1111_1111;

    private readonly NativeArray<ulong> _counters;
    private readonly NativeArray<ulong> _door;
    private readonly uint _blockCount;
    private readonly ulong _sample;
    private ulong _additions;

    /// <summary>Makes an empty sketch in columns of the space.</summary>
    /// <param name="space">The space that pays.</param>
    /// <param name="sample">Additions until counters are halved, as a multiple of the frames.</param>
    /// <param name="doorkeeper">True to have one.</param>
    internal FrequencySketch(CacheSpace space, double sample, bool doorkeeper)
    {
        _blockCount = (space.FrameCount + WordsPerBlock - 1) / WordsPerBlock;
        _sample = Math.Max(2, (ulong)(sample * space.FrameCount));
        long words = (long)_blockCount * WordsPerBlock;
        _counters = space.NewColumn<ulong>("w-tinylfu counters", words);
        if (doorkeeper) _door = space.NewColumn<ulong>("w-tinylfu doorkeeper", words);
    }

    /// <summary>How often the page was used lately, about.</summary>
    internal readonly int Estimate(PageKey page)
    {
        ulong hash = Mix(page.Packed);
        uint block = Block(hash);
        int count = CountMax;
        for (int row = 0; row < RowCount; row++)
        {
            (uint word, int shift) = Place(hash, block, row);
            count = Math.Min(count, (int)(_counters[word] >> shift) & CountMax);
        }

        return count + (!_door.IsNull && Knows(hash, block) ? 1 : 0);
    }

    /// <summary>Counts a use of the page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Add(PageKey page)
    {
        ulong hash = Mix(page.Packed);
        uint block = Block(hash);
        if (_door.IsNull || Knows(hash, block)) Increment(hash, block);
        else Admit(hash, block);
        if (++_additions == _sample) Halve();
    }

    /// <summary>Checks K1. For tests.</summary>
    internal readonly void Validate() =>
        RuleInvariant.Check(_additions < _sample, "w-tinylfu", $"K1: fewer than {_sample} additions", _additions);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Increment(ulong hash, uint block)
    {
        // A local: the JIT must assume that a store through a native pointer changes the field.
        NativeArray<ulong> counters = _counters;
        (uint word0, int shift0) = Place(hash, block, 0);
        (uint word1, int shift1) = Place(hash, block, 1);
        (uint word2, int shift2) = Place(hash, block, 2);
        (uint word3, int shift3) = Place(hash, block, 3);
        int count0 = (int)(counters[word0] >> shift0) & CountMax;
        int count1 = (int)(counters[word1] >> shift1) & CountMax;
        int count2 = (int)(counters[word2] >> shift2) & CountMax;
        int count3 = (int)(counters[word3] >> shift3) & CountMax;
        int smallest = Math.Min(Math.Min(count0, count1), Math.Min(count2, count3));
        if (smallest == CountMax) return;
        counters[word0] += (count0 == smallest ? 1UL : 0) << shift0;
        counters[word1] += (count1 == smallest ? 1UL : 0) << shift1;
        counters[word2] += (count2 == smallest ? 1UL : 0) << shift2;
        counters[word3] += (count3 == smallest ? 1UL : 0) << shift3;
    }

    private readonly bool Knows(ulong hash, uint block)
    {
        ulong bits = Mix(hash);
        for (int row = 0; row < RowCount; row++)
        {
            uint word = Place(hash, block, row).Word;
            if ((_door[word] >> (int)(bits >> (6 * row)) & 1) == 0) return false;
        }

        return true;
    }

    private readonly void Admit(ulong hash, uint block)
    {
        ulong bits = Mix(hash);
        for (int row = 0; row < RowCount; row++)
            _door[Place(hash, block, row).Word] |= 1UL << (int)(bits >> (6 * row));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Halve()
    {
        _additions /= 2;
        uint words = _blockCount * WordsPerBlock;
        for (uint i = 0; i < words; i++)
        {
            ref ulong word = ref _counters[i];
            word = (word >> 1) & (LowBits * (CountMax / 2));
            if (!_door.IsNull) _door[i] = 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly uint Block(ulong hash) => (uint)((hash >> 32) * _blockCount >> 32) * WordsPerBlock;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (uint Word, int Shift) Place(ulong hash, uint block, int row)
    {
        uint counter = (uint)(hash >> (5 * row)) & 31;
        return (block + (2 * (uint)row) + (counter >> 4), (int)(counter & 15) * 4);
    }

    /// <summary>Steele's and Vigna's mixing of 64 bits (the finalizer of SplitMix64): every bit depends on
    /// every bit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Mix(ulong value)
    {
        value += 0x9E37_79B9_7F4A_7C15;
        value = (value ^ (value >> 30)) * 0xBF58_476D_1CE4_E5B9;
        value = (value ^ (value >> 27)) * 0x94D0_49BB_1331_11EB;
        return value ^ (value >> 31);
    }
}
