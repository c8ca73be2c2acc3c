// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;

namespace PerfCache.Cli.PumaReal;

/// <summary>A memory control group below this process's own, with a limit: a machine that is short of memory, with the real
/// kernel in it. Both versions of control groups.</summary>
internal sealed class ControlGroup : IDisposable
{
    private static int s_count;

    private ControlGroup(string folder) => Folder = folder;

    /// <summary>Where the system shows it.</summary>
    public string Folder { get; }

    /// <summary>Bytes of memory that programs have, marked as free or not.</summary>
    public long ProgramBytes => Named("memory.stat", IsFirst ? "rss" : "anon");

    /// <summary>Bytes of files that the kernel keeps.</summary>
    public long FileBytes => Named("memory.stat", IsFirst ? "cache" : "file");

    /// <summary>Processes of the group that the system has killed to get memory.</summary>
    public long OutOfMemoryKills => Named(IsFirst ? "memory.oom_control" : "memory.events", "oom_kill");

    /// <summary>Bytes in use, caches included.</summary>
    public long UsedBytes => Number(IsFirst ? "memory.usage_in_bytes" : "memory.current");

    /// <summary>How often the limit was reached.</summary>
    public long LimitEvents => IsFirst ? Number("memory.failcnt") : Named("memory.events", "max");

    // The first version of control groups has its files by other names.
    private bool IsFirst => File.Exists(Path.Combine(Folder, "memory.limit_in_bytes"));

    /// <summary>Makes a group.</summary>
    /// <param name="limitBytes">The most memory that its processes may have, files that they read included.</param>
    /// <param name="why">Why it cannot be made; empty where it was.</param>
    public static ControlGroup? TryMake(long limitBytes, out string why)
    {
        why = "this process is in no memory control group that it can see";
        if (OwnFolder() is not { } own) return null;
        string folder = Path.Combine(own, string.Create(
            CultureInfo.InvariantCulture, $"perfcache-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}"));
        try
        {
            Directory.CreateDirectory(folder);
            ControlGroup group = new(folder);
            string limit = Path.Combine(folder, group.IsFirst ? "memory.limit_in_bytes" : "memory.max");
            File.WriteAllText(limit, limitBytes.ToString(CultureInfo.InvariantCulture));
            why = "";
            return group;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            why = $"no memory control group can be made here: {failure.Message}";
            if (Directory.Exists(folder)) Directory.Delete(folder);
            return null;
        }
    }

    /// <summary>How to start a program inside the group: a shell that goes there and becomes it.</summary>
    public ProcessStartInfo StartOf(IEnumerable<string> command)
    {
        ProcessStartInfo start = new("/bin/sh");
        foreach (string word in (string[])["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"", Folder, .. command])
            start.ArgumentList.Add(word);
        return start;
    }

    /// <summary>Removes the group, whose processes must have ended.</summary>
    public void Dispose()
    {
        long begun = Stopwatch.GetTimestamp();
        while (Directory.Exists(Folder))
        {
            try
            {
                Directory.Delete(Folder);
            }
            catch (IOException) when (Stopwatch.GetElapsedTime(begun).TotalSeconds < 10)
            {
                // The last process has ended, and the system is still putting its memory away.
                Thread.Sleep(10);
            }
        }
    }

    private long Number(string file) =>
        long.Parse(File.ReadAllText(Path.Combine(Folder, file)), CultureInfo.InvariantCulture);

    private long Named(string file, string name)
    {
        foreach (string line in File.ReadLines(Path.Combine(Folder, file)))
        {
            if (line.StartsWith(name + " ", StringComparison.Ordinal))
                return long.Parse(line.AsSpan(name.Length + 1), CultureInfo.InvariantCulture);
        }

        return 0;
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
