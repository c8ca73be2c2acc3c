// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace PerfCache.Tests.Judges;

/// <summary>The command line as a process of its own, recording another, and what the kernel can tell about files.</summary>
internal sealed record RecordedRun(int ExitCode, string Out, string Error)
{
    private const int CacheStatCall = 451;
    private const int DontNeed = 4;

    /// <summary>The summary that <c>--json</c> prints.</summary>
    internal JsonElement Summary => JsonDocument.Parse(Out).RootElement;

    internal long Number(string name) => Summary.GetProperty(name).GetInt64();

    /// <summary>Runs <c>perfcache</c> with the words.</summary>
    internal static RecordedRun Perfcache(string folder, IEnumerable<string> words, string? path = null)
    {
        string library = Path.Combine(TestContext.CurrentContext.TestDirectory, "perfcache.dll");
        return Run(folder, [Environment.ProcessPath is { } host && host.EndsWith("dotnet", StringComparison.Ordinal)
            ? host : "dotnet", library, .. words], path);
    }

    /// <summary>Records a program with <c>--json</c>.</summary>
    internal static RecordedRun Record(string folder, string trace, params string[] command)
    {
        RecordedRun run = Perfcache(folder, ["record", "--json", "-o", trace, "--", .. command]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        return run;
    }

    /// <summary>Runs a program to its end.</summary>
    internal static RecordedRun Run(string folder, IReadOnlyList<string> command, string? path = null)
    {
        using Process process = Start(folder, command, path);
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return new RecordedRun(process.ExitCode, output, error.Result);
    }

    internal static Process Start(string folder, IReadOnlyList<string> command, string? path = null)
    {
        ProcessStartInfo start = new(command[0])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string word in command.Skip(1)) start.ArgumentList.Add(word);
        if (path is not null) start.Environment["PATH"] = path;
        return Process.Start(start)!;
    }

    /// <summary>Skips the test where a program is missing.</summary>
    internal static void Require(params string[] programs)
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        foreach (string program in programs)
            if (!folders.Any(folder => File.Exists(Path.Combine(folder, program)))) Assert.Ignore($"{program} is missing");
        if (!programs.Contains("strace")) return;
        RecordedRun tried = Run("/", ["strace", "-o", "/dev/null", "true"]);
        if (tried.ExitCode != 0) Assert.Ignore($"strace may not trace here: {tried.Error.Trim()}");
    }

    /// <summary>The different pages of the file with this path in a trace.</summary>
    internal static HashSet<long> PagesOf(string trace, string path)
    {
        using StreamReader reader = new(new GZipStream(File.OpenRead(trace), CompressionMode.Decompress));
        Dictionary<string, string> names = [];
        HashSet<long> pages = [];
        while (reader.ReadLine() is { } line)
        {
            string[] words = line.Split(' ');
            if (words is ["#", "file", _, ..]) names[words[2]] = string.Join(' ', words[3..]);
            else if (words[0] != "#" && names[words[0]] == path) pages.Add(long.Parse(words[1], null));
        }

        return pages;
    }

    /// <summary>Pages of a file that the kernel has in its cache.</summary>
    internal static long CachedPages(string path)
    {
        using FileStream file = File.OpenRead(path);
        long[] range = [0, 0];
        long[] counts = new long[5];
        int fd = (int)file.SafeFileHandle.DangerousGetHandle();
        unsafe
        {
            fixed (long* from = range)
            fixed (long* to = counts)
            {
                if (syscall(CacheStatCall, fd, (nint)from, (nint)to, 0) != 0)
                    Assert.Ignore("this kernel has no cachestat, or does not allow it");
            }
        }

        return counts[0];
    }

    /// <summary>Takes a file out of the kernel's cache.</summary>
    internal static void Drop(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite);
        file.Flush(flushToDisk: true);
        int fd = (int)file.SafeFileHandle.DangerousGetHandle();
        Assert.That(posix_fadvise(fd, 0, 0, DontNeed), Is.Zero);
    }

    /// <summary>Compiles C; skips the test where there is no compiler.</summary>
    internal static string Compile(string folder, string name, string source, params string[] options)
    {
        Require("gcc");
        string file = Path.Combine(folder, name + ".c");
        File.WriteAllText(file, source);
        string program = Path.Combine(folder, name);
        RecordedRun run = Run(folder, ["gcc", "-O1", "-o", program, file, .. options]);
        if (run.ExitCode != 0) Assert.Ignore($"the C compiler does not compile: {run.Error}");
        return program;
    }

    [DllImport("libc")]
    private static extern nint syscall(nint number, nint descriptor, nint range, nint counts, nint flags);

    [DllImport("libc")]
    private static extern int posix_fadvise(int descriptor, nint offset, nint length, int advice);
}
