// SPDX-License-Identifier: MIT
using BenchmarkDotNet.Running;
using PerfCache.Benchmarks;

if (BenchCommands.Run(args, Console.Out, Console.Error) is int exitCode) return exitCode;
BenchmarkSwitcher.FromAssembly(typeof(CFloorRatio).Assembly).Run(args);
return 0;
