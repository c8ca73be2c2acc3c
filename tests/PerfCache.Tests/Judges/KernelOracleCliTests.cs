// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Simulation.Replay;
using PerfCache.Tests.Cli;

namespace PerfCache.Tests.Judges;

/// <summary>
/// Goal: what <c>perfcache replay</c> writes for scripts (outcomes, resident pages, JSON) is what the kernel did.
/// Method: the command on files of the kernel judge, one with pages alone and one with files and pages, and its three
/// outputs against the judge's.
/// </summary>
[TestFixture]
public sealed class KernelOracleCliTests : FolderFixture
{
    [TestCase("stream", 20_000)]
    [TestCase("zipf09", 16_000)]
    [TestCase("repeat", 16_000)]
    public void TheFilesOfAReplayAgreeWithTheKernel(string name, long frames)
    {
        string trace = JudgeFiles.Require("kernel-oracle", "traces", name + ".txt.gz");
        string outcomesPath = PathOf("outcomes");
        string residentPath = PathOf("resident");

        CliRun run = CliRun.Of("replay", trace, "--policy", "linux-6", "--frames", $"{frames}", "--json",
            "--outcomes", outcomesPath, "--resident", residentPath);

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        using JsonDocument json = JsonDocument.Parse(run.Out);
        byte[] outcomes = File.ReadAllBytes(outcomesPath);
        string[] resident = File.ReadAllLines(residentPath);
        double agreement = JudgeFiles.KernelAgreement(outcomes, name, frames);
        double? jaccard = JudgeFiles.KernelJaccard(resident.ToHashSet(), name, frames);
        TestContext.Out.WriteLine($"{name} {frames}: agreement {agreement:P3}, Jaccard {jaccard:0.0000}");
        Assert.Multiple(() =>
        {
            Assert.That(json.RootElement.GetProperty("trace").GetString(), Is.EqualTo(trace));
            Assert.That(json.RootElement.GetProperty("requests").GetInt64(), Is.EqualTo(outcomes.Length));
            Assert.That(json.RootElement.GetProperty("misses").GetInt64(),
                Is.EqualTo(outcomes.Count(letter => letter == ReplayCell.Miss)));
            Assert.That(json.RootElement.GetProperty("coldMisses").GetInt64()
                + json.RootElement.GetProperty("refaults").GetInt64(),
                Is.EqualTo(json.RootElement.GetProperty("misses").GetInt64()));
            Assert.That(outcomes.All(letter => letter is ReplayCell.Hit or ReplayCell.Miss), "letters h and m");
            Assert.That(resident.Distinct().Count(), Is.EqualTo(resident.Length).And.LessThanOrEqualTo(frames));
            Assert.That(resident.Except(JudgeFiles.ReadGzipLines(trace)), Is.Empty, "lines as the trace has them");
            Assert.That(agreement, Is.GreaterThanOrEqualTo(KernelOracleTests.AgreementMin), "accesses judged alike");
            Assert.That(jaccard, Is.GreaterThanOrEqualTo(KernelOracleTests.JaccardMin), "resident pages");
        });
    }
}
