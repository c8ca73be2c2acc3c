// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Cli.Study;

/// <summary>
/// A whole quick study at the smallest scale, run once for all fixtures that look at it: the same code and the same page
/// as at default scale, with fewer frames and requests.
/// </summary>
internal static class StudyReportFile
{
    private static readonly Lazy<(CliRun Run, string Html, string Lines)> s_study = new(Make);

    /// <summary>The smallest scale at which every part still runs.</summary>
    public static string[] Arguments => ["study", "--quick", "--scale", "64", "--seed", "3"];

    /// <summary>What the command said.</summary>
    public static CliRun Run => s_study.Value.Run;

    /// <summary>The report.</summary>
    public static string Html => s_study.Value.Html;

    /// <summary>The JSON lines in the folder.</summary>
    public static string Lines => s_study.Value.Lines;

    private static (CliRun Run, string Html, string Lines) Make()
    {
        string folder = Directory.CreateTempSubdirectory("perfcache-study-").FullName;
        try
        {
            CliRun run = CliRun.Of([.. Arguments, "--out", Path.Combine(folder, "made", "here")]);
            return (run, File.ReadAllText(Path.Combine(folder, "made", "here", "study.html")),
                File.ReadAllText(Path.Combine(folder, "made", "here", "study.jsonl")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
