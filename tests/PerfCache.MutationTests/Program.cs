// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.MutationTests;

// tests/mutations.sh calls this; the worker verbs are for the processes that "run" starts.
return args switch
{
    ["run", string report, string assembly, string files, string tests, string state, string seconds] =>
        new MutantRun(report, assembly, files, tests, state).Run(
            TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture))),
    ["cover", string assembly, string tests, string path] => MutantWorker.Cover(assembly, tests, path),
    ["work", string assembly, string tests, string path] => MutantWorker.Run(assembly, tests, path),
    ["one", string assembly, string tests, string mutant] =>
        MutantWorker.RunOne(assembly, tests, int.Parse(mutant, CultureInfo.InvariantCulture)),
    _ => 2,
};
