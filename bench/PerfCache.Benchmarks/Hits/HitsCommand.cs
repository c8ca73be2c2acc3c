// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Cli.Bench;

namespace PerfCache.Benchmarks.Hits;

/// <summary>
/// <c>hits</c>: hits, insertions and mixes of the page cache against what one would use instead, interleaved in one
/// process, by processor time.
/// </summary>
internal static class HitsCommand
{
    internal const string Usage =
        "hits [--quick] [--rows NAME,...] [--json] | hits --threads N,... [--quick] | hits --list";

    /// <summary>Runs the command.</summary>
    /// <returns>0; 1 when a row failed in what must not depend on the machine; 2 for wrong arguments.</returns>
    internal static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        HitScale scale = HitScale.Full;
        bool json = false;
        int[]? threads = null;
        Row[] rows = [.. HitRows.All, .. LockRows.All, .. InsertRows.All, MixRow.Row];
        for (int i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--quick":
                    scale = HitScale.Quick;
                    break;
                case "--json":
                    json = true;
                    break;
                case "--list":
                    foreach (Row row in rows) output.WriteLine($"{row.Name,-18} {row.Text}");
                    return 0;
                case "--rows" when i + 1 < args.Length:
                    string[] names = args[++i].Split(',');
                    string? unknown = names.FirstOrDefault(name => rows.All(row => row.Name != name));
                    if (unknown is not null) return Complain(errors, $"'{unknown}' is not a row; --list names them");
                    rows = [.. rows.Where(row => names.Contains(row.Name))];
                    break;
                case "--threads" when i + 1 < args.Length:
                    if (!TryParseNumbers(args[++i], out threads))
                        return Complain(errors, $"--threads wants numbers from 1 to 256, not '{args[i]}'");
                    break;
                default:
                    return Complain(errors, $"'{args[i]}' is not understood; usage: {Usage}");
            }
        }

        if (threads is not null)
        {
            ThreadCurve.Run(threads, scale, output);
            return 0;
        }

        return Measure(rows, scale, json, output, errors);
    }

    private static int Measure(Row[] rows, HitScale scale, bool json, TextWriter output, TextWriter errors)
    {
        // Notes go where they do not disturb lines of JSON.
        TextWriter notes = json ? errors : output;
        if (!json)
        {
            output.WriteLine("row                 ratio (min to max) target             ns       rival  cores");
        }

        PrintPingPong(notes, "before");
        bool failed = false;
        foreach (Row row in rows)
        {
            RowResult result = row.Measure(scale);
            output.WriteLine(json ? result.ToJson(row) : result.ToText(row));
            failed |= result.Failure is not null;
            // The next row begins with the memory of the last one given back.
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        PrintPingPong(notes, "after");
        return failed ? 1 : 0;
    }

    private static void PrintPingPong(TextWriter notes, string when)
    {
        if (Environment.ProcessorCount < 2) return;
        Spread nanos = PingPong.Measure();
        notes.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"a cache line from core to core, {when}: {nanos.Median:F0} ns ({nanos.Min:F0} to {nanos.Max:F0})"));
    }

    private static bool TryParseNumbers(string text, out int[] numbers)
    {
        numbers = new int[text.Split(',').Length];
        int i = 0;
        foreach (string part in text.Split(','))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int number)) return false;
            if (number is < 1 or > 256) return false;
            numbers[i++] = number;
        }

        return true;
    }

    private static int Complain(TextWriter errors, string complaint)
    {
        errors.WriteLine($"hits: {complaint}");
        return 2;
    }
}
