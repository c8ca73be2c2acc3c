// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Workloads;

/// <summary>
/// The <c>name=value</c> pairs behind a generator's name. Every mistake is one line that ends with the valid
/// parameters and their defaults, so that nobody has to look them up.
/// </summary>
internal sealed class WorkloadParameters
{
    private readonly WorkloadInfo _info;
    private readonly string _text;
    private readonly Dictionary<string, string> _values = [];

    internal WorkloadParameters(WorkloadInfo info, string text, string pairs)
    {
        _info = info;
        _text = text;
        Dictionary<string, string> defaults = ParsePairs(info.Parameters);
        if (pairs.Trim().Length > 0)
            _values = ParsePairs(pairs);
        foreach (string name in _values.Keys)
            if (!defaults.ContainsKey(name))
                throw Error($"there is no parameter '{name}'");
        foreach ((string name, string value) in defaults)
            _ = _values.TryAdd(name, value);
    }

    /// <summary>A whole number from <paramref name="min"/> to <paramref name="max"/>.</summary>
    internal long Whole(string name, long min, long max) =>
        long.TryParse(
            _values[name], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) &&
        value >= min && value <= max
            ? value
            : throw Error($"{name}={_values[name]} is not a whole number from {min} to {max}");

    /// <summary>A real number from <paramref name="min"/> to <paramref name="max"/>.</summary>
    internal double Real(string name, double min, double max) =>
        double.TryParse(_values[name], NumberStyles.Float, CultureInfo.InvariantCulture, out double value) &&
        value >= min && value <= max
            ? value
            : throw Error(string.Create(CultureInfo.InvariantCulture,
                $"{name}={_values[name]} is not a number from {min} to {max}"));

    /// <summary>True or false.</summary>
    internal bool Flag(string name) =>
        bool.TryParse(_values[name], out bool value)
            ? value
            : throw Error($"{name}={_values[name]} is neither true nor false");

    /// <summary>The seed, any 64-bit number.</summary>
    internal ulong Seed() =>
        ulong.TryParse(_values["seed"], NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed)
            ? seed
            : throw Error($"seed={_values["seed"]} is not a number from 0 to {ulong.MaxValue}");

    /// <summary>Whether the user left the parameter to its default (which may be the value of
    /// another).</summary>
    internal bool IsWord(string name, string word) => _values[name] == word;

    internal TraceFormatException Error(string what) => new(TraceInput.OneLine(
        $"{_text}: {what}; the parameters and defaults are {_info.Name}:{_info.Parameters}"));

    private Dictionary<string, string> ParsePairs(string pairs)
    {
        var values = new Dictionary<string, string>();
        foreach (string part in pairs.Split(','))
        {
            string[] pair = part.Split('=', 2, StringSplitOptions.TrimEntries);
            if (pair.Length != 2 || pair[0].Length == 0 || pair[1].Length == 0)
                throw Error($"'{part}' is not NAME=VALUE");
            if (!values.TryAdd(pair[0], pair[1]))
                throw Error($"'{pair[0]}' is there twice");
        }
        return values;
    }
}
