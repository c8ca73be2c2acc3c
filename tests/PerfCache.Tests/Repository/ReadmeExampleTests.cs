// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Repository;

/// <summary>
/// Goal: the README's library example compiles, runs and prints what the README says. Method: the example stands
/// here, between two markers, where the compiler sees it; the README must hold the same text, and the block
/// behind it the output.
/// </summary>
[NonParallelizable]
internal sealed class ReadmeExampleTests
{
    private const string Source = "tests/PerfCache.Tests/Repository/ReadmeExampleTests.cs";
    private const string Begin = "// The README's example begins.";
    private const string End = "// The README's example ends.";

    [Test]
    public void TheReadmeShowsTheExampleThatIsCompiledHere() =>
        Assert.That(Example(RepositoryTree.ReadText("README.md")), Is.EqualTo(CompiledExample()));

    [Test]
    public void TheReadmeShowsWhatTheExamplePrints()
    {
        using StringWriter printed = new();
        TextWriter console = Console.Out;
        Console.SetOut(printed);
        try
        {
            Run();
        }
        finally
        {
            Console.SetOut(console);
        }

        Assert.That(Blocks(RepositoryTree.ReadText("README.md"), ""), Has.Member(printed.ToString().Trim()));
    }

    [TestCase("```csharp\nint a;\n```\n", "int a;")]
    [TestCase("```\nint a;\n```\n", "")]
    [TestCase("text\n```csharp\nint a;\n\nint b;\n```\n```csharp\nint c;\n```\n", "int a;\n\nint b;")]
    public void TheFirstBlockOfCSharpIsTheExample(string markdown, string expected) =>
        Assert.That(Example(markdown), Is.EqualTo(expected));

    private static void Run()
    {
        // The README's example begins.
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> cache = new(1000, new LinuxRules<Linux6>());
        ObjectId file = cache.AddObject(pageCountMax: 1_000_000, dense: true);
        PageReader reader = default;

        foreach (ulong page in new ulong[] { 7, 8, 7 })
            Console.WriteLine($"page {page}: {cache.Access(file, page, ref reader)}");

        for (ulong page = 100; page < 3100; page++) cache.Access(file, page, ref reader); // a scan
        foreach (ulong page in new ulong[] { 7, 8 })
            Console.WriteLine($"page {page}: {cache.Access(file, page, ref reader)}");
        CacheStatistics counts = cache.Statistics;
        Console.WriteLine($"{counts.Misses} misses, {counts.Evictions} evictions, {cache.ResidentCount} resident");
        // The README's example ends.
    }

    private static string CompiledExample()
    {
        string[] lines = RepositoryTree.ReadText(Source).ReplaceLineEndings("\n").Split('\n');
        IEnumerable<string> usings = lines.Where(line => line.StartsWith("using PerfCache.", StringComparison.Ordinal));
        IEnumerable<string> body = lines
            .SkipWhile(line => line.Trim() != Begin).Skip(1)
            .TakeWhile(line => line.Trim() != End)
            .Select(line => line.Length == 0 ? line : line[8..]);
        return string.Join('\n', [.. usings, "", .. body]);
    }

    private static string Example(string markdown) => Blocks(markdown, "csharp").FirstOrDefault("");

    private static List<string> Blocks(string markdown, string language)
    {
        List<string> blocks = [];
        List<string>? block = null;
        bool wanted = false;
        foreach (string line in markdown.ReplaceLineEndings("\n").Split('\n'))
        {
            bool fence = line.StartsWith("```", StringComparison.Ordinal);
            if (!fence)
            {
                block?.Add(line);
            }
            else if (block is null)
            {
                block = [];
                wanted = line[3..].Trim() == language;
            }
            else
            {
                if (wanted) blocks.Add(string.Join('\n', block).Trim());
                block = null;
            }
        }

        return blocks;
    }
}
