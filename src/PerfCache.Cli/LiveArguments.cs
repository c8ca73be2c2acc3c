// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Simulation.Replay;

namespace PerfCache.Cli;

/// <summary>
/// The options of <c>perfcache replay</c> that belong to <c>--live</c>, and their checks; without it each of them is
/// wrong usage.
/// </summary>
internal sealed class LiveArguments
{
    /// <summary>The policies where none is given.</summary>
    public const string DefaultPolicies = "linux-6,linux-3.15,fifo";

    private readonly Option<bool> _live;

    private readonly Option<string> _threads = Text("--threads", "N",
        "With --live: threads that ask for pages; default: 1");

    private readonly Option<string> _reclaim = Text("--reclaim", "direct|background",
        "With --live: who frees frames, each miss for itself or a thread of the cache as well; default: background");

    private readonly Option<string> _backing = Text("--backing", "FILE",
        "With --live: a file whose pages are read, page p of the trace from page p modulo those of the file; without it "
        + "pages are computed");

    private readonly Option<bool> _direct = new("--direct")
    {
        Description = "With --backing: read the file past the kernel's page cache (O_DIRECT), or fail",
    };

    private readonly Option<string> _latency = Text("--load-latency-us", "N",
        "With --live: microseconds that loading a computed page takes besides; default: 0");

    private readonly Option<string> _touch = Text("--touch", "none|line|all",
        "With --live: what is read of each page: nothing, one word, or all of it; default: line");

    private readonly Option<bool> _verify = new("--verify")
    {
        Description = "With --live: check every byte of every page that is handed out; computed pages only",
    };

    private static readonly Dictionary<string, PageTouch> s_touches = new()
    {
        ["none"] = PageTouch.None,
        ["line"] = PageTouch.Line,
        ["all"] = PageTouch.All,
    };

    /// <summary>The options, in the order in which help lists them.</summary>
    public IReadOnlyList<Option> Options =>
        [_live, _threads, _reclaim, _backing, _direct, _latency, _touch, _verify];

    /// <summary>Makes the options.</summary>
    public LiveArguments(PolicyCatalog policies) => _live = new("--live")
    {
        Description = "Replay against the cache with page data, and measure speed and latencies: one policy and size after "
            + $"another; policies: {string.Join(' ', policies.LiveNames)}; default: {DefaultPolicies}",
    };

    /// <summary>True when the command line asks for a live replay.</summary>
    public bool IsAskedFor(ParseResult result) => result.GetValue(_live);

    /// <summary>What the command line asks for; null for a replay without page data.</summary>
    /// <param name="result">The command line.</param>
    /// <param name="pageBytes">The value of --page-bytes.</param>
    /// <param name="useless">Options that mean nothing to a live replay, and what to use instead.</param>
    /// <exception cref="UsageException">A value is wrong, or options contradict one another.</exception>
    public LiveOptions? OptionsOf(
        ParseResult result, int pageBytes, IReadOnlyList<(Option Option, string Instead)> useless)
    {
        if (!IsAskedFor(result))
        {
            Option? stray = Options.FirstOrDefault(option => result.GetResult(option) is { Implicit: false });
            if (stray is not null) throw new UsageException($"{stray.Name} needs --live");
            return null;
        }

        foreach ((Option option, string instead) in useless)
        {
            if (result.GetResult(option) is { Implicit: false })
                throw new UsageException($"{option.Name} does not go with --live; {instead}");
        }

        if (!PageMemory.IsPageSize(pageBytes))
        {
            throw new UsageException(
                $"--page-bytes: with --live a page is a power of two from 4096 to 65536, not {pageBytes}");
        }

        LiveOptions live = new()
        {
            PageBytes = pageBytes,
            Threads = Number(result, _threads, 1, min: 1, max: 1024),
            BackgroundReclaim = Choice(result, _reclaim, "background", ["direct", "background"]) == "background",
            BackingPath = result.GetValue(_backing),
            DirectIo = result.GetValue(_direct),
            LoadLatency = TimeSpan.FromMicroseconds(Number(result, _latency, 0, min: 0, max: 60_000_000)),
            Touch = s_touches[Choice(result, _touch, "line", [.. s_touches.Keys])],
            Verify = result.GetValue(_verify),
        };
        CheckBacking(result, live);
        return live;
    }

    private void CheckBacking(ParseResult result, LiveOptions live)
    {
        if (live.BackingPath is null)
        {
            if (live.DirectIo) throw new UsageException("--direct needs --backing: computed pages are in no file");
            return;
        }

        if (live.Verify) throw new UsageException("--verify does not go with --backing: only computed pages are known");
        if (result.GetResult(_latency) is not null)
            throw new UsageException("--load-latency-us does not go with --backing: a file takes what it takes");
        try
        {
            // Opened before hours of work, as output files are.
            using FilePageSource file = LiveReplay.Open(live);
        }
        catch (Exception e) when (e is IOException or ArgumentException)
        {
            throw new UsageException($"--backing: {e.Message}");
        }
    }

    private static int Number(ParseResult result, Option<string> option, int otherwise, int min, int max)
    {
        if (result.GetValue(option) is not string text) return otherwise;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            && number >= min && number <= max)
        {
            return number;
        }

        throw new UsageException($"{option.Name}: '{text}' is not a whole number from {min} to {max}");
    }

    private static string Choice(ParseResult result, Option<string> option, string otherwise, string[] choices)
    {
        string choice = result.GetValue(option) ?? otherwise;
        if (choices.Contains(choice)) return choice;
        throw new UsageException($"{option.Name}: '{choice}' is not one of {string.Join(' ', choices)}");
    }

    private static Option<string> Text(string name, string valueName, string description) =>
        new(name) { HelpName = valueName, Description = description };
}
