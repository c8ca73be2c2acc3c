// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Pages could not be written and are still dirty: the first cause is inside.</summary>
public sealed class PageWriteException : IOException
{
    private const int NamedMax = 4;

    /// <summary>Makes the exception.</summary>
    public PageWriteException(string message, Exception? inner) : base(message, inner)
    {
    }

    /// <summary>Makes the exception.</summary>
    public PageWriteException(string message) : base(message)
    {
    }

    /// <summary>Makes the exception.</summary>
    public PageWriteException() : base("pages could not be written")
    {
    }

    internal PageWriteException(string message, IReadOnlyList<PageKey> pages, Exception? inner) : base(message, inner) =>
        Pages = pages;

    /// <summary>The pages that are still dirty; empty when only a source's own flush failed.</summary>
    public IReadOnlyList<PageKey> Pages { get; } = [];

    /// <summary>The first of some pages, in words.</summary>
    internal static string NameSome(IReadOnlyList<PageKey> pages)
    {
        string named = string.Join(", ", pages.Take(NamedMax));
        return pages.Count > NamedMax ? $"{named} and {pages.Count - NamedMax} more" : named;
    }
}

/// <summary>The pages of one or more writes that stayed dirty, and why.</summary>
internal sealed class WriteShortfall
{
    /// <summary>Pages whose write failed.</summary>
    internal List<PageKey> Failed { get; } = [];

    /// <summary>Pages that may not be written yet.</summary>
    internal List<PageKey> Blocked { get; } = [];

    /// <summary>Pages that a writer held all the time.</summary>
    internal List<PageKey> BeingChanged { get; } = [];

    /// <summary>The first failure.</summary>
    internal Exception? Cause { get; set; }

    internal bool IsNone => Failed.Count == 0 && Blocked.Count == 0 && BeingChanged.Count == 0 && Cause is null;

    internal void Add(WriteShortfall? other)
    {
        if (other is null) return;
        Failed.AddRange(other.Failed);
        Blocked.AddRange(other.Blocked);
        BeingChanged.AddRange(other.BeingChanged);
        Cause ??= other.Cause;
    }

    internal PageWriteException ToException(string name)
    {
        List<string> lines = [];
        if (Failed.Count > 0)
        {
            lines.Add(
                $"writing {Failed.Count} pages failed ({PageWriteException.NameSome(Failed)}): {Cause?.Message}; "
                + "they stay dirty, flush again when the source works");
        }
        else if (Cause is not null)
        {
            lines.Add($"flushing a source failed: {Cause.Message}");
        }

        if (Blocked.Count > 0)
        {
            lines.Add(
                $"{Blocked.Count} pages may not be written yet ({PageWriteException.NameSome(Blocked)}): MayWrite says no; "
                + "write the log, then flush again");
        }

        if (BeingChanged.Count > 0)
        {
            lines.Add(
                $"{BeingChanged.Count} pages were held by writers all the time "
                + $"({PageWriteException.NameSome(BeingChanged)}); dispose the write leases, then flush again");
        }

        return new PageWriteException($"{name}: {string.Join("; ", lines)}", [.. Failed, .. Blocked, .. BeingChanged], Cause);
    }
}
