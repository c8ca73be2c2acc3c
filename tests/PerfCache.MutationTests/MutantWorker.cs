// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.RegularExpressions;

namespace PerfCache.MutationTests;

/// <summary>
/// The process that mutants may spoil, hang or end: it gets their numbers line by line and answers each with a line.
/// </summary>
/// <remarks>
/// A mutant of native code may leave damage behind that fails a later test. So a failure counts only if the same test
/// passes afterwards without a mutant; otherwise the answer is "spoilt", and the mutant gets a new process.
/// </remarks>
internal static class MutantWorker
{
    /// <summary>Tests that take longer than this run after the others.</summary>
    private const double LongSeconds = 0.05;

    internal static int Cover(string assembly, string tests, string path)
    {
        new MutantTests(assembly, new Regex(tests).IsMatch).Cover().Save(path);
        return 0;
    }

    internal static int RunOne(string assembly, string tests, int mutant) =>
        new MutantTests(assembly, new Regex(tests).IsMatch, mutant).FailsFromTheStart() ? 1 : 0;

    internal static int Run(string assembly, string tests, string coveragePath)
    {
        using StreamWriter answers = new(Console.OpenStandardOutput());
        Coverage coverage = Coverage.Read(coveragePath);
        MutantTests runner = new(assembly, new Regex(tests).IsMatch);
        Answer(answers, "ready");
        while (Console.ReadLine() is { Length: > 0 } line)
            Answer(answers, Judge(runner, coverage, int.Parse(line, CultureInfo.InvariantCulture)));
        return 0;
    }

    private static string Judge(MutantTests runner, Coverage coverage, int mutant)
    {
        HashSet<string> all = coverage.Tests[mutant];
        HashSet<string> quick = [.. all.Where(test => coverage.Seconds[test] < LongSeconds)];
        foreach (HashSet<string> tests in (HashSet<string>[])[quick, [.. all.Except(quick)]])
        {
            if (tests.Count == 0 || runner.Fails(mutant, tests) is not { } failed) continue;
            // A fixture that fails at its end has no failed test: then all are tried again.
            HashSet<string> again = tests.Contains(failed) ? [failed] : tests;
            return runner.Fails(-1, again) is null ? $"Killed\t{failed}" : $"Spoilt\t{failed}";
        }

        return "Survived\t";
    }

    private static void Answer(StreamWriter answers, string line)
    {
        answers.WriteLine(line);
        answers.Flush();
    }
}
