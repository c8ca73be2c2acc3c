// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.MutationTests;

/// <summary>Which tests come by a mutant, and how long each test takes.</summary>
internal sealed class Coverage
{
    internal Dictionary<int, HashSet<string>> Tests { get; } = [];

    /// <summary>Mutants that a static initialiser comes by: they must be on when the process starts.</summary>
    internal HashSet<int> Static { get; } = [];

    internal Dictionary<string, double> Seconds { get; } = [];

    internal double SecondsOf(int mutant) => Tests.TryGetValue(mutant, out HashSet<string>? tests)
        ? tests.Sum(test => Seconds[test]) : Seconds.Values.Sum();

    internal void Save(string path)
    {
        using StreamWriter writer = new(path);
        string[] names = [.. Seconds.Keys];
        foreach (string name in names) writer.WriteLine(FormattableString.Invariant($"t\t{name}\t{Seconds[name]}"));
        Dictionary<string, int> numbers = names.Index().ToDictionary(name => name.Item, name => name.Index);
        foreach ((int mutant, HashSet<string> tests) in Tests)
        {
            string list = string.Join(',', tests.Select(test => numbers[test]));
            writer.WriteLine($"{(Static.Contains(mutant) ? 's' : 'm')}\t{mutant}\t{list}");
        }
    }

    internal static Coverage Read(string path)
    {
        Coverage coverage = new();
        List<string> names = [];
        foreach (string line in File.ReadLines(path))
        {
            string[] parts = line.Split('\t');
            if (parts[0] == "t")
            {
                names.Add(parts[1]);
                coverage.Seconds[parts[1]] = double.Parse(parts[2], CultureInfo.InvariantCulture);
                continue;
            }

            int mutant = int.Parse(parts[1], CultureInfo.InvariantCulture);
            IEnumerable<int> numbers = parts[2].Split(',').Select(one => int.Parse(one, CultureInfo.InvariantCulture));
            coverage.Tests[mutant] = [.. numbers.Select(number => names[number])];
            if (parts[0] == "s") coverage.Static.Add(mutant);
        }

        return coverage;
    }
}
