// SPDX-License-Identifier: MIT
using PerfCache.Benchmarks.Curves;
using PerfCache.Benchmarks.Extensions;
using PerfCache.Benchmarks.Hits;
using PerfCache.Benchmarks.Native;
using PerfCache.Benchmarks.Numa;
using PerfCache.Benchmarks.Rings;

namespace PerfCache.Benchmarks;

/// <summary>
/// What this project measures without BenchmarkDotNet: contenders that must take turns (see InterleavedRatio), or that are
/// processes. Each command has a name, a line of usage that <c>--help</c> prints wherever it stands, and its options.
/// </summary>
internal static class BenchCommands
{
    private static readonly Command[] s_all =
    [
        new("c-floor", CFloorRatio.Usage, CFloorRatio.Run),
        new("file-reads", FileReads.Usage, FileReads.Run),
        new("hits", HitsCommand.Usage, HitsCommand.Run),
        new("rings", RingsCommand.Usage, RingsCommand.Run),
        new("curves", CurvesCommand.Usage, CurvesCommand.Run),
        new("numa", NumaCommand.Usage, NumaCommand.Run),
        new("lender", LenderBench.Usage, LenderBench.Run),
        new("lender-malloc", LenderMalloc.Usage, LenderMalloc.Run),
        new("borrow", BorrowCommand.Usage, BorrowCommand.Run),
        new("extensions", ExtensionsCommand.Usage, ExtensionsCommand.Run),
        new("abi-hits", NativeHitsCommand.Usage, NativeHitsCommand.Run),
    ];

    /// <summary>Runs the command that the first argument names.</summary>
    /// <returns>Its exit code: 2 for wrong usage; null when there is no such command, so that the arguments are
    /// BenchmarkDotNet's.</returns>
    public static int? Run(string[] args, TextWriter output, TextWriter errors)
    {
        if (args is ["--help" or "-h"])
        {
            output.WriteLine("Commands of this project; everything else is BenchmarkDotNet's:");
            foreach (Command one in s_all) output.WriteLine($"  {one.Usage}");
            return null;
        }

        Command? command = args.Length == 0 ? null : s_all.FirstOrDefault(one => one.Name == args[0]);
        if (command is null) return null;
        string[] options = args[1..];
        if (!options.Any(option => option is "--help" or "-h")) return command.Run(options, output, errors);
        output.WriteLine($"usage: {command.Usage}");
        return 0;
    }

    private sealed record Command(string Name, string Usage, Func<string[], TextWriter, TextWriter, int> Run);
}
