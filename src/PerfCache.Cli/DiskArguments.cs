// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using PerfCache.Simulation.Replay;

namespace PerfCache.Cli;

/// <summary>The options of <c>perfcache replay</c> that say what becomes of writes and what is read ahead.</summary>
internal sealed class DiskArguments
{
    /// <summary>The kernel's default: 128 KiB.</summary>
    public const int DefaultReadaheadPages = 32;

    private readonly Option<bool> _readsOnly = new("--reads-only")
    {
        Description = "Leave out the requests that write, where the trace tells; otherwise written pages become dirty",
    };

    private readonly Option<bool> _readahead = new("--readahead")
    {
        Description = "Model the kernel's readahead, and count the pages read from disk",
    };

    private readonly Option<string> _readaheadPages = new("--readahead-pages")
    {
        HelpName = "N",
        Description = "The largest window of --readahead (a device's read_ahead_kb / 4); default: "
            + $"{DefaultReadaheadPages}, the kernel's 128 KiB",
    };

    /// <summary>The options, in the order in which help lists them.</summary>
    public IReadOnlyList<Option> Options => [_readsOnly, _readahead, _readaheadPages];

    /// <summary>The options of a replay with what the command line asks for.</summary>
    /// <exception cref="UsageException">A value is wrong, or options contradict one another.</exception>
    public ReplayOptions Apply(ParseResult result, ReplayOptions options, bool isLive, bool wantsResident)
    {
        bool readsOnly = result.GetValue(_readsOnly);
        string? pages = result.GetValue(_readaheadPages);
        bool readsAhead = result.GetValue(_readahead) || pages is not null;
        if (isLive && (readsOnly || readsAhead))
            throw new UsageException($"{(readsOnly ? _readsOnly : _readahead).Name} does not go with --live");
        if (!readsAhead) return options with { ReadsOnly = readsOnly };
        if (wantsResident)
            throw new UsageException("--resident does not go with --readahead: pages that are read ahead have no number");
        return options with { ReadsOnly = readsOnly, ReadaheadPages = Pages(pages) };
    }

    private static int Pages(string? text)
    {
        const int Max = 1 << 20;
        if (text is null) return DefaultReadaheadPages;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int pages) && pages is >= 1 and <= Max)
            return pages;
        throw new UsageException($"--readahead-pages: '{text}' is not a whole number from 1 to {Max}");
    }
}
