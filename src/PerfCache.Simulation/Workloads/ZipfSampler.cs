// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Workloads;

/// <summary>
/// Draws objects with probabilities in proportion to 1 / rank^alpha, exactly, for any alpha from 0 up.
///
/// Up to <see cref="TableObjectsMax"/> objects it uses an alias table (Walker 1977, in the order of Vose
/// 1991): as many slots as objects, each shared by at most two of them, so that a draw is one random
/// number, one slot and one comparison. The slots hold the ids themselves, so scattering the ranks costs
/// nothing at a draw. Shares are kept to 2^-32 of a slot. Beyond that the table would outgrow every cache,
/// and rejection-inversion (Hörmann and Derflinger 1996) takes over: it inverts the integral of x^-alpha
/// and rejects the little that the integral has too much.
/// </summary>
internal sealed class ZipfSampler
{
    /// <summary>The largest table, 48 MiB.</summary>
    internal const int TableObjectsMax = 1 << 22;

    private readonly ulong _objects;
    private readonly double _alpha;
    private readonly SeededPermutation _permutation;
    private readonly bool _scatter;
    private readonly Slot[] _slots = [];

    // Of rejection-inversion: the integral's range and the width within which every draw is right.
    private readonly double _integralFirst;
    private readonly double _integralLast;
    private readonly double _alwaysWithin;

    /// <summary>Makes a sampler of ids 0 .. objects-1.</summary>
    /// <param name="objects">The number of objects, at least 1.</param>
    /// <param name="alpha">The skew; 0 is uniform.</param>
    /// <param name="scatterSeed">The seed of the mapping from ranks to ids, or null to have rank =
    /// id.</param>
    /// <param name="tableObjectsMax">For tests: the number of objects from which on no table is
    /// made.</param>
    internal ZipfSampler(
        ulong objects, double alpha, ulong? scatterSeed, ulong tableObjectsMax = TableObjectsMax)
    {
        _objects = objects;
        _alpha = alpha;
        _scatter = scatterSeed is not null;
        _permutation = new SeededPermutation(objects, scatterSeed ?? 0);
        if (objects <= tableObjectsMax)
        {
            _slots = MakeSlots((int)objects);
            return;
        }
        _integralFirst = Integral(1.5) - 1;
        _integralLast = Integral(objects + 0.5);
        _alwaysWithin = 2 - InverseIntegral(Integral(2.5) - Density(2));
    }

    /// <summary>Fills <paramref name="ids"/> with draws, each plus <paramref name="firstId"/>.</summary>
    internal void Fill(ref SeededRandom random, Span<ulong> ids, ulong firstId = 0)
    {
        if (_slots.Length > 0)
        {
            FillFromTable(ref random, ids, firstId);
            return;
        }
        foreach (ref ulong id in ids)
        {
            ulong rank = DrawRank(ref random);
            id = firstId + (_scatter ? _permutation.Map(rank) : rank);
        }
    }

    private void FillFromTable(ref SeededRandom random, Span<ulong> ids, ulong firstId)
    {
        SeededRandom local = random;
        Slot[] slots = _slots;
        for (int i = 0; i < ids.Length; i++)
        {
            // The high half of the product picks the slot; the top of the low half is a fresh fraction
            // within it. No branch may depend on the slot: half of them would be mispredicted, and each
            // would wait for its miss.
            ulong slotIndex = Math.BigMul(local.Next(), (ulong)slots.Length, out ulong fraction);
            ref readonly Slot slot = ref slots[(int)slotIndex];
            uint isAlias = (uint)((slot.OwnerShare - (long)(fraction >> 32)) >> 63);
            ids[i] = firstId + (slot.Owner ^ ((slot.Owner ^ slot.Alias) & isAlias));
        }
        random = local;
    }

    /// <summary>
    /// The weights fall with the rank, so the objects of more than an average share are the first ones, and
    /// two pointers do instead of work lists: from the end, each light object's slot is topped up by the
    /// present heavy object; a heavy one that falls below the average becomes light and is topped up by the
    /// next.
    /// </summary>
    private Slot[] MakeSlots(int count)
    {
        var share = new double[count];
        double sum = 0;
        for (int rank = count - 1; rank >= 0; rank--)
            sum += share[rank] = Math.Pow(rank + 1, -_alpha);
        for (int rank = 0; rank < count; rank++)
            share[rank] *= count / sum;
        var slots = new Slot[count];
        int heavyEnd = count;
        while (heavyEnd > 1 && share[heavyEnd - 1] < 1)
            heavyEnd--;
        int heavy = 0;
        for (int light = count - 1; light >= heavyEnd && heavy < heavyEnd; light--)
        {
            slots[light] = MakeSlot(light, share[light], heavy);
            share[heavy] -= 1 - share[light];
            for (; share[heavy] < 1 && heavy + 1 < heavyEnd; heavy++)
            {
                slots[heavy] = MakeSlot(heavy, share[heavy], heavy + 1);
                share[heavy + 1] -= 1 - share[heavy];
            }
        }
        for (; heavy < heavyEnd; heavy++)
            slots[heavy] = MakeSlot(heavy, 1, heavy);
        return slots;
    }

    private Slot MakeSlot(int ownerRank, double ownerShare, int aliasRank)
    {
        const double Steps = 1UL << 32;
        return new Slot(
            (uint)Math.Clamp(ownerShare * Steps, 0, uint.MaxValue), IdOfRank(ownerRank), IdOfRank(aliasRank));
    }

    private uint IdOfRank(int rank) => _scatter ? (uint)_permutation.Map((ulong)rank) : (uint)rank;

    private ulong DrawRank(ref SeededRandom random)
    {
        // The acceptance is above 0.7 for every alpha, so the loop ends with certainty and soon.
        while (true)
        {
            double area = _integralLast + random.NextUnit() * (_integralFirst - _integralLast);
            double x = InverseIntegral(area);
            double rank = Math.Clamp(Math.Floor(x + 0.5), 1, _objects);
            if (rank - x <= _alwaysWithin || area >= Integral(rank + 0.5) - Density(rank))
                return Math.Min((ulong)rank, _objects) - 1;
        }
    }

    private double Density(double x) => Math.Exp(-_alpha * Math.Log(x));

    // (x^(1-alpha) - 1) / (1-alpha), which is log x at alpha = 1; written so that it is smooth there.
    private double Integral(double x)
    {
        double logX = Math.Log(x);
        return ExpMinusOneOver((1 - _alpha) * logX) * logX;
    }

    private double InverseIntegral(double area)
    {
        double t = Math.Max(area * (1 - _alpha), -1);
        return Math.Exp(LogOnePlusOver(t) * area);
    }

    private static double ExpMinusOneOver(double t) =>
        Math.Abs(t) > 1e-5 ? (Math.Exp(t) - 1) / t : 1 + t / 2 * (1 + t / 3);

    private static double LogOnePlusOver(double t) =>
        Math.Abs(t) > 1e-5 ? Math.Log(1 + t) / t : 1 - t * (0.5 - t / 3);

    /// <summary>One slot of the alias table: up to its share it is the owner's, beyond it the
    /// alias's.</summary>
    private readonly record struct Slot(uint OwnerShare, uint Owner, uint Alias);
}
