// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
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
/// block, 8 words   | row 0 | row 1 | row 2 | row 3 | row 0 | row 1 | row 2 | row 3 |     32 counters of 4 bits a row
/// hash, 64 bits    bits 32-63: block, by multiplication; bits 5r to 5r+4: the counter of row r
/// door, 512 bits   word r or r + 4 of the block, as the counter's number is below 16 or not; bit: hash bits 6r to 6r+5,
///                  mixed once more
/// </code>
/// <para>So each half of a block has one word of each row, and a vector holds what all four rows do at once.</para>
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
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal readonly int Estimate(PageKey page)
    {
        ulong hash = Mix(page.Packed);
        uint block = Block(hash);
        int count = Avx2.IsSupported ? EstimateByVector(_counters, hash, block) : EstimateByWord(_counters, hash, block);
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

    /// <summary>Asks for the memory that the page's counters are in.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal readonly void Prefetch(PageKey page)
    {
        uint block = Block(Mix(page.Packed));
        _counters.Prefetch(block);
        if (!_door.IsNull) _door.Prefetch(block);
    }

    /// <summary>Checks K1. For tests.</summary>
    internal readonly void Validate() =>
        RuleInvariant.Check(_additions < _sample, "w-tinylfu", $"K1: fewer than {_sample} additions", _additions);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void Increment(ulong hash, uint block)
    {
        if (Avx2.IsSupported) IncrementByVector(_counters, hash, block);
        else IncrementByWord(_counters, hash, block);
    }

    /// <summary>The smallest of the four counters, row by row.</summary>
    internal static int EstimateByWord(NativeArray<ulong> counters, ulong hash, uint block)
    {
        int count = CountMax;
        for (int row = 0; row < RowCount; row++)
        {
            (uint word, int shift) = Place(hash, block, row);
            count = Math.Min(count, (int)(counters[word] >> shift) & CountMax);
        }

        return count;
    }

    /// <summary>As <see cref="EstimateByWord"/>, the four rows in the lanes of a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int EstimateByVector(NativeArray<ulong> counters, ulong hash, uint block)
    {
        Lanes lanes = new(hash);
        return (int)Lanes.Smallest(lanes.Counts(ref counters[block])).ToScalar();
    }

    /// <summary>Those of the four counters that are the smallest go up, row by row.</summary>
    internal static void IncrementByWord(NativeArray<ulong> counters, ulong hash, uint block)
    {
        int smallest = EstimateByWord(counters, hash, block);
        if (smallest == CountMax) return;
        for (int row = 0; row < RowCount; row++)
        {
            (uint word, int shift) = Place(hash, block, row);
            if (((int)(counters[word] >> shift) & CountMax) == smallest) counters[word] += 1UL << shift;
        }
    }

    /// <summary>As <see cref="IncrementByWord"/>, the four rows in the lanes of a vector, and without a branch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void IncrementByVector(NativeArray<ulong> counters, ulong hash, uint block)
    {
        ref ulong words = ref counters[block];
        Lanes lanes = new(hash);
        Vector256<ulong> counts = lanes.Counts(ref words);
        Vector256<ulong> smallest = Lanes.Smallest(counts);
        Vector256<ulong> full = Vector256.Equals(smallest, Vector256.Create((ulong)CountMax));
        Vector256<ulong> goesUp = Vector256.AndNot(Vector256.Equals(counts, smallest), full);
        lanes.Add(ref words, goesUp);
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
        return (block + (uint)row + (RowCount * (counter >> 4)), (int)(counter & 15) * 4);
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

    /// <summary>Where the counters of a page are in a block: lane r is row r. For processors with AVX2.</summary>
    private readonly ref struct Lanes
    {
        private readonly Vector256<ulong> _inUpperHalf;
        private readonly Vector256<ulong> _shifts;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal Lanes(ulong hash)
        {
            Vector256<ulong> counter = Avx2.ShiftRightLogicalVariable(Vector256.Create(hash), Vector256.Create(0UL, 5, 10, 15));
            Vector256<ulong> upper = Vector256.Create(16UL);
            _inUpperHalf = Vector256.Equals(counter & upper, upper);
            _shifts = (counter & Vector256.Create(15UL)) << 2;
        }

        /// <summary>The four counters.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal Vector256<ulong> Counts(ref ulong block)
        {
            Vector256<ulong> words = Vector256.ConditionalSelect(
                _inUpperHalf, Vector256.LoadUnsafe(ref block, RowCount), Vector256.LoadUnsafe(ref block));
            return Avx2.ShiftRightLogicalVariable(words, _shifts) & Vector256.Create((ulong)CountMax);
        }

        /// <summary>The smallest of the counters, in each lane.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal static Vector256<ulong> Smallest(Vector256<ulong> counts)
        {
            // Halves of 32 bits: AVX2 has no minimum of 64, and the upper ones are 0.
            Vector256<uint> pairs = Vector256.Min(counts.AsUInt32(), Avx2.Shuffle(counts.AsUInt32(), 0b01_00_11_10));
            return Vector256.Min(pairs, Avx2.Permute2x128(pairs, pairs, 0x01)).AsUInt64();
        }

        /// <summary>Adds 1 to the counters of the lanes that are all ones.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal void Add(ref ulong block, Vector256<ulong> goesUp)
        {
            Vector256<ulong> ones = Avx2.ShiftLeftLogicalVariable(goesUp & Vector256<ulong>.One, _shifts);
            (Vector256.LoadUnsafe(ref block) + Vector256.AndNot(ones, _inUpperHalf)).StoreUnsafe(ref block);
            (Vector256.LoadUnsafe(ref block, RowCount) + (ones & _inUpperHalf)).StoreUnsafe(ref block, RowCount);
        }
    }
}
