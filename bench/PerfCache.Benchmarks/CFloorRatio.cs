// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Runtime.InteropServices;
using PerfCache.Cli.Bench;

namespace PerfCache.Benchmarks;

/// <summary>
/// Does the C# floor stand for the C floor? Loads the library that native/baselines/build.sh makes and runs
/// both loops alternately on the same requests.
/// </summary>
internal static unsafe class CFloorRatio
{
    private const int RequestCount = 10_000_000;

    internal const string Usage = "c-floor [LIBRARY]";

    /// <summary>Prints one line a size; the exit code is 1 when the two count different misses.</summary>
    public static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        if (args.Length > 1)
        {
            errors.WriteLine($"c-floor: '{args[1]}' is not understood; usage: {Usage}");
            return 2;
        }

        string path = args.Length > 0 ? args[0] : Path.Combine("artifacts", "native", "liblru_floor.so");
        if (!File.Exists(path))
        {
            errors.WriteLine($"{path}: not found; build it with native/baselines/build.sh, or name the library");
            return 2;
        }

        nint library = NativeLibrary.Load(Path.GetFullPath(path));
        try
        {
            nint address = NativeLibrary.GetExport(library, "lru_floor");
            var floor = (delegate* unmanaged<uint*, ulong, uint, uint, ulong>)address;
            bool equal = true;
            foreach ((int pages, int frames) in new[] { (1_000_000, 100_000), (100_000, 10_000) })
                equal &= Compare(pages, frames, floor, output);
            return equal ? 0 : 1;
        }
        finally
        {
            NativeLibrary.Free(library);
        }
    }

    private static bool Compare(
        int pages, int frames, delegate* unmanaged<uint*, ulong, uint, uint, ulong> floor, TextWriter output)
    {
        uint[] requests = FloorWorkload.Zipf(pages, RequestCount, alpha: 1.0, seed: 1);
        LruFloor managed = new(pages, frames);
        Contender inC = new("C", () => { }, all =>
        {
            fixed (uint* first = all) return (long)floor(first, (ulong)all.Length, (uint)pages, (uint)frames);
        });
        Contender inManaged = new("C#", managed.Reset, all => managed.RunUnchecked(all));
        RatioResult result = InterleavedRatio.Measure(inC, inManaged, requests, pairs: 15);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"pages {pages} frames {frames}: C# runs at {result.Ratio.Median:F3} of the speed of C "
            + $"({result.Ratio.Min:F3} to {result.Ratio.Max:F3}); C {result.RivalMillionsPerSecond.Median:F1}, "
            + $"C# {result.CandidateMillionsPerSecond.Median:F1} M requests/s; "
            + $"misses {result.RivalMisses} and {result.CandidateMisses}"));
        return result.RivalMisses == result.CandidateMisses;
    }
}
