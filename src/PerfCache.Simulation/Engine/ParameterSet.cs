// SPDX-License-Identifier: MIT
using System.Collections;
using System.Globalization;

namespace PerfCache.Simulation.Engine;

/// <summary>
/// All numbers that a model depends on, in the order in which reports list them. It never changes: with another
/// value it is another set.
/// </summary>
public sealed class ParameterSet : IReadOnlyList<Parameter>
{
    private static readonly double[] s_factors = [0.5, 2];

    private readonly Parameter[] _parameters;
    private readonly Dictionary<string, int> _indexes = [];

    /// <summary>Makes a set and checks each value against its range.</summary>
    /// <exception cref="ParameterException">A value is out of its range.</exception>
    /// <exception cref="ArgumentException">A name is there twice.</exception>
    public ParameterSet(IEnumerable<Parameter> parameters)
    {
        _parameters = [.. parameters];
        for (int i = 0; i < _parameters.Length; i++)
        {
            _indexes.Add(_parameters[i].Name, i);
            Check(_parameters[i], _parameters[i].Value);
        }
    }

    /// <inheritdoc/>
    public int Count => _parameters.Length;

    /// <inheritdoc/>
    public Parameter this[int index] => _parameters[index];

    /// <summary>The parameter with a name.</summary>
    /// <exception cref="ParameterException">There is none.</exception>
    public Parameter this[string name] => _indexes.TryGetValue(name, out int index)
        ? _parameters[index]
        : throw new ParameterException(
            $"there is no parameter '{name}'; there are {string.Join(", ", _parameters.Select(one => one.Name))}");

    /// <summary>The value of a parameter.</summary>
    public double Value(string name) => this[name].Value;

    /// <summary>The value of a parameter that is a whole number.</summary>
    public long Whole(string name) => checked((long)this[name].Value);

    /// <summary>The set with one other value.</summary>
    /// <exception cref="ParameterException">There is no such parameter, or the value is out of its range.</exception>
    public ParameterSet With(string name, double value)
    {
        Parameter changed = this[name];
        Check(changed, value);
        return Replace(changed with { Value = value, IsOverridden = true });
    }

    /// <summary>The set with values as a user writes them.</summary>
    /// <param name="assignments">Each is <c>name=value</c>.</param>
    /// <exception cref="ParameterException">One is not of that form, names no parameter, is there twice, or has a
    /// value out of range; the message says which.</exception>
    public ParameterSet WithAssignments(IEnumerable<string> assignments)
    {
        ArgumentNullException.ThrowIfNull(assignments);
        ParameterSet result = this;
        HashSet<string> seen = [];
        foreach (string assignment in assignments)
        {
            string[] pair = assignment.Split('=', 2, StringSplitOptions.TrimEntries);
            if (pair.Length != 2 || pair[0].Length == 0)
                throw new ParameterException($"'{assignment}' is not NAME=VALUE");
            Parameter named = this[pair[0]];
            if (!seen.Add(pair[0])) throw new ParameterException($"parameter '{pair[0]}' is given twice");
            if (!double.TryParse(pair[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
                throw new ParameterException($"'{assignment}': '{pair[1]}' is not a number; {RangeText(named)}");
            result = result.With(pair[0], value);
        }

        return result;
    }

    /// <summary>
    /// The sets in which one parameter is halved or doubled, for a study of sensitivity; what leaves the range
    /// ends at its edge, and what thereby stays as it is, is left out. Parameters with a published source are varied
    /// as well: the source is of another machine.
    /// </summary>
    public IEnumerable<ParameterVariant> Variants()
    {
        foreach (Parameter one in _parameters)
        {
            if (!one.IsVaried) continue;
            foreach (double factor in s_factors)
            {
                double value = Math.Clamp(one.Value * factor, one.Min, one.Max);
                if (one.IsWhole) value = Math.Round(value);
                if (value != one.Value)
                    yield return new ParameterVariant(one, value, Replace(one with { Value = value }));
            }
        }
    }

    /// <inheritdoc/>
    public IEnumerator<Parameter> GetEnumerator() => ((IEnumerable<Parameter>)_parameters).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _parameters.GetEnumerator();

    private ParameterSet Replace(Parameter changed) =>
        new(_parameters.Select(one => one.Name == changed.Name ? changed : one));

    private static void Check(Parameter parameter, double value)
    {
        if (!(value >= parameter.Min && value <= parameter.Max))
            throw new ParameterException($"{parameter.Name}={Text(value)} is out of range; {RangeText(parameter)}");
        if (parameter.IsWhole && value != Math.Floor(value))
            throw new ParameterException($"{parameter.Name}={Text(value)} is not a whole number; {RangeText(parameter)}");
    }

    private static string RangeText(Parameter parameter) =>
        $"it is from {Text(parameter.Min)} to {Text(parameter.Max)} {(parameter.Unit == "1" ? "" : parameter.Unit)}".TrimEnd();

    private static string Text(double value) => value.ToString("0.#########", CultureInfo.InvariantCulture);
}

/// <summary>A set with one parameter halved or doubled.</summary>
/// <param name="Parameter">The parameter, with the value that it had.</param>
/// <param name="Value">Its value in <paramref name="Set"/>.</param>
/// <param name="Set">The set.</param>
public sealed record ParameterVariant(Parameter Parameter, double Value, ParameterSet Set);
