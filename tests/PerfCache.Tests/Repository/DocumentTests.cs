// SPDX-License-Identifier: MIT
using System.Text.RegularExpressions;

namespace PerfCache.Tests.Repository;

/// <summary>
/// Goal: documents name only what exists. Method: every relative link, every file in backticks and every
/// command of the README is looked up in the list of the repository's files. Checks with a rule in them come
/// with samples.
/// </summary>
internal sealed class DocumentTests
{
    private static readonly string[] s_ownExtensions =
        [".cs", ".csproj", ".md", ".sln", ".props", ".c", ".h", ".sh", ".txt"];

    private static IEnumerable<string> Documents =>
        [.. RepositoryTree.FilesBelow("docs/", ".md"), .. RepositoryTree.FilesBelow("native/", ".md"), "README.md"];

    [Test]
    public void EveryRelativeLinkLeadsSomewhere() =>
        Assert.That(
            from document in Documents
            from link in new MarkdownText(RepositoryTree.ReadText(document)).Links
            where !Exists(Resolve(document, link))
            select $"{document}: the link to {link} leads nowhere",
            Is.Empty);

    [Test]
    public void EveryFileInBackticksExists() =>
        Assert.That(
            from document in Documents
            from span in new MarkdownText(RepositoryTree.ReadText(document)).CodeSpans
            where NamesMissingFile(document, span)
            select $"{document}: `{span}` does not exist",
            Is.Empty);

    [Test]
    public void EveryDocumentIsLinkedFromTheReadmeOrTheArchitecture()
    {
        string[] wanted =
        [
            "architecture", "memory-layout", "policies", "puma", "flipping", "numa", "remote", "tuning", "benchmarks",
            "glossary", "traces", "curves", "extensions", "c-abi",
        ];
        string[] documents = [.. RepositoryTree.FilesBelow("docs/", ".md").Where(file => file.Count(c => c == '/') == 1)];
        Assert.That(wanted.Select(name => $"docs/{name}.md").Except(documents), Is.Empty);
        string[] linked = [.. from document in (string[])["README.md", "docs/architecture.md"]
                              from link in new MarkdownText(RepositoryTree.ReadText(document)).Links
                              select Resolve(document, link)];
        Assert.That(documents.Except(linked).Except(["docs/architecture.md"]), Is.Empty);
        Assert.That(linked, Has.Member("docs/architecture.md").And.Member("docs/decisions"));
    }

    [Test]
    public void TheCommandsOfTheReadmeNameThingsThatExist()
    {
        IReadOnlyList<string> lines = new MarkdownText(RepositoryTree.ReadText("README.md")).FencedLines;
        Assert.That(lines.SelectMany(MissingPathsOfCommand), Is.Empty);
        Assert.That(lines, Has.Some.StartsWith("dotnet run "), "the command of the main job");
        Assert.That(lines, Has.Exactly(1).StartsWith("dotnet test "), "the command of all tests, which .ci/run reads");
    }

    [Test]
    public void EveryBenchmarkHasItsCommandAndItsCommit()
    {
        string[] sections = RepositoryTree.ReadText("docs/benchmarks.md").ReplaceLineEndings("\n").Split("\n## ")[1..];
        string commits = sections.Single(section => section.StartsWith("The machine\n", StringComparison.Ordinal));
        string[] measured = [.. sections.Where(section => section != commits
            && !section.StartsWith("What is not measured here", StringComparison.Ordinal))];
        Assert.That(measured, Has.Length.GreaterThan(8));
        Assert.That(
            from section in measured
            let heading = section.Split('\n')[0]
            where !section.Contains("dotnet run -c Release --project ", StringComparison.Ordinal)
                || !Regex.IsMatch(commits, $@"^\| {Regex.Escape(heading)} \| .*\b[0-9a-f]{{7}}\b", RegexOptions.Multiline)
            select $"docs/benchmarks.md: '{heading}' has no command, or no commit in the table above",
            Is.Empty);
    }

    [Test]
    public void EveryDecisionHasItsFourHeadings()
    {
        string[] wanted = ["context", "decision", "rejected", "measured"];
        Assert.That(
            from document in RepositoryTree.FilesBelow("docs/decisions/", ".md")
            where Path.GetFileName(document) != "README.md"
            let headings = new MarkdownText(RepositoryTree.ReadText(document)).Headings
            from heading in wanted
            where !headings.Any(found => found.StartsWith(heading, StringComparison.OrdinalIgnoreCase))
            select $"{document}: no heading '{heading}'",
            Is.Empty);
    }

    [TestCase("src/PerfCache.Core/NoSuchFile.cs", ExpectedResult = true)]
    [TestCase("src/PerfCache.NoSuchProject/", ExpectedResult = true)]
    [TestCase("NoSuchFile.cs", ExpectedResult = true)]
    [TestCase("LruFloor.cs", ExpectedResult = false)]
    [TestCase("Bench/LruFloor.cs", ExpectedResult = false)]
    [TestCase("src/PerfCache.Core", ExpectedResult = false)]
    [TestCase("src/PerfCache.Core/", ExpectedResult = false)]
    [TestCase("docs/*.md", ExpectedResult = false, Description = "a pattern is not a file")]
    [TestCase("mm/workingset.c", ExpectedResult = false, Description = "another project's file")]
    [TestCase("workingset.c", ExpectedResult = false, Description = "another project's file")]
    [TestCase("requests/s", ExpectedResult = false)]
    [TestCase("dotnet test PerfCache.sln", ExpectedResult = false, Description = "a command")]
    public bool ANameInBackticksIsMissing(string span) => NamesMissingFile("docs/architecture.md", span);

    [TestCase("dotnet run --project src/PerfCache.Cli -- replay no/such/trace", ExpectedResult = 0)]
    [TestCase("dotnet run --project src/PerfCache.NoSuchProject -- replay", ExpectedResult = 1)]
    [TestCase("dotnet test NoSuch.sln -c Release", ExpectedResult = 1)]
    [TestCase("native/baselines/build.sh", ExpectedResult = 0)]
    [TestCase("./native/baselines/no-such.sh", ExpectedResult = 1)]
    [TestCase("lru 10 0.5 requests/s", ExpectedResult = 0, Description = "output, not a command")]
    public int PathsThatACommandNamesAreMissing(string line) => MissingPathsOfCommand(line).Count();

    [Test]
    public void MarkdownIsTakenApart()
    {
        MarkdownText text = new(
            "# T\n[a](x/y.md#z) [b](https://e.org) [c](#d) `p/q.cs` `[no](link.md)`\n"
            + "```\nrun `it`\n```\n[r]: z.md\n");

        Assert.That(text.Headings, Is.EqualTo(new[] { "T" }));
        Assert.That(text.Links, Is.EqualTo(new[] { "x/y.md", "z.md" }));
        Assert.That(text.CodeSpans, Is.EqualTo(new[] { "p/q.cs", "[no](link.md)" }));
        Assert.That(text.FencedLines, Is.EqualTo(new[] { "run `it`" }));
    }

    // A name is ours when it begins with a folder of our root, or ends like one of our own kinds of file and
    // is not C: documents also name files of the kernel, which are.
    private static bool NamesMissingFile(string document, string span)
    {
        if (!Regex.IsMatch(span, @"^[\w.\-/]+$")) return false;
        string name = span.TrimEnd('/');
        bool ownFolder = name.Contains('/') && RepositoryTree.Files.Any(
            file => file.StartsWith(name.Split('/')[0] + "/", StringComparison.Ordinal));
        string extension = Path.GetExtension(name);
        bool ownKind = s_ownExtensions.Contains(extension) && extension is not (".c" or ".h" or ".txt");
        if (!ownFolder && !ownKind) return false;
        return !Exists(name) && !Exists(Resolve(document, name))
            && !RepositoryTree.Files.Any(file => file.EndsWith("/" + name, StringComparison.Ordinal));
    }

    // The program's own arguments, behind a lone --, are its business.
    private static IEnumerable<string> MissingPathsOfCommand(string line)
    {
        string[] words = line.TrimStart('$', ' ').Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0) return [];
        bool script = words[0].Contains('/');
        if (words[0] != "dotnet" && !script) return [];
        return words.TakeWhile(word => word != "--")
            .Where(word => !word.StartsWith('-') && !word.StartsWith('>')
                && (word.Contains('/') || s_ownExtensions.Contains(Path.GetExtension(word))))
            .Select(word => word.StartsWith("./", StringComparison.Ordinal) ? word[2..] : word)
            .Where(word => !Exists(word.TrimEnd('/')))
            .Select(word => $"README.md: the command '{line}' names {word}, which does not exist");
    }

    private static string Resolve(string document, string relative)
    {
        string target = Path.Combine(Path.GetDirectoryName(RepositoryTree.PathOf(document))!, relative);
        return Path.GetRelativePath(RepositoryTree.Root, target).Replace('\\', '/').TrimEnd('/');
    }

    private static bool Exists(string path) => path == "." || RepositoryTree.Files.Any(
        file => file == path || file.StartsWith(path + "/", StringComparison.Ordinal));
}
