// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Simulation.Recording;

namespace PerfCache.Cli.Record;

/// <summary>That a program cannot be traced here: one line that says why and what to do.</summary>
internal sealed class TraceNotPossibleException(string message) : Exception(message);

/// <summary>The tool that sees a program's system calls: how it is found, tried, and started.</summary>
internal static class Strace
{
    private const string Name = "strace";

    /// <summary>With it only the calls that are traced stop the program; since strace 5.3.</summary>
    private const string FilterOption = "--seccomp-bpf";

    private static readonly string[] s_options =
        ["-f", "-y", "-q", "-s", "0", "-e", "signal=none", "-e", "trace=" + AccessRecorder.TracedCalls];

    /// <summary>The options to trace with, tried out on a program that does nothing.</summary>
    /// <exception cref="TraceNotPossibleException">strace is missing or may not trace.</exception>
    public static string[] TriedOptions()
    {
        if (Find(Name) is null)
        {
            throw new TraceNotPossibleException(
                "record needs strace, which is not on the PATH; install it (apt-get install strace)");
        }

        string[] filtered = [.. s_options, FilterOption];
        if (Try(filtered) is null) return filtered;
        if (Try(s_options) is not { } problem) return s_options;
        throw new TraceNotPossibleException(problem.Contains("permitted", StringComparison.OrdinalIgnoreCase)
            ? $"strace may not trace programs here ({problem}); in a container allow ptrace (--cap-add=SYS_PTRACE), "
                + "elsewhere look at /proc/sys/kernel/yama/ptrace_scope"
            : $"strace does not work here: {problem}");
    }

    /// <summary>A program as the shell would find it, or null.</summary>
    public static string? Find(string program)
    {
        if (program.Contains('/')) return IsExecutable(program) ? program : null;
        string path = Environment.GetEnvironmentVariable("PATH") ?? "";
        return path.Split(':').Select(folder => Path.Combine(folder.Length == 0 ? "." : folder, program))
            .FirstOrDefault(IsExecutable);
    }

    /// <summary>Starts a program under strace, which writes its lines to a file.</summary>
    /// <param name="options">From <see cref="TriedOptions"/>.</param>
    /// <param name="lines">The file.</param>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="outputToError">True to send the program's standard output to standard error.</param>
    public static Process Start(string[] options, string lines, IReadOnlyList<string> command, bool outputToError)
    {
        ProcessStartInfo start = new(outputToError ? "sh" : Name) { UseShellExecute = false };
        string[] redirected = outputToError ? ["-c", "exec \"$@\" >&2", "sh", Name] : [];
        foreach (string argument in (string[])[.. redirected, .. options, "-o", lines, "--", .. command])
            start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    /// <summary>Runs a small program to its end.</summary>
    /// <returns>Its exit code and what it wrote to standard error.</returns>
    public static (int ExitCode, string Error) RunQuietly(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program)
        {
            UseShellExecute = false,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        output.Wait();
        process.WaitForExit();
        return (process.ExitCode, error);
    }

    /// <summary>Traces a program that does nothing.</summary>
    /// <returns>What went wrong, or null.</returns>
    private static string? Try(string[] options)
    {
        (int exitCode, string error) = RunQuietly(Name, [.. options, "-o", "/dev/null", "--", "true"]);
        if (exitCode == 0) return null;
        string first = error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .FirstOrDefault("it failed and said nothing");
        return first.StartsWith("strace: ", StringComparison.Ordinal) ? first["strace: ".Length..] : first;
    }

    private static bool IsExecutable(string path)
    {
        const UnixFileMode Execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        return File.Exists(path) && !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Execute) != 0;
    }
}
