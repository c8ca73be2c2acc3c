// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Reflection;
using NUnit.Framework.Api;
using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;

namespace PerfCache.MutationTests;

/// <summary>
/// The tests of this assembly as they run inside one process, again and again, with one mutant of the mutated assembly
/// switched on at a time.
/// </summary>
internal sealed class MutantTests
{
    private const int NoMutant = -1;

    private readonly NUnitTestAssemblyRunner _runner = new(new DefaultTestAssemblyBuilder());
    private readonly FieldInfo _active;
    private readonly FieldInfo _captures;
    private readonly MethodInfo _coverage;
    private readonly Func<string, bool> _isWanted;

    /// <param name="mutatedAssembly">The name of the assembly that Stryker mutated.</param>
    /// <param name="isWanted">Which tests, by full name.</param>
    /// <param name="mutant">The mutant that is on from the start, for those in static initialisers.</param>
    internal MutantTests(string mutatedAssembly, Func<string, bool> isWanted, int mutant = NoMutant)
    {
        Type control = Assembly.Load(mutatedAssembly).GetTypes().Single(type => type.Name == "MutantControl");
        _active = control.GetField("ActiveMutant")!;
        _captures = control.GetField("CaptureCoverage")!;
        _coverage = control.GetMethod("GetCoverageData")!;
        _isWanted = isWanted;
        _active.SetValue(null, mutant);
        _runner.Load(
            typeof(MutantTests).Assembly,
            new Dictionary<string, object>
            {
                ["NumberOfTestWorkers"] = 0,
                ["StopOnError"] = true,
                ["SynchronousEvents"] = true,
            });
    }

    /// <summary>Runs all tests without a mutant and notes which mutants each comes by, and its time.</summary>
    internal Coverage Cover()
    {
        Coverage coverage = new();
        // To note mutants takes several times as long as the tests do, so their time is taken in a run of its own.
        foreach (bool captures in (bool[])[true, false])
        {
            _captures.SetValue(null, captures);
            CoverageListener listener = new(coverage, () => (IList<int>[])_coverage.Invoke(null, null)!);
            ITestResult result = _runner.Run(listener, new NameFilter(_isWanted));
            _captures.SetValue(null, false);
            if (result.ResultState.Status == TestStatus.Failed)
                throw new InvalidOperationException($"without a mutant: {FirstFailure(result) ?? result.Message}");
        }

        return coverage;
    }

    /// <summary>Runs tests with a mutant.</summary>
    /// <returns>Null when all pass, otherwise the name of what failed.</returns>
    internal string? Fails(int mutant, IReadOnlySet<string> tests)
    {
        _active.SetValue(null, mutant);
        ITestResult result = _runner.Run(TestListener.NULL, new NameFilter(tests.Contains));
        _active.SetValue(null, NoMutant);
        return result.ResultState.Status == TestStatus.Failed ? FirstFailure(result) ?? result.FullName : null;
    }

    /// <summary>All wanted tests with the mutant that has been on from the start.</summary>
    internal bool FailsFromTheStart() =>
        _runner.Run(TestListener.NULL, new NameFilter(_isWanted)).ResultState.Status == TestStatus.Failed;

    private static string? FirstFailure(ITestResult result)
    {
        if (!result.HasChildren) return result.ResultState.Status == TestStatus.Failed ? result.FullName : null;
        return result.Children.Select(FirstFailure).FirstOrDefault(name => name is not null);
    }

    private sealed class NameFilter(Func<string, bool> isWanted) : TestFilter
    {
        public override bool Match(ITest test) => !test.IsSuite && isWanted(test.FullName);

        public override bool Pass(ITest test, bool negated) =>
            test.IsSuite ? test.Tests.Any(child => Pass(child, negated)) : Match(test);

        public override bool IsExplicitMatch(ITest test) => false;

        public override TNode AddToXml(TNode parentNode, bool recursive) => parentNode.AddElement("names");
    }

    private sealed class CoverageListener(Coverage coverage, Func<IList<int>[]> take) : ITestListener
    {
        private string _last = "";
        private long _started;

        public void TestStarted(ITest test)
        {
            if (!test.IsSuite) _started = Stopwatch.GetTimestamp();
        }

        public void TestFinished(ITestResult result)
        {
            // What a fixture does after its last test belongs to that one, and before its first to the first.
            if (!result.Test.IsSuite)
            {
                _last = result.Test.FullName;
                coverage.Seconds[_last] = Stopwatch.GetElapsedTime(_started).TotalSeconds;
            }

            IList<int>[] covered = take();
            foreach (int mutant in covered[0])
            {
                if (!coverage.Tests.TryGetValue(mutant, out HashSet<string>? tests)) coverage.Tests[mutant] = tests = [];
                tests.Add(_last);
            }

            coverage.Static.UnionWith(covered[1]);
        }

        public void TestOutput(TestOutput output)
        {
        }

        public void SendMessage(TestMessage message)
        {
        }
    }
}
