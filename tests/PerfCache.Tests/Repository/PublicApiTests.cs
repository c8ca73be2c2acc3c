// SPDX-License-Identifier: MIT
using System.Reflection;

namespace PerfCache.Tests.Repository;

/// <summary>
/// Goal: nobody changes the public surface by accident. Method: its text lies beside this file, and a
/// difference is either an accident or a line of the same commit. PERFCACHE_UPDATE_GOLDEN=1 writes the text
/// anew.
/// </summary>
internal sealed class PublicApiTests
{
    [TestCase("Core")]
    [TestCase("Policies")]
    [TestCase("Simulation")]
    [TestCase("Remote")]
    [TestCase("Extensions")]
    public void ThePublicSurfaceIsTheOneOnFile(string project)
    {
        string relative = $"tests/PerfCache.Tests/Repository/PublicApi.{project}.txt";
        string golden = RepositoryTree.PathOf(relative);
        string actual = PublicApiText.Of(Assembly.Load("PerfCache." + project).GetExportedTypes());
        if (Environment.GetEnvironmentVariable("PERFCACHE_UPDATE_GOLDEN") == "1") File.WriteAllText(golden, actual);
        string expected = File.Exists(golden) ? File.ReadAllText(golden).ReplaceLineEndings("\n") : "";
        if (actual == expected) return;

        string rewritten = Path.Combine(Path.GetTempPath(), Path.GetFileName(golden));
        File.WriteAllText(rewritten, actual);
        Assert.Fail(
            $"The public surface of PerfCache.{project} is not what {relative} says.\n"
            + string.Concat(Lines(expected).Except(Lines(actual)).Select(line => $"- {line}\n"))
            + string.Concat(Lines(actual).Except(Lines(expected)).Select(line => $"+ {line}\n"))
            + $"The new text is in {rewritten}. If the change is meant, run this test with "
            + "PERFCACHE_UPDATE_GOLDEN=1 and commit the file.");
    }

    [Test]
    public void TheTextShowsWhatCallersDependOn()
    {
        string text = PublicApiText.Of(typeof(PublicSample<>), typeof(PublicSampleKind));

        Assert.That(text, Is.EqualTo(
            """
            enum PerfCache.Tests.Repository.PublicSampleKind : Byte
              One = 1
            abstract class PerfCache.Tests.Repository.PublicSample<TItem> : IDisposable where TItem : struct
              Int32 Sum(in Int32 first, params Int32[] rest)
              abstract String? Find(ReadOnlySpan<TItem> items, Int32 limit = 5)
              const Int32 Limit = 7
              protected new(Int32? size)
              required String Name { get; init; }
              static Boolean TryGet<TKey>(TKey key, out TItem item) where TKey : class
              virtual Void Dispose()

            """.ReplaceLineEndings("\n")));
    }

    // A line is told apart by the type that it belongs to.
    private static IEnumerable<string> Lines(string text)
    {
        string type = "";
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!line.StartsWith(' ')) type = line;
            yield return line.StartsWith(' ') ? $"{type.Split(" : ")[0]}: {line.Trim()}" : line;
        }
    }
}
