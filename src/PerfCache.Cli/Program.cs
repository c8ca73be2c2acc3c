// SPDX-License-Identifier: MIT
return PerfCache.Cli.PerfCacheProgram.Run(args);
