// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Text.Json;
using PerfCache.Cli.Borrow;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary><c>perfcache borrow-bench</c> as a process of its own: a borrower that can be killed.</summary>
internal sealed class BenchProcess : IDisposable
{
    private readonly Process _process;
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];
    private readonly List<string> _errors = [];

    internal BenchProcess(params string[] arguments)
    {
        bool isHost = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet";
        ProcessStartInfo start = new(isHost ? Environment.ProcessPath! : "dotnet")
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        foreach (string word in (string[])[typeof(BorrowLoad).Assembly.Location, "borrow-bench", .. arguments])
            start.ArgumentList.Add(word);
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Note(_lines, line.Data);
        _process.ErrorDataReceived += (_, line) => Note(_errors, line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Pictures of the live view so far: the first shows that all pages were put and that it gets and puts.</summary>
    internal int Pictures
    {
        get
        {
            lock (_lock) return _lines.Count(line => line.Contains("/s verified", StringComparison.Ordinal));
        }
    }

    internal bool HasExited => _process.HasExited;

    /// <summary>SIGKILL, and waits until it is gone.</summary>
    internal async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Waits for its own end, and reads what it printed with <c>--json</c>.</summary>
    internal async Task<(int ExitCode, JsonElement Result)> ResultAsync(CancellationToken deadline)
    {
        await _process.WaitForExitAsync(deadline);
        lock (_lock)
        {
            Assert.That(_lines, Is.Not.Empty, () => string.Join('\n', _errors));
            return (_process.ExitCode, JsonDocument.Parse(_lines[^1]).RootElement);
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private void Note(List<string> lines, string? line)
    {
        if (line is null) return;
        lock (_lock) lines.Add(line);
    }
}
