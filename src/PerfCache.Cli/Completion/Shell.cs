// SPDX-License-Identifier: MIT
namespace PerfCache.Cli.Completion;

/// <summary>Text as the shells of the sh family read it.</summary>
internal static class Shell
{
    /// <summary>A text that the shell takes as it is.</summary>
    public static string Quoted(string text) => "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    /// <summary>A pattern of case that any of some texts meets.</summary>
    public static string Alternatives(IEnumerable<string> texts) => string.Join('|', texts.Select(Quoted));
}
