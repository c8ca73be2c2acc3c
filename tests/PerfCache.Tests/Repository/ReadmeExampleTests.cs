// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Repository;

/// <summary>
/// Goal: the library examples of the README and of docs/policies.md compile, run and print what the documents say.
/// Method: each example stands here, between two markers, where the compiler sees it; the document must hold the same
/// text, and a block behind it the output.
/// </summary>
[NonParallelizable]
internal sealed class ReadmeExampleTests
{
    private const string Source = "tests/PerfCache.Tests/Repository/ReadmeExampleTests.cs";
    private const string Readme = "README.md";
    private const string Policies = "docs/policies.md";

    [TestCase(Readme)]
    [TestCase(Policies)]
    public void TheDocumentShowsTheExampleThatIsCompiledHere(string document) =>
        Assert.That(Example(RepositoryTree.ReadText(document)), Is.EqualTo(CompiledExample(document)));

    [TestCase(Readme)]
    [TestCase(Policies)]
    public async Task TheDocumentShowsWhatTheExamplePrints(string document)
    {
        using StringWriter printed = new();
        TextWriter console = Console.Out;
        Console.SetOut(printed);
        string path = Path.GetTempFileName();
        try
        {
            if (document == Readme)
            {
                byte[] pages = new byte[8192 * 4096];
                Array.Fill(pages, (byte)7);
                await File.WriteAllBytesAsync(path, pages);
                await RunReadme(path);
            }
            else
            {
                RunPolicies();
            }
        }
        finally
        {
            Console.SetOut(console);
            File.Delete(path);
        }

        Assert.That(Blocks(RepositoryTree.ReadText(document), ""), Has.Member(printed.ToString().Trim()));
    }

    [TestCase("```csharp\nint a;\n```\n", "int a;")]
    [TestCase("```\nint a;\n```\n", "")]
    [TestCase("text\n```csharp\nint a;\n\nint b;\n```\n```csharp\nint c;\n```\n", "int a;\n\nint b;")]
    public void TheFirstBlockOfCSharpIsTheExample(string markdown, string expected) =>
        Assert.That(Example(markdown), Is.EqualTo(expected));

    private static async Task RunReadme(string path)
    {
        // The example of README.md begins.
        PageCacheOptions options = new() { CapacityBytes = 16 << 20 };
        using PageCache<LinuxRules<Linux6>> cache = new(options, new LinuxRules<Linux6>());
        using FilePageSource source = FilePageSource.Open(path);
        ObjectId file = cache.AddObject(source);

        using (PageLease lease = cache.Get(file, page: 7)) // loaded if it is not there; stays while the lease lasts
            Console.WriteLine($"page 7 begins with {lease.Span[0]}");
        byte[] copy = new byte[4];
        Console.WriteLine($"copied: {cache.TryCopy(file, page: 7, offset: 0, copy)}"); // no pin; loads nothing
        using (WriteLease lease = cache.GetForWrite(file, page: 7)) // nobody else has it meanwhile
            lease.Span[0] = 99;
        await cache.FlushAsync(); // or the flusher does, some seconds later
        Console.WriteLine($"in the file: {File.ReadAllBytes(path)[7 * 4096]}");

        for (ulong page = 0; page < source.PageCount; page++) cache.Get(file, page).Dispose(); // a scan
        Console.WriteLine($"{cache.Statistics.Misses} misses, within the bound: {cache.UsedBytes <= cache.CapacityBytes}");
        // The example of README.md ends.
    }

    private static void RunPolicies()
    {
        // The example of docs/policies.md begins.
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
        // The example of docs/policies.md ends.
    }

    private static string CompiledExample(string document)
    {
        string[] lines = RepositoryTree.ReadText(Source).ReplaceLineEndings("\n").Split('\n');
        IEnumerable<string> usings = lines
            .Where(line => line.StartsWith("using PerfCache.", StringComparison.Ordinal))
            .Where(line => document == Readme || !line.Contains("Sources", StringComparison.Ordinal));
        IEnumerable<string> body = lines
            .SkipWhile(line => line.Trim() != $"// The example of {document} begins.").Skip(1)
            .TakeWhile(line => line.Trim() != $"// The example of {document} ends.")
            .Select(line => line.Length == 0 ? line : line[8..]);
        return string.Join('\n', [.. usings, "", .. body]);
    }

    /// <summary>The example of a document, for whoever else runs it.</summary>
    internal static string ExampleOf(string document) => Example(RepositoryTree.ReadText(document));

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
