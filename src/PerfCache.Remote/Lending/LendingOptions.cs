// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Lending;

/// <summary>How memory is lent and taken back.</summary>
public sealed record LendingOptions
{
    /// <summary>When lending stops and goes on.</summary>
    public LendingGovernorOptions Governor { get; init; } = new();

    /// <summary>False to lend whatever the owner does; the system still takes single pages.</summary>
    public bool WatchesPressure { get; init; } = true;

    /// <summary>
    /// True to mark stored pages so that the system may take them without asking. False keeps them as ordinary memory.
    /// </summary>
    public bool MarksPages { get; init; } = true;

    /// <summary>True to give pages back while lending is suspended, instead of only taking no new ones.</summary>
    public bool GivesBack { get; init; } = true;

    /// <summary>A file that gets samples and decisions; null for none.</summary>
    public string? LogPath { get; init; }

    /// <summary>The folder that has proc and sys.</summary>
    public string SystemRoot { get; init; } = "/";
}
