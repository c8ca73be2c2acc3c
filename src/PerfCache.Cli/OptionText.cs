// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;

namespace PerfCache.Cli;

/// <summary>
/// Options as text and what becomes of the text: every wrong value gets a message of our own, the same in all commands.
/// </summary>
internal static class OptionText
{
    /// <summary>An option whose value is text.</summary>
    public static Option<string> Text(string name, string valueName, string description) =>
        new(name) { HelpName = valueName, Description = description };

    /// <summary>Has shells offer these words as values of an option.</summary>
    /// <returns>The option.</returns>
    public static Option<TValue> Offers<TValue>(this Option<TValue> option, params IEnumerable<string> words)
    {
        option.CompletionSources.Add([.. words]);
        return option;
    }

    /// <summary>Has shells offer these words as an argument.</summary>
    public static void Offers<TValue>(this Argument<TValue> argument, params IEnumerable<string> words)
    {
        // Help would show all the words in its place.
        argument.HelpName ??= argument.Name;
        argument.CompletionSources.Add([.. words]);
    }

    /// <summary>Parses digits, digits grouped by <c>_</c>, or a power such as <c>1e6</c>.</summary>
    /// <exception cref="UsageException">It is no whole number of the range.</exception>
    public static long WholeNumber(string option, string text, long min, long max)
    {
        const NumberStyles Style = NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        string digits = text.Replace("_", "", StringComparison.Ordinal);
        if (!decimal.TryParse(digits, Style, CultureInfo.InvariantCulture, out decimal number)
            || number != decimal.Truncate(number) || number < min || number > max)
        {
            string range = max == long.MaxValue ? $"of at least {min}" : $"from {min} to {max}";
            throw new UsageException($"{option}: '{text}' is not a whole number {range}");
        }

        return (long)number;
    }

    /// <summary>Parses, and names the option where that fails.</summary>
    /// <exception cref="UsageException">The parser threw a <see cref="FormatException"/>.</exception>
    public static TValue Checked<TValue>(string option, Func<TValue> parse)
    {
        try
        {
            return parse();
        }
        catch (FormatException e)
        {
            throw new UsageException($"{option}: {e.Message}");
        }
    }

    /// <summary>The command line as it can be typed again.</summary>
    public static string CommandLineOf(IEnumerable<string> args) => "perfcache " + string.Join(' ', args.Select(Quote));

    /// <summary>Refuses one path for two output files.</summary>
    /// <exception cref="UsageException">A path is there twice.</exception>
    public static void CheckDifferent(params string?[] files)
    {
        string? twice = files.OfType<string>().Where(file => file.Length > 0).GroupBy(Path.GetFullPath)
            .FirstOrDefault(same => same.Count() > 1)?.First();
        if (twice is not null) throw new UsageException($"'{twice}' is given for two output files");
    }

    private static string Quote(string arg)
    {
        bool isPlain = arg.Length > 0 && arg.All(c => char.IsLetterOrDigit(c) || "-_.,:=/%+@".Contains(c));
        return isPlain ? arg : "'" + arg.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
    }
}
