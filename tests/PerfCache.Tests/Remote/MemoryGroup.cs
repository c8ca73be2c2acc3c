// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Cli.PumaReal;

namespace PerfCache.Tests.Remote;

/// <summary>
/// A memory control group below this process's own, with a limit: a machine that is short of memory, beside the tests'.
/// The test is skipped where none can be made.
/// </summary>
internal sealed class MemoryGroup : IDisposable
{
    private readonly List<Process> _processes = [];
    private readonly ControlGroup _group;

    private MemoryGroup(ControlGroup group) => _group = group;

    /// <summary>Where the system shows it.</summary>
    internal string Folder => _group.Folder;

    /// <summary>Bytes in use, caches included.</summary>
    internal long UsedBytes => _group.UsedBytes;

    /// <summary>How many processes of the group the system has killed to get memory.</summary>
    internal long OutOfMemoryKills => _group.OutOfMemoryKills;

    /// <summary>How often the limit was reached.</summary>
    internal long LimitEvents => _group.LimitEvents;

    internal static MemoryGroup Make(long limitBytes)
    {
        ControlGroup? group = ControlGroup.TryMake(limitBytes, out string why);
        if (group is null) Assert.Ignore(why);
        return new MemoryGroup(group!);
    }

    /// <summary>Starts a program inside the group.</summary>
    internal Process Start(string program, params string[] arguments)
    {
        ProcessStartInfo start = _group.StartOf([program, .. arguments]);
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
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

        _group.Dispose();
    }
}
