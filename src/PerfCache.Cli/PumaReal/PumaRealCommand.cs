// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using PerfCache.Simulation.Reports;

namespace PerfCache.Cli.PumaReal;

/// <summary><c>perfcache puma-real</c>: the slides' four problems between real processes, beside the simulated ones.</summary>
internal sealed class PumaRealCommand : CliCommand
{
    private const int LenderMebibytesMax = 1 << 16;

    private readonly CliContext _context;

    private readonly Argument<string> _scenario = new("SCENARIO")
    {
        Description = string.Join(" | ", RealScenarios.Names) + " | all",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string> _mebibytes = OptionText.Text(
        "--mib", "N", "The lender's memory, programs included; default: 256, or 128 with --quick");

    private readonly Option<string> _seconds = OptionText.Text(
        "--seconds", "N", "How long programs read; default: 12, or 2 with --quick");

    private readonly Option<string> _folder = OptionText.Text(
        "--folder", "DIR", "Where files are made and read; a disk; default: the system's folder for temporary files");

    private readonly Option<bool> _quick = new("--quick") { Description = "Smaller and shorter, each block measured once" };

    private readonly Option<bool> _realOnly = new("--real-only") { Description = "Leave the simulated runs out" };

    private readonly Option<bool> _json = new("--json") { Description = "Print one JSON object a line" };

    private readonly Option<string[]> _role = new("--role")
    {
        Description = "What a process that this command starts is to do",
        AllowMultipleArgumentsPerToken = true,
        Hidden = true,
    };

    /// <summary>Makes the command.</summary>
    public PumaRealCommand(CliContext context)
        : base("puma-real", "The four problems of memory on loan for real: processes in memory control groups")
    {
        _context = context;
        _scenario.Offers([.. RealScenarios.Names, "all"]);
        Add(_scenario);
        foreach (Option option in (Option[])[_mebibytes, _seconds, _folder, _quick, _realOnly, _json, _role]) Add(option);
        SetAction(RunAsync);
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache puma-real                        all four, minutes
        perfcache puma-real malloc --quick         what an allocation costs whose memory is lent
        perfcache puma-real concurrent --json --real-only
        """;

    /// <inheritdoc/>
    public override string Notes => """
        Needs Linux, a memory control group below which others can be made, and a folder on a disk; says so and ends well
        where there is none. The simulated runs beside (perfcache puma) have the same sizes and the assumed costs.
        Exit code: 0 success; 1 a process failed, was killed for memory, or read a wrong page; 2 wrong usage.
        """;

    private async Task<int> RunAsync(ParseResult result, CancellationToken cancellation)
    {
        if (result.GetValue(_role) is { Length: > 0 } role) return new RealRole(Console.In, _context.Out).Play(role);
        string scenario = result.GetValue(_scenario) ?? "all";
        if (scenario != "all" && !RealScenarios.Names.Contains(scenario))
            throw new UsageException($"there is no scenario '{scenario}'; there are {string.Join(", ", RealScenarios.Names)}, all");
        RealPlan plan = PlanOf(result);
        if (WhyNot(plan) is { } why)
        {
            _context.Error.WriteLine($"puma-real: skipped: {why}");
            return ExitCode.Success;
        }

        RealScenarios scenarios = new(plan, Note, cancellation);
        bool isJson = result.GetValue(_json);
        if (!isJson) _context.Out.WriteLine(Header(plan));
        try
        {
            foreach (string name in scenario == "all" ? RealScenarios.Names : [scenario])
            {
                List<RealFigure> figures = await scenarios.RunAsync(name).ConfigureAwait(false);
                if (!result.GetValue(_realOnly))
                {
                    Note($"{name}, simulated");
                    figures = await Task.Run(() => SimulatedTwin.Compare(plan, name, figures, cancellation), cancellation)
                        .ConfigureAwait(false);
                }

                foreach (RealFigure figure in figures) _context.Out.WriteLine(isJson ? JsonOf(figure) : Row(figure));
            }
        }
        catch (OperationCanceledException)
        {
            return Fail("stopped; what is finished is printed");
        }

        if (scenarios.Kills > 0) return Fail($"{scenarios.Kills} processes were killed for memory");
        return scenarios.WrongPages > 0 ? Fail($"{scenarios.WrongPages} pages were wrong") : ExitCode.Success;
    }

    private int Fail(string what) => CommandLine.Fail(_context, $"puma-real: {what}", ExitCode.Failure);

    private void Note(string what)
    {
        if (_context.ErrorIsTerminal) _context.Error.WriteLine($"puma-real: {what}");
    }

    private RealPlan PlanOf(ParseResult result)
    {
        bool quick = result.GetValue(_quick);
        string folder = result.GetValue(_folder) ?? Path.GetTempPath();
        if (!Directory.Exists(folder)) throw new UsageException($"--folder: '{folder}' is not there");
        int Number(Option<string> option, int otherwise, int min, int max) => result.GetValue(option) is { } text
            ? (int)OptionText.WholeNumber(option.Name, text, min, max) : otherwise;
        return new RealPlan(
            Number(_mebibytes, quick ? RealPlan.LenderMebibytesMin : 256, RealPlan.LenderMebibytesMin, LenderMebibytesMax),
            Number(_seconds, quick ? 2 : 12, 1, 3600), quick ? 1 : 3, folder);
    }

    private static string? WhyNot(RealPlan plan)
    {
        if (!OperatingSystem.IsLinux()) return "control groups are of Linux";
        string format = new DriveInfo(plan.Folder).DriveFormat;
        if (format is "tmpfs" or "ramfs") return $"{plan.Folder} is memory ({format}), not a disk; give another --folder";
        using ControlGroup? probe = ControlGroup.TryMake((long)plan.LenderMebibytes << 20, out string why);
        return probe is null ? why : null;
    }

    private static string Header(RealPlan plan) => string.Create(
        CultureInfo.InvariantCulture,
        $"lender's group {plan.LenderMebibytes} MiB, of which {plan.RoomMebibytes} for its owner and {plan.ArenaMebibytes} on loan; "
        + $"borrower's cache {plan.CacheMebibytes} MiB over {plan.BorrowerFileMebibytes} MiB; {plan.Seconds} s\n"
        + $"| scenario | run | figure | real | simulated |\n| --- | --- | --- | ---: | ---: |");

    private static string Row(RealFigure figure) => string.Create(
        CultureInfo.InvariantCulture,
        $"| {figure.Scenario} | {figure.Run} | {figure.Figure} | {figure.Real:0.###} | {figure.Simulated:0.###} |");

    private static string JsonOf(RealFigure figure)
    {
        return JsonLine.Of(json =>
        {
            json.WriteString("scenario", figure.Scenario);
            json.WriteString("run", figure.Run);
            json.WriteString("figure", figure.Figure);
            json.WriteNumber("real", figure.Real);
            if (figure.Simulated is { } simulated) json.WriteNumber("simulated", simulated);
        });
    }
}
