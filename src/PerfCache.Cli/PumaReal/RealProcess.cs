// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;

namespace PerfCache.Cli.PumaReal;

/// <summary>A program of a real scenario, in a control group; killed at the end, if it has not ended by itself.</summary>
internal sealed class RealProcess : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly string _what;
    private string _error = "";

    private RealProcess(Process process, string what)
    {
        (_process, _what) = (process, what);
        process.ErrorDataReceived += (_, line) => _error = line.Data is { Length: > 0 } text ? text : _error;
        process.BeginErrorReadLine();
    }

    /// <summary>True when it is gone.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>The last that it said on standard error.</summary>
    public string Error => Volatile.Read(ref _error);

    /// <summary>Starts this program's own command line inside a group.</summary>
    public static RealProcess Start(ControlGroup group, params string[] arguments)
    {
        string library = Path.Combine(AppContext.BaseDirectory, "perfcache.dll");
        string self = Environment.ProcessPath ?? "dotnet";
        string host = Path.GetFileNameWithoutExtension(self) == "dotnet" ? self : "dotnet";
        ProcessStartInfo start = group.StartOf(File.Exists(library) ? [host, library, .. arguments] : [self, .. arguments]);
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        return new RealProcess(Process.Start(start)!, string.Join(' ', arguments.Take(3)));
    }

    /// <summary>Starts a role and waits until it is ready.</summary>
    public static async Task<RealProcess> PlayAsync(ControlGroup group, CancellationToken cancellation, params string[] role)
    {
        RealProcess process = Start(group, ["puma-real", "--role", .. role]);
        try
        {
            if (await process.LineAsync(cancellation).ConfigureAwait(false) != "ready") throw process.Failed("it is not ready");
            return process;
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    /// <summary>Says what to do.</summary>
    public void Tell(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
    }

    /// <summary>Says what to do and reads the answer.</summary>
    /// <returns>The numbers of each line.</returns>
    public async Task<List<long[]>> AskAsync(string line, CancellationToken cancellation)
    {
        Tell(line);
        List<long[]> answer = [];
        while (await NumbersAsync(cancellation).ConfigureAwait(false) is { } numbers) answer.Add(numbers);
        return answer;
    }

    /// <summary>The numbers of the next line; null at the answer's end.</summary>
    public async Task<long[]?> NumbersAsync(CancellationToken cancellation)
    {
        string line = await LineAsync(cancellation).ConfigureAwait(false);
        return line == "end"
            ? null : [.. line.Split(' ').Select(word => long.Parse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture))];
    }

    /// <summary>Kills it and waits until its memory is free.</summary>
    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private async Task<string> LineAsync(CancellationToken cancellation)
    {
        try
        {
            return await _process.StandardOutput.ReadLineAsync(cancellation).AsTask().WaitAsync(s_patience, cancellation)
                .ConfigureAwait(false) ?? throw Failed("it ended");
        }
        catch (TimeoutException)
        {
            throw Failed($"it said nothing for {s_patience.TotalSeconds:0} s");
        }
    }

    private IOException Failed(string why) => new($"puma-real: {_what}: {why} {Error}".TrimEnd());
}
