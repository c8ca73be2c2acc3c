// SPDX-License-Identifier: MIT
using Microsoft.Extensions.Options;

namespace PerfCache.Extensions;

/// <summary>Says what is wrong with <see cref="PerfCacheOptions"/>: what, where, and what would do.</summary>
internal sealed class PerfCacheOptionsValidator : IValidateOptions<PerfCacheOptions>
{
    private static readonly TimeSpan s_sweepIntervalMin = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_snapshotIntervalMin = TimeSpan.FromSeconds(1);

    // What a timer takes.
    private static readonly TimeSpan s_intervalMax = TimeSpan.FromDays(45);

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, PerfCacheOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        string where = string.IsNullOrEmpty(name) ? "AddPerfCache" : $"AddKeyedPerfCache(\"{name}\")";
        List<string> failures = [.. Complaints(options).Select(complaint => $"{where}: {complaint}")];
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    /// <summary>Throws what <see cref="Validate"/> finds; for caches that are made without a container.</summary>
    internal static void ThrowIfInvalid(PerfCacheOptions options)
    {
        string[] complaints = [.. Complaints(options)];
        if (complaints.Length > 0) throw new ArgumentException(string.Join("; ", complaints), nameof(options));
    }

    private static IEnumerable<string> Complaints(PerfCacheOptions options)
    {
        if (string.IsNullOrWhiteSpace(options.Name))
            yield return "Name is empty; metrics tell caches apart by it, so give one";
        if (StoreComplaint(options) is { } complaint) yield return complaint;
        if (!IsInterval(options.SweepInterval, s_sweepIntervalMin) && options.SweepInterval != Timeout.InfiniteTimeSpan)
        {
            yield return $"SweepInterval is {options.SweepInterval}; make it 10 ms to 45 days, or "
                + "Timeout.InfiniteTimeSpan for never";
        }

        if (options.SnapshotInterval is { } interval)
        {
            if (options.SnapshotPath is null)
                yield return "SnapshotInterval is set and SnapshotPath is not; say where the snapshot goes";
            if (!IsInterval(interval, s_snapshotIntervalMin))
                yield return $"SnapshotInterval is {interval}; make it 1 s to 45 days, or null for only at the end";
        }

        if (options.SnapshotPath is { } path && PathComplaint(path) is { } pathComplaint) yield return pathComplaint;
    }

    private static string? StoreComplaint(PerfCacheOptions options)
    {
        try
        {
            options.ToStoreOptions().Validate();
            return null;
        }
        catch (ArgumentException error)
        {
            return error.Message;
        }
    }

    private static string? PathComplaint(string path)
    {
        if (path.Length == 0 || path.Contains('\0')) return "SnapshotPath is no file name; name a file, or set null";
        if (Directory.Exists(path)) return $"SnapshotPath is {path}, a folder; name a file in it";
        string folder = Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/";
        return Directory.Exists(folder) ? null : $"SnapshotPath is {path}; the folder {folder} does not exist: make it";
    }

    private static bool IsInterval(TimeSpan interval, TimeSpan least) => interval >= least && interval <= s_intervalMax;
}
