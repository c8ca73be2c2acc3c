// SPDX-License-Identifier: MIT
using System.Diagnostics;

namespace PerfCache.Tests.Repository;

/// <summary>The repository around the tests: its root and the files that belong to it.</summary>
internal static class RepositoryTree
{
    private static readonly Lazy<IReadOnlyList<string>> s_files = new(ListFiles);

    /// <summary>The folder that holds the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>
    /// The files of the repository, relative to the root, with forward slashes, in ordinal order. New files
    /// count before they are committed; ignored ones never do.
    /// </summary>
    public static IReadOnlyList<string> Files => s_files.Value;

    /// <summary>The absolute path of a file or folder named relative to the root.</summary>
    public static string PathOf(string relative) =>
        Path.GetFullPath(Path.Combine(Root, relative.Replace('/', Path.DirectorySeparatorChar)));

    /// <summary>The text of a file named relative to the root.</summary>
    public static string ReadText(string relative) => File.ReadAllText(PathOf(relative));

    /// <summary>The files below <paramref name="folder"/> (with its closing slash) that end in one of the
    /// endings.</summary>
    public static IEnumerable<string> FilesBelow(string folder, params string[] endings) =>
        Files.Where(file => file.StartsWith(folder, StringComparison.Ordinal)
            && (endings.Length == 0 || endings.Any(ending => file.EndsWith(ending, StringComparison.Ordinal))));

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "PerfCache.sln"))) return folder.FullName;
        throw new InvalidOperationException("PerfCache.sln is in no folder above " + AppContext.BaseDirectory);
    }

    private static string[] ListFiles()
    {
        IEnumerable<string> files = TryListWithGit() ?? WalkTree(Root);
        // git still lists a tracked file that was just deleted.
        return [.. files.Where(file => File.Exists(PathOf(file))).Distinct().Order(StringComparer.Ordinal)];
    }

    private static string[]? TryListWithGit()
    {
        if (!Path.Exists(Path.Combine(Root, ".git"))) return null;
        ProcessStartInfo start = new("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        {
            WorkingDirectory = Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using Process git = Process.Start(start)!;
            // Standard error has to be drained too, or a chatty git would block on it.
            Task<string> complaints = git.StandardError.ReadToEndAsync();
            string names = git.StandardOutput.ReadToEnd();
            git.WaitForExit();
            _ = complaints.Result;
            if (git.ExitCode != 0 || names.Length == 0) return null;
            return names.Split('\0', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private static IEnumerable<string> WalkTree(string folder)
    {
        // What .gitignore names, for an unpacked archive without git.
        string[] ignored =
            [".git", "bin", "obj", "artifacts", "TestResults", "BenchmarkDotNet.Artifacts", ".vs", ".idea"];
        foreach (string file in Directory.EnumerateFiles(folder))
            yield return Path.GetRelativePath(Root, file).Replace('\\', '/');
        foreach (string child in Directory.EnumerateDirectories(folder))
        {
            if (ignored.Contains(Path.GetFileName(child))) continue;
            foreach (string file in WalkTree(child)) yield return file;
        }
    }
}
