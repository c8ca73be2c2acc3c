// SPDX-License-Identifier: MIT
using System.ComponentModel;
using System.Diagnostics;
using PerfCache.Tests.Repository;

namespace PerfCache.Tests.Native;

/// <summary>What native/build.sh has built, and programs that are run with a deadline.</summary>
/// <param name="ExitCode">The exit code.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Errors">Standard error.</param>
internal sealed record NativeProgram(int ExitCode, string Output, string Errors)
{
    private const string Folder = "artifacts/native";
    private static readonly string[] s_sources = ["native/", "src/PerfCache.Core/", "src/PerfCache.Policies/"];

    // Publishing takes a minute or more, so tests do not: they test what is there, if it is what the sources say.
    private static readonly Lazy<string?> s_obstacle = new(FindObstacle);

    /// <summary>The path of something that was built. Skips the test where it is not.</summary>
    internal static string Require(string name)
    {
        if (s_obstacle.Value is { } obstacle) Assert.Ignore(obstacle);
        return RepositoryTree.PathOf($"{Folder}/{name}");
    }

    /// <summary>Runs a program. Skips the test where there is no such program.</summary>
    internal static NativeProgram Run(
        string program, string[] arguments, int secondsMax = 60, params (string Name, string Value)[] variables)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in variables) start.Environment[name] = value;
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception)
        {
            Assert.Ignore($"{program} is not installed");
            throw;
        }

        using (process)
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            Task<string> errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(TimeSpan.FromSeconds(secondsMax)))
            {
                process.Kill(entireProcessTree: true);
                Assert.Fail($"{program} {string.Join(' ', arguments)} has not ended after {secondsMax} s");
            }

            return new NativeProgram(process.ExitCode, output.Result, errors.Result);
        }
    }

    private static string? FindObstacle()
    {
        const string Advice =
            "run native/build.sh, which needs gcc or clang and the ahead-of-time compiler's package for net9.0";
        FileInfo library = new(RepositoryTree.PathOf($"{Folder}/libperfcache.so"));
        if (!library.Exists) return $"{Folder}/libperfcache.so is not built: {Advice}";
        string? newer = s_sources.SelectMany(folder => RepositoryTree.FilesBelow(folder, ".cs", ".c", ".h", ".csproj"))
            .FirstOrDefault(file => File.GetLastWriteTimeUtc(RepositoryTree.PathOf(file)) > library.LastWriteTimeUtc);
        return newer is null ? null : $"{Folder}/libperfcache.so is older than {newer}: {Advice}";
    }
}
