// SPDX-License-Identifier: MIT
using PerfCache.Benchmarks.Hits;
using PerfCache.Memory;

namespace PerfCache.Benchmarks.Numa;

/// <summary><c>numa</c>: node pools and exchange migration against what they stand on, interleaved in one process, by
/// processor time.</summary>
internal static class NumaCommand
{
    internal const string Usage = "numa [--rows NAME,...] [--json] | numa --list";

    /// <summary>Runs the command.</summary>
    /// <returns>0; 1 when a row failed in what must not depend on the machine; 2 for wrong arguments.</returns>
    internal static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        bool json = false;
        Row[] rows = [.. NodeRows.All, .. ExchangeRows.All];
        for (int i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
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
                default:
                    return Complain(errors, $"'{args[i]}' is not understood; usage: {Usage}");
            }
        }

        int nodes = NumaTopology.Read().AllowedMemoryNodes.Count;
        (json ? errors : output).WriteLine(
            $"this machine has {Math.Max(1, nodes)} node(s) with memory; the nodes of these rows are emulated: all memory is "
            + "equally near");
        if (!json) output.WriteLine("row                 ratio (min to max) target             ns       rival  cores");
        bool failed = false;
        foreach (Row row in rows)
        {
            RowResult result = row.Measure(HitScale.Quick);
            output.WriteLine(json ? result.ToJson(row) : result.ToText(row));
            failed |= result.Failure is not null;
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return failed ? 1 : 0;
    }

    private static int Complain(TextWriter errors, string complaint)
    {
        errors.WriteLine($"numa: {complaint}");
        return 2;
    }
}
