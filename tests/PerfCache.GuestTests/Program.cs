// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;

namespace PerfCache.GuestTests;

/// <summary>Runs the checks for a machine and prints a line for each.</summary>
/// <remarks>
/// <c>PerfCache.GuestTests two|four [NAME]</c>. The lines are read by a test: <c>check NAME ok</c>, <c>check NAME
/// skipped WHY</c>, <c>check NAME FAILED WHY</c>, and at the end <c>checks done</c>. The exit code is 1 when one
/// failed.
/// </remarks>
internal static class Program
{
    private static int Main(string[] args)
    {
        GuestKind kind = args.FirstOrDefault() switch
        {
            "two" => GuestKind.Two,
            "four" => GuestKind.Four,
            _ => GuestKind.None,
        };
        if (kind == GuestKind.None)
        {
            Console.Error.WriteLine("usage: PerfCache.GuestTests two|four [NAME]");
            return 2;
        }

        long start = Stopwatch.GetTimestamp();
        Say("program started");
        bool failed = false;
        foreach (GuestCheck check in GuestCheck.All)
        {
            if ((check.Guests & kind) == 0 || (args.Length > 1 && args[1] != check.Name)) continue;
            string outcome = Outcome(check, kind);
            failed |= outcome.StartsWith("FAILED", StringComparison.Ordinal);
            Say($"check {check.Name} {outcome}");
        }

        Say("checks done after "
            + Stopwatch.GetElapsedTime(start).TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture) + " s");
        return failed ? 1 : 0;
    }

    private static string Outcome(GuestCheck check, GuestKind kind)
    {
        try
        {
            check.Run(kind);
            return "ok";
        }
        catch (SkippedException skipped)
        {
            return "skipped " + OneLine(skipped.Message);
        }
        catch (CheckException failure)
        {
            return "FAILED " + OneLine(failure.Message);
        }
#pragma warning disable CA1031 // Whatever a check throws is its failure, and the others still run.
        catch (Exception failure)
        {
            return "FAILED " + OneLine(failure.ToString());
        }
#pragma warning restore CA1031
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" | ");

    private static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }
}
