// SPDX-License-Identifier: MIT
using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PerfCache.Tests.Repository;

/// <summary>
/// Goal: the arrows between projects, and between the rooms of Core, point one way and stay so. Method: the
/// project files say what is referenced, the folder says which room a file is in, and the source text says
/// what it uses.
/// </summary>
internal sealed class DependencyTests
{
    private const string Core = "PerfCache.Core";

    // A project may reference projects of a smaller number only.
    private static readonly Dictionary<string, int> s_projectLevels = new()
    {
        [Core] = 0,
        ["PerfCache.Policies"] = 1,
        ["PerfCache.Simulation"] = 2,
        ["PerfCache.Remote"] = 2,
        ["PerfCache.Extensions"] = 2,
        ["PerfCache.Cli"] = 3,
    };

    // A room of Core may use itself and rooms of a smaller number. Files in no room may be used by all, and
    // use none.
    private static readonly Dictionary<string, int> s_roomLevels = new()
    {
        [""] = 0,
        ["Memory"] = 1,
        ["Frames"] = 2,
        ["Numa"] = 2,
        ["Lists"] = 3,
        ["Index"] = 3,
        ["Pools"] = 3,
        ["Flip"] = 3,
        ["Cache"] = 4,
        ["Items"] = 4,
    };

    [Test]
    public void ProjectsReferenceLowerProjectsOnly()
    {
        List<string> complaints = [];
        foreach (string file in SourceProjects())
        {
            string project = Path.GetFileNameWithoutExtension(file);
            if (!s_projectLevels.TryGetValue(project, out int level))
            {
                complaints.Add($"{file}: this test does not know where {project} stands in the order");
                continue;
            }

            foreach (string reference in References(file, "ProjectReference").Select(NameOfProject))
            {
                if (!s_projectLevels.TryGetValue(reference, out int lower) || lower >= level)
                    complaints.Add($"{file}: must not reference {reference}");
            }
        }

        Assert.That(complaints, Is.Empty);
    }

    [Test]
    public void RoomsOfCoreUseLowerRoomsOnly()
    {
        string[] files = [.. SourcesOf(Core)];
        Dictionary<string, string[]> typesOfRoom = s_roomLevels.Keys.Where(room => room.Length > 0).ToDictionary(
            room => room,
            room => files.Where(file => RoomOf(file) == room)
                .Select(file => Path.GetFileName(file).Split('.')[0]).Distinct().ToArray());
        List<string> complaints = [];
        foreach (string file in files)
        {
            string room = RoomOf(file);
            if (!s_roomLevels.TryGetValue(room, out int level))
            {
                complaints.Add($"{file}: this test does not know where {room} stands in the order");
                continue;
            }

            string code = WithoutComments(RepositoryTree.ReadText(file));
            complaints.AddRange(s_roomLevels.Keys
                .Where(other => other.Length > 0 && other != room && s_roomLevels[other] >= level)
                .Where(other => Uses(code, other, typesOfRoom[other]))
                .Select(other => $"{file}: {(room.Length == 0 ? "the root" : room)} must not use {other}"));
        }

        Assert.That(complaints, Is.Empty);
    }

    [TestCase("using PerfCache.Cache;", ExpectedResult = true)]
    [TestCase("using static PerfCache.Cache.MetadataCache;", ExpectedResult = true)]
    [TestCase("PerfCache.Cache.MetadataCache cache;", ExpectedResult = true)]
    [TestCase("Cache.MetadataCache cache;", ExpectedResult = true)]
    [TestCase("// PerfCache.Cache is above", ExpectedResult = false)]
    [TestCase("/// <see cref=\"PerfCache.Cache.MetadataCache\"/>", ExpectedResult = false)]
    [TestCase("using PerfCache.Caches;", ExpectedResult = false)]
    [TestCase("int bytes = Cache.Length;", ExpectedResult = false)]
    public bool AUseOfARoomIsRecognised(string code) => Uses(WithoutComments(code), "Cache", ["MetadataCache"]);

    [Test]
    public void TheFolderOfASourceIsItsNamespace()
    {
        List<string> complaints = [];
        foreach (string project in SourceProjects())
        {
            string name = Path.GetFileNameWithoutExtension(project);
            string root = XDocument.Load(RepositoryTree.PathOf(project)).Descendants("RootNamespace").Single().Value;
            foreach (string file in SourcesOf(name))
            {
                string text = RepositoryTree.ReadText(file);
                Match declared = Regex.Match(text, @"^namespace ([\w.]+)", RegexOptions.Multiline);
                string expected = string.Join('.', new[] { root }.Concat(FoldersWithin(file)));
                if (declared.Success && declared.Groups[1].Value != expected)
                    complaints.Add($"{file}: namespace {declared.Groups[1].Value}, expected {expected}");
            }
        }

        Assert.That(complaints, Is.Empty);
    }

    [Test]
    public void UnsafeCodeLivesInCoreAlone()
    {
        List<string> complaints = [];
        foreach (string project in SourceProjects().Where(file => Path.GetFileNameWithoutExtension(file) != Core))
        {
            if (RepositoryTree.ReadText(project).Contains("AllowUnsafeBlocks", StringComparison.Ordinal))
                complaints.Add($"{project}: switches unsafe code on");
            complaints.AddRange(SourcesOf(Path.GetFileNameWithoutExtension(project))
                .Where(file => Regex.IsMatch(WithoutComments(RepositoryTree.ReadText(file)), @"\bunsafe\b"))
                .Select(file => $"{file}: unsafe code"));
        }

        Assert.That(complaints, Is.Empty);
    }

    [Test]
    public void VirtualTimeKnowsNoStopwatchAndNoThreads()
    {
        // BannedSymbols.txt holds for a whole project, and Replay/ of the same one measures and runs in
        // parallel.
        string[] files = [.. SourcesOf("PerfCache.Simulation")
            .Where(file => RoomOf(file) is "Engine" or "Machines" or "Scenarios" or "Workloads")];
        Assert.That(
            files.Where(file => Regex.IsMatch(
                WithoutComments(RepositoryTree.ReadText(file)), @"\b(Stopwatch|Thread|Task|Parallel)\b")),
            Is.Empty);
    }

    [Test]
    public void CoreReferencesNoPackageButTheObjectPool()
    {
        const string Allowed = "Microsoft.Extensions.ObjectPool";
        string file = SourceProjects().Single(project => Path.GetFileNameWithoutExtension(project) == Core);
        Assert.That(References(file, "PackageReference").Where(package => package != Allowed), Is.Empty);

        // The project file cannot show what comes in from props and targets; the assembly can.
        IEnumerable<string> assemblies = Assembly.Load(Core).GetReferencedAssemblies().Select(name => name.Name!);
        Assert.That(
            assemblies.Where(
                name => name != Allowed && name != "System" && !name.StartsWith("System.", StringComparison.Ordinal)),
            Is.Empty);
    }

    private static bool Uses(string code, string room, string[] typesOfRoom)
    {
        if (Regex.IsMatch(code, $@"\bPerfCache\.{room}\b")) return true;
        // Inside namespace PerfCache a room's name alone reaches it too; a member of that name must not be
        // mistaken.
        return typesOfRoom.Any(type => Regex.IsMatch(code, $@"(?<![\w.]){room}\.{type}\b"));
    }

    // Good enough for sources in which no string holds a comment's opening.
    private static string WithoutComments(string code) =>
        Regex.Replace(Regex.Replace(code, @"/\*.*?\*/", "", RegexOptions.Singleline), "//.*", "");

    private static string[] SourceProjects()
    {
        string[] projects = [.. RepositoryTree.FilesBelow("src/", ".csproj")];
        Assert.That(projects, Is.Not.Empty, "no project was found under src");
        return projects;
    }

    private static IEnumerable<string> SourcesOf(string project) => RepositoryTree.FilesBelow($"src/{project}/", ".cs");

    private static IEnumerable<string> References(string project, string kind) =>
        XDocument.Load(RepositoryTree.PathOf(project)).Descendants(kind)
            .Select(reference => reference.Attribute("Include")?.Value).OfType<string>();

    private static string NameOfProject(string path) => Path.GetFileNameWithoutExtension(path.Replace('\\', '/'));

    private static string[] FoldersWithin(string file) => file.Split('/')[2..^1];

    private static string RoomOf(string file) => FoldersWithin(file).FirstOrDefault("");
}
