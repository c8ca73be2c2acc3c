// SPDX-License-Identifier: MIT
using BenchmarkDotNet.Running;
using PerfCache.Benchmarks;
using PerfCache.Benchmarks.Curves;
using PerfCache.Benchmarks.Extensions;
using PerfCache.Benchmarks.Hits;
using PerfCache.Benchmarks.Native;
using PerfCache.Benchmarks.Numa;
using PerfCache.Benchmarks.Rings;

// `c-floor`, `hits`, `curves` and `abi-hits` are not BenchmarkDotNet classes because they must interleave: see
// InterleavedRatio.
if (args is ["c-floor", .. string[] rest]) return CFloorRatio.Run(rest, Console.Out, Console.Error);
// Nor is `file-reads`, for the same reason.
if (args is ["file-reads", .. string[] reads]) return FileReads.Run(reads, Console.Out, Console.Error);
if (args is ["hits", .. string[] options]) return HitsCommand.Run(options, Console.Out, Console.Error);
if (args is ["rings", .. string[] rings]) return RingsCommand.Run(rings, Console.Out, Console.Error);
if (args is ["curves", .. string[] curves]) return CurvesCommand.Run(curves, Console.Out, Console.Error);
if (args is ["numa", .. string[] numa]) return NumaCommand.Run(numa, Console.Out, Console.Error);
if (args is ["lender", .. string[] lender]) return LenderBench.Run(lender, Console.Out, Console.Error);
if (args is ["lender-malloc", .. string[] malloc]) return LenderMalloc.Run(malloc, Console.Out, Console.Error);
if (args is ["borrow", .. string[] borrow]) return BorrowCommand.Run(borrow, Console.Out, Console.Error);
if (args is ["extensions", .. string[] extensions])
    return ExtensionsCommand.Run(extensions, Console.Out, Console.Error);
if (args is ["abi-hits", .. string[] native]) return NativeHitsCommand.Run(native, Console.Out, Console.Error);
BenchmarkSwitcher.FromAssembly(typeof(CFloorRatio).Assembly).Run(args);
return 0;
