// SPDX-License-Identifier: MIT
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace PerfCache.Tests.Environments;

/// <summary>The command line as a process of its own, in a world that differs in something: what is around it and what
/// happens to it cannot be tried in this process.</summary>
/// <param name="ExitCode">The exit code; 128 and the signal's number where a signal ended it.</param>
/// <param name="Out">Standard output.</param>
/// <param name="Error">Standard error.</param>
internal sealed record ChildCommand(int ExitCode, string Out, string Error)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    /// <summary>The program that the tests were built with.</summary>
    internal static string[] Program { get; } =
        ["dotnet", Path.Combine(TestContext.CurrentContext.TestDirectory, "perfcache.dll")];

    /// <summary>The lines of standard error.</summary>
    internal string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Runs a command line behind another program that prepares its world.</summary>
    internal static ChildCommand Behind(string[] launcher, params string[] args)
    {
        using Running running = Running.Start([.. launcher, .. Program, .. args]);
        return running.End(s_deadline);
    }

    /// <summary>Runs a command line in a mount namespace of its own, after some commands of the shell. Skips the test
    /// where that is not permitted.</summary>
    internal static ChildCommand InOwnMounts(string commands, params string[] args)
    {
        RequireMounts();
        return Behind(["unshare", "-m", "sh", "-c", $"{commands} && exec \"$@\"", "sh"], args);
    }

    /// <summary>Skips the test where a mount namespace with a small file system cannot be had.</summary>
    internal static void RequireMounts() => Require(
        ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"], "mounting a file system needs more rights");

    /// <summary>Skips the test where a program does not work here.</summary>
    internal static void Require(string[] probe, string reason)
    {
        try
        {
            using Running running = Running.Start(probe);
            ChildCommand result = running.End(s_deadline);
            if (result.ExitCode != 0) Assert.Ignore($"{reason} ({string.Join(' ', probe)}: {result.Error.Trim()})");
        }
        catch (Win32Exception)
        {
            Assert.Ignore($"{probe[0]} is not installed");
        }
    }

    /// <summary>A command line that runs.</summary>
    internal sealed class Running : IDisposable
    {
        private readonly Process _process;
        private readonly Task<string> _output;
        private readonly Task<string> _errors;

        private Running(Process process)
        {
            _process = process;
            _output = process.StandardOutput.ReadToEndAsync();
            _errors = process.StandardError.ReadToEndAsync();
        }

        internal bool HasExited => _process.HasExited;

        internal static Running Start(string[] commandLine, string? folder = null)
        {
            ProcessStartInfo start = new(commandLine[0], commandLine[1..])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = folder ?? "",
            };
            start.Environment["DOTNET_NOLOGO"] = "1";
            Process process = Process.Start(start)!;
            process.StandardInput.Close();
            return new Running(process);
        }

        /// <summary>Lets it run for so long, or less if it ends.</summary>
        internal void RunFor(TimeSpan time) => _process.WaitForExit(time);

        /// <summary>Sends a signal; nothing if it has ended.</summary>
        internal void Send(string signal)
        {
            using Process kill = Process.Start(
                new ProcessStartInfo("kill", [$"-{signal}", _process.Id.ToString(CultureInfo.InvariantCulture)])
                {
                    RedirectStandardError = true,
                })!;
            kill.WaitForExit();
        }

        /// <summary>Waits for its end.</summary>
        internal ChildCommand End(TimeSpan deadline)
        {
            if (!_process.WaitForExit(deadline))
            {
                _process.Kill(entireProcessTree: true);
                Assert.Fail($"it has not ended within {deadline.TotalSeconds} s: {_output.Result}{_errors.Result}");
            }

            return new ChildCommand(_process.ExitCode, _output.Result, _errors.Result);
        }

        public void Dispose()
        {
            if (!_process.HasExited) _process.Kill(entireProcessTree: true);
            _process.Dispose();
        }
    }
}
