// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Benchmarks.Extensions;

/// <summary>
/// <c>extensions</c>: the off-heap distributed cache against .NET's MemoryDistributedCache. Reads and writes of 4 KiB
/// alternate in one process; the mixed load runs in a process for each side, because what it asks for is the
/// garbage collector's pause, and both sides would share one collector.
/// </summary>
internal static class ExtensionsCommand
{
    private const int MixedSeconds = 60;
    private const int MixedSecondsQuick = 5;
    private const double PausePartMax = 0.05;

    internal const string Usage = "extensions [--quick] [--only calls|mixed]";

    /// <summary>Runs the command.</summary>
    /// <returns>0; 1 when a side did not do its work; 2 for wrong arguments.</returns>
    internal static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        bool quick = false;
        string? only = null;
        for (int i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--quick":
                    quick = true;
                    break;
                case "--only" when i + 1 < args.Length && args[i + 1] is "calls" or "mixed":
                    only = args[++i];
                    break;
                // What the command starts itself with.
                case MixedLoad.ChildOption when i + 2 < args.Length:
                    output.WriteLine(MixedLoad.Run(
                        args[i + 1], int.Parse(args[i + 2], CultureInfo.InvariantCulture)).ToLine());
                    return 0;
                default:
                    errors.WriteLine($"extensions: '{args[i]}' is not understood; usage: {Usage}");
                    return 2;
            }
        }

        if (only != "mixed") CallRows.Run(quick, output);
        return only == "calls" || RunMixed(quick ? MixedSecondsQuick : MixedSeconds, output, errors) ? 0 : 1;
    }

    private static bool RunMixed(int seconds, TextWriter output, TextWriter errors)
    {
        MixedResult? rival = MixedLoad.RunInOwnProcess(MixedLoad.Rival, seconds, errors);
        MixedResult? candidate = MixedLoad.RunInOwnProcess(MixedLoad.Candidate, seconds, errors);
        if (rival is null || candidate is null) return false;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"mixed load, {seconds} s a side: 2 threads, 90 % reads (a miss stores), 10 % writes, Zipf 0.9 over 800 MiB, "
            + $"{MixedLoad.CapacityBytes >> 20} MiB of cache"));
        output.WriteLine("side        M op  hit ratio  pause ms  ms/M op  gen0  gen2  allocated B/op");
        output.WriteLine(rival.ToText("memory"));
        output.WriteLine(candidate.ToText("off-heap"));
        // By work done, so that a side that gets less done has no advantage of it.
        double part = rival.PausePerMillion == 0 ? 1 : candidate.PausePerMillion / rival.PausePerMillion;
        double partOfTime = rival.PauseMillis == 0 ? 1 : candidate.PauseMillis / rival.PauseMillis;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"pause: {partOfTime:P2} of the memory cache's in the same time, {part:P2} for the same work; wanted "
            + $"<= {PausePartMax:P0}: {(Math.Max(part, partOfTime) <= PausePartMax ? "met" : "not met")}"));
        return true;
    }
}
