// SPDX-License-Identifier: MIT
using System.Text.RegularExpressions;

namespace PerfCache.Tests.Repository;

/// <summary>
/// Goal: what a machine judges well about a source tree is judged by a machine. Method: the names and the
/// text of every file of the repository. Searched-for words are put together from pieces, or this file would
/// find itself.
/// </summary>
internal sealed class TidyTests
{
    private static readonly string[] s_rootEntries =
    [
        ".ci", "bench", "docs", "native", "samples", "src", "tests",
        ".editorconfig", ".git-blame-ignore-revs", ".gitattributes", ".gitignore", "Directory.Build.props",
        "Directory.Packages.props", "LICENSE", "PerfCache.sln", "README.md", "global.json",
    ];

    [Test]
    public void TheRootHoldsOnlyWhatBelongsThere() =>
        Assert.That(
            RepositoryTree.Files.Select(file => file.Split('/')[0]).Distinct().Except(s_rootEntries), Is.Empty);

    [Test]
    public void NoFolderAndNoTypeIsADrawer()
    {
        Regex drawer = new(@"(^|/)\w*(Util|Utils|Utilities|Helper|Helpers|Common|Manager|Managers|Misc)(\.cs)?(/|$)");
        Assert.That(RepositoryTree.Files.Where(file => drawer.IsMatch(file)), Is.Empty);
        Assert.That(drawer.IsMatch("src/PerfCache.Core/Common/Frame.cs"), Is.True);
        Assert.That(drawer.IsMatch("src/PerfCache.Core/Frames/FrameManager.cs"), Is.True);
    }

    [Test]
    public void EverySourceStartsWithItsLicence()
    {
        // A script's first line is its interpreter.
        string[] sources = [.. RepositoryTree.FilesBelow("", ".cs", ".c", ".h", ".sh", ".ci/run")];
        Assert.That(sources, Is.Not.Empty);
        Assert.That(
            sources.Where(file => !RepositoryTree.ReadText(file).Split('\n').Take(IsScript(file) ? 2 : 1)
                .Contains((IsScript(file) ? "# " : "// ") + "SPDX-License-Identifier: MIT")),
            Is.Empty);
    }

    [Test]
    public void NothingIsLeftForLater() =>
        Assert.That(
            LinesWith(
                @"\b(" + "TO" + "DO|FIX" + "ME|HA" + "CK|XX" + "X)\\b|Not" + "ImplementedException",
                RepositoryTree.FilesBelow("", ".cs", ".c", ".h", ".sh", ".ci/run", ".md", ".props", ".csproj")),
            Is.Empty);

    /// <summary>The compiler holds every public member to its documentation, unless somebody tells it not to.</summary>
    [Test]
    public void NothingSwitchesOffThatPublicMembersAreDocumented()
    {
        string everywhere = RepositoryTree.ReadText("Directory.Build.props");
        Assert.That(everywhere, Does.Contain("<GenerateDocumentationFile>true</GenerateDocumentationFile>")
            .And.Contain("<TreatWarningsAsErrors>true</TreatWarningsAsErrors>"));
        string undocumented = "CS15" + "91";
        Assert.That(
            LinesWith(
                undocumented + "|GenerateDocumentation" + "File>false",
                RepositoryTree.FilesBelow("src/", ".cs", ".csproj", ".props", ".editorconfig").Append(".editorconfig")),
            Is.Empty);
        // The one place that switches it off speaks of what is not under src/.
        string[] parts = everywhere.Split(undocumented);
        Assert.That(parts, Has.Length.EqualTo(2));
        Assert.That(parts[0][parts[0].LastIndexOf("<PropertyGroup", StringComparison.Ordinal)..], Does.Contain(
            "!$(MSBuildProjectDirectory").And.Contain("Contains('/src/')"));
    }

    [Test]
    public void TestsNeitherPretendNorSleep() =>
        Assert.That(
            LinesWith(
                @"Assert\." + @"Pass\(|\[Ig" + @"nore\b|Thread\." + @"Sleep\(", RepositoryTree.FilesBelow("tests/", ".cs")),
            Is.Empty);

    [Test]
    public void NoFileNamesAPathOfSomebodysMachine() =>
        Assert.That(
            LinesWith(@"(^|[^.\w])/(ho" + "me|ro" + "ot|wo" + "rk)/", RepositoryTree.Files.Where(IsText)), Is.Empty);

    [Test]
    public void TheLibrariesGenerateNoCode()
    {
        // Neither at build time by a source generator nor at run time: both would keep the code out of its
        // readers' sight, and the second out of ahead-of-time compilation.
        string generators =
            @"\[(assembly:\s*)?(Generated" + "Regex|Library" + "Import|Json" + "Serializable|Logger" + @"Message)\b";
        string emitters = @"\bReflection\." + @"Emit\b|\bDynamic" + @"Method\b|\bLinq\." + @"Expressions\b";
        Assert.That(LinesWith(generators + "|" + emitters, RepositoryTree.FilesBelow("src/", ".cs")), Is.Empty);
    }

    private static IEnumerable<string> LinesWith(string pattern, IEnumerable<string> files)
    {
        Regex regex = new(pattern);
        return from file in files
               from line in RepositoryTree.ReadText(file).Split('\n').Index()
               where regex.IsMatch(line.Item)
               select $"{file}:{line.Index + 1}: {line.Item.Trim()}";
    }

    private static bool IsScript(string file) => file.EndsWith(".sh", StringComparison.Ordinal) || file == ".ci/run";

    private static bool IsText(string file)
    {
        using FileStream stream = File.OpenRead(RepositoryTree.PathOf(file));
        Span<byte> start = stackalloc byte[4096];
        return !start[..stream.Read(start)].Contains((byte)0);
    }
}
