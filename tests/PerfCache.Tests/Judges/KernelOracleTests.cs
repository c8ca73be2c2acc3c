// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Judges;

/// <summary>
/// Goal: linux-6 predicts a real kernel's page cache. Method: replay each trace of the kernel judge at each size and
/// compare the miss ratio, every single access, and the pages that are resident at the end.
/// </summary>
[TestFixture, Parallelizable(ParallelScope.Self)]
public sealed class KernelOracleTests
{
    private const double MissRatioPointsMax = 0.2;
    private const double MissRatioPointsMeanMax = 0.05;
    internal const double AgreementMin = 0.993;
    internal const double JaccardMin = 0.9;

    private static readonly List<double> s_points = [];

    private static IEnumerable<TestCaseData> Expected() =>
        JudgeFiles.Rows("kernel-oracle", "expected.csv").Where((_, i) => i % TestScale.Of(1, 5) == 0).Select(row =>
            new TestCaseData(row).SetArgDisplayNames(row["trace"], row["cache_pages"]));

    [Test, Order(1)]
    public void JudgeIsPresent() => JudgeFiles.Require("kernel-oracle", "expected.csv");

    [TestCaseSource(nameof(Expected)), Order(2)]
    public void PredictsTheKernel(Dictionary<string, string> row)
    {
        string name = row["trace"];
        long frames = Number(row, "cache_pages");
        JudgeFiles.Trace trace = JudgeFiles.KernelTrace(name);
        using ReplayCell cell = PolicyCatalog.BuiltIn.Create(PolicySpec.Parse("linux-6"), frames);
        byte[] outcomes = new byte[trace.Pages.Length];
        cell.Replay(new(trace.Pages, trace.Files), outcomes);

        long misses = cell.Counts.Misses;
        long outside = Math.Max(0, Math.Max(Number(row, "misses_min") - misses, misses - Number(row, "misses_max")));
        double points = 100.0 * outside / trace.Pages.Length;
        double agreement = JudgeFiles.KernelAgreement(outcomes, name, frames);
        HashSet<string> resident = [];
        cell.VisitResident(page => resident.Add(trace.Lines[page]));
        double? jaccard = JudgeFiles.KernelJaccard(resident, name, frames);
        s_points.Add(points);
        TestContext.Out.WriteLine(
            $"{name} {frames}: misses {misses} (kernel {row["misses"]}), {points:0.000} points outside, "
            + $"agreement {agreement:P3}, Jaccard {jaccard:0.0000}");

        Assert.Multiple(() =>
        {
            Assert.That(points, Is.LessThanOrEqualTo(MissRatioPointsMax), "miss ratio outside the kernel's runs, points");
            Assert.That(agreement, Is.GreaterThanOrEqualTo(AgreementMin), "accesses judged alike");
            if (jaccard is not null) Assert.That(jaccard, Is.GreaterThanOrEqualTo(JaccardMin), "resident pages");
        });
    }

    [Test, Order(3)]
    public void PredictsTheKernelOnAverage()
    {
        TestScale.LeaveToRelease();
        if (s_points.Count == 0) Assert.Ignore("no row of the kernel judge was replayed in this run");
        TestContext.Out.WriteLine($"mean {s_points.Average():0.0000} points, max {s_points.Max():0.000}");
        Assert.That(s_points.Average(), Is.LessThanOrEqualTo(MissRatioPointsMeanMax));
    }

    private static long Number(Dictionary<string, string> row, string column) =>
        long.Parse(row[column], CultureInfo.InvariantCulture);
}
