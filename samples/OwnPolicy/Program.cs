// SPDX-License-Identifier: MIT

// The whole command line of perfcache, with two policies more:
//   dotnet run -c Release --project samples/OwnPolicy -- replay loop:objects=1000 --policy mru,lru,belady --frames 500
using PerfCache.Cli;
using PerfCache.Simulation.Replay;

namespace OwnPolicy;

internal static class Program
{
    /// <summary>The built-in policies and those of this project.</summary>
    internal static PolicyCatalog Policies { get; } = PolicyCatalog.BuiltIn
        .With(PolicyEntry.ForListRules("mru", "most recently used: for loops", _ => new Mru()))
        .With(PolicyEntry.ForFlagRules(
            "nth-chance", "fifo that passes over pages that were hit often",
            spec => new NthChance(spec.GetInt32("hits", 2, 1, 255)),
            [new PolicyParameter("hits", "hits that save a page, 1 to 255 (2)")]));

    private static int Main(string[] args) => PerfCacheProgram.Run(args, Policies);
}
