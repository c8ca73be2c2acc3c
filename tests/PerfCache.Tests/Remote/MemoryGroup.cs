// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;

namespace PerfCache.Tests.Remote;

/// <summary>
/// A memory control group below this process's own, with a limit: a machine that is short of memory, beside the tests'.
/// The test is skipped where none can be made.
/// </summary>
internal sealed class MemoryGroup : IDisposable
{
    private static int s_count;

    private readonly List<Process> _processes = [];

    private MemoryGroup(string folder) => Folder = folder;

    /// <summary>Where the system shows it.</summary>
    internal string Folder { get; }

    /// <summary>Bytes in use, caches included.</summary>
    internal long UsedBytes => Number(IsFirst ? "memory.usage_in_bytes" : "memory.current");

    /// <summary>How many processes of the group the system has killed to get memory.</summary>
    internal long OutOfMemoryKills => Named(IsFirst ? "memory.oom_control" : "memory.events", "oom_kill");

    /// <summary>How often the limit was reached.</summary>
    internal long LimitEvents => IsFirst ? Number("memory.failcnt") : Named("memory.events", "max");

    // The first version of control groups has its memory files by other names.
    private bool IsFirst => File.Exists(Path.Combine(Folder, "memory.limit_in_bytes"));

    internal static MemoryGroup Make(long limitBytes)
    {
        string? own = OwnFolder();
        if (own is null) Assert.Ignore("this process is in no memory control group that it can see");
        string folder = Path.Combine(
            own!, $"perfcache-test-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}");
        try
        {
            Directory.CreateDirectory(folder);
            MemoryGroup group = new(folder);
            string limit = group.IsFirst ? "memory.limit_in_bytes" : "memory.max";
            File.WriteAllText(Path.Combine(folder, limit), limitBytes.ToString(CultureInfo.InvariantCulture));
            return group;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            if (Directory.Exists(folder)) Directory.Delete(folder);
            Assert.Ignore($"no memory control group can be made here: {failure.Message}");
            throw;
        }
    }

    /// <summary>Starts a program inside the group.</summary>
    internal Process Start(string program, params string[] arguments)
    {
        ProcessStartInfo start = new("/bin/sh") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string word in (string[])["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"", Folder, program, .. arguments])
            start.ArgumentList.Add(word);
        Process process = Process.Start(start)!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        _processes.Add(process);
        return process;
    }

    /// <summary>Runs a program inside the group to its end, for at most a minute.</summary>
    internal (int ExitCode, string Output) Run(string program, params string[] arguments)
    {
        using Process process = Start(program, arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(60_000)) process.Kill();
        process.WaitForExit();
        _processes.Remove(process);
        return (process.ExitCode, output.Result);
    }

    public void Dispose()
    {
        foreach (Process process in _processes)
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }

        Stopwatch waited = Stopwatch.StartNew();
        while (Directory.Exists(Folder))
        {
            try
            {
                Directory.Delete(Folder);
            }
            catch (IOException) when (waited.Elapsed < TimeSpan.FromSeconds(10))
            {
                // The last process has ended, and the system is still putting its memory away.
                Task.Delay(10).Wait();
            }
        }
    }

    private long Number(string file) =>
        long.Parse(File.ReadAllText(Path.Combine(Folder, file)), CultureInfo.InvariantCulture);

    private long Named(string file, string name)
    {
        string line = File.ReadLines(Path.Combine(Folder, file))
            .First(each => each.StartsWith(name + " ", StringComparison.Ordinal));
        return long.Parse(line[name.Length..], CultureInfo.InvariantCulture);
    }

    private static string? OwnFolder()
    {
        if (!File.Exists("/proc/self/cgroup")) return null;
        foreach (string line in File.ReadLines("/proc/self/cgroup"))
        {
            string[] parts = line.Split(':', 3);
            string root = parts[0] == "0" ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
            if (parts[0] != "0" && !parts[1].Split(',').Contains("memory")) continue;
            string folder = root + parts[2];
            if (File.Exists(Path.Combine(folder, "memory.stat"))) return folder;
        }

        return null;
    }
}
