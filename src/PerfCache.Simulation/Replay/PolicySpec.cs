// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Simulation.Replay;

/// <summary>A policy with its parameters as the user wrote them: <c>name</c> or <c>name:key=value,key=value</c>.</summary>
public sealed class PolicySpec
{
    private readonly Dictionary<string, string> _parameters;

    private PolicySpec(string text, string name, Dictionary<string, string> parameters)
    {
        Text = text;
        Name = name;
        _parameters = parameters;
    }

    /// <summary>The text as written.</summary>
    public string Text { get; }

    /// <summary>The policy's name in lower case.</summary>
    public string Name { get; }

    /// <summary>The parameters' names, in lower case.</summary>
    public IReadOnlyCollection<string> ParameterNames => _parameters.Keys;

    /// <summary>Parses <c>name</c> or <c>name:key=value,key=value</c>.</summary>
    /// <exception cref="FormatException">The text is not of that form.</exception>
    public static PolicySpec Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string name = (colon < 0 ? text : text[..colon]).Trim().ToLowerInvariant();
        if (name.Length == 0) throw new FormatException($"policy '{text}': the name before ':' is missing");
        Dictionary<string, string> parameters = new(StringComparer.Ordinal);
        if (colon >= 0)
        {
            foreach (string pair in text[(colon + 1)..].Split(','))
            {
                int equals = pair.IndexOf('=', StringComparison.Ordinal);
                if (equals <= 0) throw new FormatException($"policy '{text}': '{pair}' is not key=value");
                if (!parameters.TryAdd(pair[..equals].Trim().ToLowerInvariant(), pair[(equals + 1)..].Trim()))
                    throw new FormatException($"policy '{text}': '{pair[..equals]}' is given twice");
            }
        }

        return new PolicySpec(text, name, parameters);
    }

    /// <summary>
    /// Parses a comma-separated list of policies. A piece that holds <c>=</c> but no <c>:</c> continues the parameters
    /// of the policy before it, so <c>lru,s3fifo:small=0.1,ghost=0.9,fifo</c> is three policies.
    /// </summary>
    /// <exception cref="FormatException">A policy is not of the form name:key=value.</exception>
    public static IReadOnlyList<PolicySpec> ParseList(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<string> policies = [];
        foreach (string piece in text.Split(','))
        {
            bool continues = piece.Contains('=', StringComparison.Ordinal)
                && !piece.Contains(':', StringComparison.Ordinal) && policies.Count > 0;
            if (continues) policies[^1] += "," + piece;
            else policies.Add(piece);
        }

        return policies.ConvertAll(Parse);
    }

    /// <summary>The integer parameter <paramref name="key"/>, or its default.</summary>
    /// <exception cref="FormatException">The value is not an integer in the range.</exception>
    public int GetInt32(string key, int defaultValue, int min, int max)
    {
        if (!_parameters.TryGetValue(key, out string? value)) return defaultValue;
        if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            || number < min || number > max)
        {
            throw new FormatException($"policy '{Text}': {key} must be an integer from {min} to {max}, not '{value}'");
        }

        return number;
    }

    /// <summary>The parameter <paramref name="key"/> as a number with or without decimals, or its default.</summary>
    /// <exception cref="FormatException">The value is not a number in the range.</exception>
    public double GetDouble(string key, double defaultValue, double min, double max)
    {
        const NumberStyles Style = NumberStyles.AllowDecimalPoint;
        if (!_parameters.TryGetValue(key, out string? value)) return defaultValue;
        if (!double.TryParse(value, Style, CultureInfo.InvariantCulture, out double number) || !(number >= min && number <= max))
        {
            throw new FormatException(string.Create(CultureInfo.InvariantCulture,
                $"policy '{Text}': {key} must be a number from {min} to {max}, not '{value}'"));
        }

        return number;
    }

    /// <summary>The parameter <paramref name="key"/> as <c>true</c> or <c>false</c>, or its default.</summary>
    /// <exception cref="FormatException">The value is neither.</exception>
    public bool GetBoolean(string key, bool defaultValue)
    {
        if (!_parameters.TryGetValue(key, out string? value)) return defaultValue;
        return bool.TryParse(value, out bool answer)
            ? answer : throw new FormatException($"policy '{Text}': {key} must be true or false, not '{value}'");
    }
}
