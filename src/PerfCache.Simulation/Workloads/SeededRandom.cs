// SPDX-License-Identifier: MIT
using System.Numerics;

namespace PerfCache.Simulation.Workloads;

/// <summary>
/// The generator behind every workload: xoshiro256** (Blackman and Vigna, 2018), seeded through SplitMix64
/// as its authors advise. It is our own so that a seed means the same requests for ever, whatever a
/// library's generator becomes. A mutable struct: copy it into a local for a hot loop and store it back.
/// </summary>
internal struct SeededRandom
{
    private ulong _a;
    private ulong _b;
    private ulong _c;
    private ulong _d;

    internal SeededRandom(ulong seed)
        : this(Mix(seed + Weyl), Mix(seed + Weyl2), Mix(seed + Weyl2 + Weyl), Mix(seed + Weyl2 + Weyl2)) { }

    /// <summary>Starts from a state, not all of which may be zero.</summary>
    internal SeededRandom(ulong a, ulong b, ulong c, ulong d) => (_a, _b, _c, _d) = (a, b, c, d);

    /// <summary>2^64 over the golden ratio, the step of SplitMix64.</summary>
    internal const ulong Weyl = 0x9e3779b97f4a7c15;

    private const ulong Weyl2 = unchecked(Weyl * 2);

    /// <summary>The output function of SplitMix64: every bit of the input reaches every bit of the
    /// result.</summary>
    internal static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }

    /// <summary>64 random bits.</summary>
    internal ulong Next()
    {
        ulong result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        ulong shifted = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= shifted;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>A number below <paramref name="bound"/>; the bias is below bound / 2^64.</summary>
    internal ulong NextBelow(ulong bound) => Math.BigMul(Next(), bound, out _);

    /// <summary>A number from 0 up to and without 1, in steps of 2^-53.</summary>
    internal double NextUnit() => (Next() >> 11) * (1.0 / (1UL << 53));
}
