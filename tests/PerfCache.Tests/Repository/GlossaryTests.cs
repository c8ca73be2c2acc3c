// SPDX-License-Identifier: MIT
using System.Text.RegularExpressions;

namespace PerfCache.Tests.Repository;

/// <summary>
/// Goal: one word, one meaning. Method: the rows of docs/glossary.md are read; every word has one row, a meaning and a link,
/// and the words that the house does not use for these things stand in no identifier that others can see.
/// </summary>
internal sealed class GlossaryTests
{
    // The house's word, and what would be a second word for the same.
    private static readonly (string Word, string Never)[] s_secondWords =
    [
        ("shadow", "Tombstone"), ("activate", "Promot"), ("deactivate", "Demot"), ("lend", "Donat"), ("pool", "FreeList"),
        ("refault", "ReMiss"), ("remote cache", "SecondLevel"), ("domain", "Hypervisor"), ("frame", "Buffer[A-Z]?Pool"),
    ];

    private static string[][] Rows => [.. RepositoryTree.ReadText("docs/glossary.md").ReplaceLineEndings("\n").Split('\n')
        .Where(line => line.StartsWith("| ", StringComparison.Ordinal) && !line.StartsWith("| word |", StringComparison.Ordinal)
            && !line.StartsWith("| ---", StringComparison.Ordinal))
        .Select(line => line.Trim('|', ' ').Split(" | "))];

    [Test]
    public void EveryWordHasOneRowAMeaningAndALink()
    {
        Assert.That(Rows, Has.Length.GreaterThan(50));
        Assert.That(Rows.Where(row => row.Length != 3 || row[1].Length < 10 || !row[2].Contains("](", StringComparison.Ordinal))
            .Select(row => string.Join(" | ", row)), Is.Empty);
        Assert.That(Rows.SelectMany(row => row[0].Split(", ")), Is.Unique);
    }

    [Test]
    public void NoPublicNameIsASecondWord()
    {
        string[] names = [.. RepositoryTree.FilesBelow("tests/PerfCache.Tests/Repository/", ".txt")
            .SelectMany(file => RepositoryTree.ReadText(file).Split('\n').Select(line => $"{Path.GetFileName(file)}: {line}"))];
        Assert.That(names, Has.Length.GreaterThan(1000));
        Assert.That(
            from name in names
            from second in s_secondWords
            where Regex.IsMatch(name, second.Never)
            select $"{name}: the house says {second.Word}",
            Is.Empty);
    }
}
