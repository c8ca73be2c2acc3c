// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;

namespace PerfCache.Cli.Study;

/// <summary>What a report says of the machine and the versions that made it.</summary>
internal static class StudyMachine
{
    /// <summary>Facts by name; what cannot be found out is left out.</summary>
    /// <param name="root">The folder that has proc.</param>
    public static IReadOnlyList<(string Name, string Value)> Facts(string root)
    {
        List<(string Name, string Value)> facts =
        [
            ("made by", CommandLine.Version),
            ("version in full", typeof(StudyMachine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()
                ?.InformationalVersion ?? "unknown"),
            ("runtime", RuntimeInformation.FrameworkDescription),
            ("system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}"),
        ];
        if (FieldOf(Path.Combine(root, "proc/cpuinfo"), "model name") is { } processor) facts.Add(("processor", processor));
        facts.Add(("processors in use", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)));
        if (FieldOf(Path.Combine(root, "proc/meminfo"), "MemTotal") is { } memory) facts.Add(("memory", memory));
        facts.Add(("when", TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture)));
        return facts;
    }

    /// <summary>The value of the first line <c>name : value</c>, or null.</summary>
    private static string? FieldOf(string path, string name)
    {
        try
        {
            string? line = File.ReadLines(path).FirstOrDefault(one => one.StartsWith(name, StringComparison.Ordinal));
            return line is null || !line.Contains(':') ? null : line[(line.IndexOf(':') + 1)..].Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
