// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;

namespace PerfCache.Memory;

/// <summary>Numbers of CPUs or nodes, ascending and without gaps filled, in the form the kernel writes them:
/// <c>0-3,8</c>.</summary>
public sealed class NumberList
{
    // Far above any machine, and low enough that a damaged file cannot ask for gigabytes.
    private const int NumberMax = (1 << 16) - 1;

    private readonly int[] _numbers;

    /// <summary>A list of these numbers; order and repetition do not matter.</summary>
    internal NumberList(IEnumerable<int> numbers) => _numbers = [.. numbers.Distinct().Order()];

    /// <summary>The list without numbers.</summary>
    public static NumberList Empty { get; } = new([]);

    /// <summary>The numbers, ascending.</summary>
    public IReadOnlyList<int> Numbers => Array.AsReadOnly(_numbers);

    /// <summary>How many there are.</summary>
    public int Count => _numbers.Length;

    /// <summary>True when the number is in the list.</summary>
    public bool Contains(int number) => Array.BinarySearch(_numbers, number) >= 0;

    /// <summary>The numbers that are in both lists.</summary>
    internal NumberList Both(NumberList other) => new(_numbers.Where(other.Contains));

    /// <summary>Parses the kernel's form; an empty text is an empty list.</summary>
    internal static bool TryParse(string text, out NumberList list)
    {
        list = Empty;
        string trimmed = text.Trim('\0', ' ', '\t', '\n', '\r');
        if (trimmed.Length == 0) return true;
        List<int> numbers = [];
        foreach (string range in trimmed.Split(','))
        {
            string[] ends = range.Split('-');
            if (ends.Length > 2 || !TryParseNumber(ends[0], out int first) || !TryParseNumber(ends[^1], out int last)
                || last < first || last > NumberMax || numbers.Count > NumberMax)
                return false;
            numbers.AddRange(Enumerable.Range(first, last - first + 1));
        }

        list = new NumberList(numbers);
        return true;
    }

    /// <summary>The numbers as the kernel writes them; empty where there are none.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        for (int i = 0; i < _numbers.Length; i++)
        {
            int first = _numbers[i];
            while (i + 1 < _numbers.Length && _numbers[i + 1] == _numbers[i] + 1) i++;
            if (text.Length > 0) text.Append(',');
            text.Append(CultureInfo.InvariantCulture, $"{first}");
            if (_numbers[i] > first) text.Append(CultureInfo.InvariantCulture, $"-{_numbers[i]}");
        }

        return text.ToString();
    }

    private static bool TryParseNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
