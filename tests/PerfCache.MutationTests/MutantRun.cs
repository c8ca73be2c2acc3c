// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace PerfCache.MutationTests;

/// <summary>
/// Tries the mutants that Stryker put into an assembly, with a process for many of them, and keeps the answers in a file:
/// so it can be stopped at any time and goes on where it was.
/// </summary>
/// <remarks>
/// Stryker starts a process for each mutant and judges time by the clock, which a busy machine makes slow and wrong. Here
/// a mutant that needs much more processor time than its tests do, or none for long, counts as one that never ends.
/// </remarks>
internal sealed class MutantRun(string reportPath, string assembly, string files, string tests, string statePath)
{
    private const double TimeFactor = 1.5;
    private static readonly TimeSpan s_timeExtra = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan s_idleMost = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_idleTime = TimeSpan.FromMilliseconds(50);
    private const long MemoryMost = 2L << 30;
    private const int TextMost = 100;

    private readonly Dictionary<int, string> _answers = [];
    private Process? _worker;

    private string CoveragePath => statePath + ".coverage";

    internal int Run(TimeSpan most)
    {
        Stopwatch watch = Stopwatch.StartNew();
        if (!File.Exists(CoveragePath) && !Cover()) return 1;
        Coverage coverage = Coverage.Read(CoveragePath);
        List<Mutant> mutants = ReadReport();
        if (File.Exists(statePath))
        {
            foreach (string[] parts in File.ReadLines(statePath).Select(line => line.Split('\t')))
                _answers[int.Parse(parts[0], CultureInfo.InvariantCulture)] = parts[1];
        }

        int left = 0;
        foreach (Mutant mutant in mutants)
        {
            if (_answers.ContainsKey(mutant.Id)) continue;
            if (watch.Elapsed > most) left++;
            else Note(mutant.Id, Judge(mutant.Id, coverage));
        }

        EndWorker();
        Print(mutants, left);
        return 0;
    }

    private bool Cover()
    {
        using Process process = Start("cover", assembly, tests, CoveragePath);
        process.StandardInput.Close();
        Console.Error.Write(process.StandardError.ReadToEnd());
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    private List<Mutant> ReadReport()
    {
        using JsonDocument report = JsonDocument.Parse(File.ReadAllText(reportPath));
        List<Mutant> mutants = [];
        foreach (JsonProperty file in report.RootElement.GetProperty("files").EnumerateObject())
        {
            if (!file.Name.Replace('\\', '/').Contains(files, StringComparison.Ordinal)) continue;
            foreach (JsonElement one in file.Value.GetProperty("mutants").EnumerateArray())
            {
                if (one.GetProperty("status").GetString() is "Ignored" or "CompileError") continue;
                int id = int.Parse(one.GetProperty("id").GetString()!, CultureInfo.InvariantCulture);
                int line = one.GetProperty("location").GetProperty("start").GetProperty("line").GetInt32();
                mutants.Add(new Mutant(
                    id, Path.GetFileName(file.Name), line, one.GetProperty("mutatorName").GetString()!,
                    one.GetProperty("replacement").GetString()!));
            }
        }

        return mutants;
    }

    private string Judge(int mutant, Coverage coverage)
    {
        if (!coverage.Tests.ContainsKey(mutant)) return "NoCoverage\t";
        TimeSpan time = TimeSpan.FromSeconds(coverage.SecondsOf(mutant) * TimeFactor) + s_timeExtra;
        if (coverage.Static.Contains(mutant))
        {
            using Process one = Start("one", assembly, tests, $"{mutant}");
            Task<string> end = one.StandardOutput.ReadToEndAsync();
            time = TimeSpan.FromSeconds(coverage.Seconds.Values.Sum() * TimeFactor) + s_timeExtra;
            bool ended = Await(one, end, time);
            if (!ended) one.Kill();
            one.WaitForExit();
            return !ended ? "Timeout\t" : one.ExitCode == 0 ? "Survived\t" : "Killed\tfrom the start";
        }

        for (bool isFresh = false; ; isFresh = true)
        {
            if (isFresh) EndWorker();
            isFresh |= _worker is null;
            string answer = Ask(mutant, time);
            if (answer.Split('\t')[0] is not ("Spoilt" or "Crashed")) return answer;
            EndWorker();
            if (isFresh) return "Killed\t" + answer.Replace('\t', ' ');
        }
    }

    private string Ask(int mutant, TimeSpan time)
    {
        if (_worker is null)
        {
            _worker = Start("work", assembly, tests, CoveragePath);
            if (_worker.StandardOutput.ReadLine() != "ready")
                throw new InvalidOperationException("the worker does not start");
        }

        _worker.StandardInput.WriteLine(mutant.ToString(CultureInfo.InvariantCulture));
        _worker.StandardInput.Flush();
        Task<string?> answer = _worker.StandardOutput.ReadLineAsync();
        if (Await(_worker, answer, time)) return answer.Result ?? "Crashed\t";
        EndWorker();
        return "Timeout\t";
    }

    private static bool Await(Process process, Task answer, TimeSpan time)
    {
        TimeSpan start = process.TotalProcessorTime;
        TimeSpan seen = start;
        Stopwatch idle = Stopwatch.StartNew();
        while (!answer.Wait(100))
        {
            process.Refresh();
            if (process.HasExited) return answer.Wait(5000);
            TimeSpan now = process.TotalProcessorTime;
            if (now - start > time || process.WorkingSet64 > MemoryMost) return false;
            if (now - seen > s_idleTime) (seen, idle) = (now, Stopwatch.StartNew());
            else if (idle.Elapsed > s_idleMost) return false;
        }

        return true;
    }

    private static Process Start(params string[] arguments)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = arguments[0] == "cover",
        };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet")
            start.ArgumentList.Add(typeof(MutantRun).Assembly.Location);
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }

    private void EndWorker()
    {
        if (_worker is null) return;
        _worker.Kill();
        _worker.Dispose();
        _worker = null;
    }

    private void Note(int mutant, string answer)
    {
        _answers[mutant] = answer.Split('\t')[0];
        File.AppendAllText(statePath, $"{mutant}\t{answer}\n");
    }

    private void Print(List<Mutant> mutants, int left)
    {
        foreach (IGrouping<string, Mutant> file in mutants.GroupBy(mutant => mutant.File)) Print(file.Key, [.. file]);
        Print("all", mutants);
        if (left > 0) Console.WriteLine($"{left} mutants left to try");
    }

    private void Print(string name, List<Mutant> mutants)
    {
        int Count(string answer) => mutants.Count(mutant => _answers.GetValueOrDefault(mutant.Id) == answer);
        int killed = Count("Killed"), endless = Count("Timeout"), survived = Count("Survived"), missed = Count("NoCoverage");
        int tried = killed + endless + survived + missed;
        double score = 100.0 * (killed + endless) / Math.Max(1, tried);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{name}: {mutants.Count} mutants, {tried} tried: {killed} killed, {endless} never ended, {survived} survived, "
            + $"{missed} no test comes by: {score:F1} %"));
        if (name == "all") return;
        foreach (Mutant mutant in mutants.Where(one => _answers.GetValueOrDefault(one.Id) is "Survived" or "NoCoverage"))
        {
            string text = string.Join(' ', mutant.Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            if (text.Length > TextMost) text = text[..TextMost];
            Console.WriteLine($"  {mutant.Id} {mutant.File}:{mutant.Line} {_answers[mutant.Id]} {mutant.Kind}: {text}");
        }
    }

    private sealed record Mutant(int Id, string File, int Line, string Kind, string Text);
}
