// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.IO.Compression;
using System.Xml.Linq;

namespace PerfCache.Tests.Repository;

/// <summary>
/// Goal: what dotnet pack makes is what somebody who knows nothing of this repository can use. Method: everything is
/// packed into a folder from what was built, looked into, and restored from that folder alone into a fresh project that
/// runs the README's example; what the packages reference comes from the folder of restored packages, so no network is
/// needed. Needs PerfCache.sln built in Release, as the README's test command does; says so and skips otherwise.
/// </summary>
[NonParallelizable]
[Category("Packages")]
internal sealed class PackageTests
{
    private const string Version = "0.1.0-test";

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);
    private static readonly string[] s_libraries = [.. RepositoryTree.FilesBelow("src/", ".csproj")
        .Select(file => Path.GetFileNameWithoutExtension(file)).Where(name => name != "PerfCache.Cli").Order()];

    private string _folder = "";

    private string Packages => Path.Combine(_folder, "packages");

    [OneTimeSetUp]
    public void Pack()
    {
        _folder = Directory.CreateTempSubdirectory("perfcache-packages-").FullName;
        if (!AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Release{Path.DirectorySeparatorChar}"))
            Assert.Ignore("packages are made of what is built in Release: run the tests with -c Release");
        string[] missing = [.. s_libraries.SelectMany(Outputs).Where(file => !File.Exists(RepositoryTree.PathOf(file)))];
        if (missing.Length > 0)
            Assert.Ignore($"{missing[0]} is not built: dotnet build PerfCache.sln -c Release, then the tests again");
        foreach (string project in (string[])[.. s_libraries, "PerfCache.Cli"])
        {
            DotNet(RepositoryTree.Root, "pack", $"src/{project}", "-c", "Release", "--no-build", "--no-restore", "-v", "q",
                "-o", Packages, $"-p:PackageVersion={Version}");
        }
    }

    [OneTimeTearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void EachPackageHasItsReadmeLicenceDocumentationAndSymbols()
    {
        foreach (string name in s_libraries)
        {
            using ZipArchive package = ZipFile.OpenRead(FileOf(name, "nupkg"));
            using ZipArchive symbols = ZipFile.OpenRead(FileOf(name, "snupkg"));
            string[] files = [.. package.Entries.Select(entry => entry.FullName)];
            foreach (string output in Outputs(name))
            {
                string library = "lib/" + string.Join('/', output.Split('/')[^2..]);
                Assert.That(files, Has.Member(library).And.Member(Path.ChangeExtension(library, ".xml")), name);
                Assert.That(
                    symbols.Entries.Select(entry => entry.FullName), Has.Member(Path.ChangeExtension(library, ".pdb")), name);
            }

            XElement nuspec = NuspecOf(package, name);
            Assert.That(ValueOf(nuspec, "license"), Is.EqualTo("MIT"), name);
            Assert.That(ValueOf(nuspec, "readme"), Is.EqualTo("README.md"), name);
            Assert.That(ValueOf(nuspec, "description"), Has.Length.GreaterThan(30), name);
            Assert.That(TextOf(package, "README.md"), Does.StartWith($"# {name}\n"), name);
        }

        using ZipArchive tool = ZipFile.OpenRead(FileOf("perfcache", "nupkg"));
        Assert.That(tool.Entries.Select(entry => entry.Name), Has.Member("perfcache.dll").And.Member("PerfCache.Core.dll"));
        Assert.That(TextOf(tool, "README.md"), Does.StartWith("# perfcache\n"));
    }

    [Test]
    public void NoPackageKnowsTheFolderItWasBuiltIn()
    {
        // Else the same sources would make other packages in another folder.
        byte[] root = System.Text.Encoding.UTF8.GetBytes(RepositoryTree.Root + "/");
        Assert.That(
            from name in s_libraries
            from kind in new[] { "nupkg", "snupkg" }
            from file in BinariesOf(FileOf(name, kind))
            where file.Bytes.AsSpan().IndexOf(root) >= 0
            select $"{name}.{kind}: {file.Name}",
            Is.Empty);
    }

    [Test]
    public void AFreshProjectRestoresThemAndRunsTheExampleOfTheReadme()
    {
        string app = WriteProject();
        DotNet(app, "restore", "-v", "q");
        string printed = DotNet(app, "run", "-c", "Release", "--no-restore");
        string readme = RepositoryTree.ReadText("README.md");
        Assert.That(readme, Does.Contain("```\n" + printed.Split("\nextensions: ")[0].Trim() + "\n```"));
        Assert.That(printed, Does.Contain("extensions: 3 bytes"));
    }

    [Test]
    public void TheToolIsInstalledFromItsPackageAndRuns()
    {
        string app = WriteProject();
        string tools = Path.Combine(_folder, "tools");
        DotNet(app, "tool", "install", "perfcache", "--tool-path", tools, "--version", Version, "-v", "q");
        string printed = Run(
            Path.Combine(tools, "perfcache"), app, "replay", "zipf:objects=1000,alpha=1.0,requests=10000,seed=1", "--policy",
            "lru", "--frames", "100", "--json");
        Assert.That(printed, Does.Contain("\"policy\":\"lru\"").And.Contain("\"requests\":10000"));
    }

    private static string[] Outputs(string project)
    {
        XDocument file = XDocument.Load(RepositoryTree.PathOf($"src/{project}/{project}.csproj"));
        string[] frameworks = file.Descendants("TargetFrameworks").Select(node => node.Value.Split(';')).FirstOrDefault(["net10.0"]);
        return [.. frameworks.Select(framework => $"src/{project}/bin/Release/{framework}/{project}.dll")];
    }

    private string FileOf(string package, string kind) => Path.Combine(Packages, $"{package}.{Version}.{kind}");

    private static IEnumerable<(string Name, byte[] Bytes)> BinariesOf(string archive)
    {
        using ZipArchive zip = ZipFile.OpenRead(archive);
        foreach (ZipArchiveEntry entry in zip.Entries.Where(entry => Path.GetExtension(entry.Name) is ".dll" or ".pdb"))
        {
            using MemoryStream bytes = new();
            using (Stream stream = entry.Open()) stream.CopyTo(bytes);
            yield return (entry.FullName, bytes.ToArray());
        }
    }

    private static XElement NuspecOf(ZipArchive package, string name) =>
        XDocument.Parse(TextOf(package, name + ".nuspec")).Root!;

    private static string? ValueOf(XElement nuspec, string name) =>
        nuspec.Descendants().FirstOrDefault(node => node.Name.LocalName == name)?.Value;

    private static string TextOf(ZipArchive package, string name)
    {
        using StreamReader reader = new(package.GetEntry(name)!.Open());
        return reader.ReadToEnd();
    }

    /// <summary>A project that has heard of nothing but the folder of packages.</summary>
    private string WriteProject()
    {
        string app = Path.Combine(_folder, "app");
        if (Directory.Exists(app)) return app;
        Directory.CreateDirectory(app);
        string restored = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(
            Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        File.WriteAllText(Path.Combine(app, "nuget.config"), $"""
            <configuration>
              <packageSources><clear /><add key="local" value="{Packages}" /></packageSources>
              <fallbackPackageFolders><clear /><add key="restored" value="{restored}" /></fallbackPackageFolders>
              <config><add key="globalPackagesFolder" value="{Path.Combine(_folder, "restored")}" /></config>
            </configuration>
            """);
        File.WriteAllText(Path.Combine(app, "app.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="PerfCache.Policies" Version="{Version}" />
                <PackageReference Include="PerfCache.Extensions" Version="{Version}" />
              </ItemGroup>
            </Project>
            """);
        string[] example = ReadmeExampleTests.ExampleOf("README.md").Split('\n');
        File.WriteAllText(Path.Combine(app, "Program.cs"), $"""
            using PerfCache.Extensions;
            {string.Join('\n', example.Where(line => line.StartsWith("using PerfCache", StringComparison.Ordinal)))}

            string path = Path.GetTempFileName();
            byte[] pages = new byte[8192 * 4096];
            Array.Fill(pages, (byte)7);
            File.WriteAllBytes(path, pages);
            {string.Join('\n', example.Where(line => !line.StartsWith("using PerfCache", StringComparison.Ordinal)))}
            using OffHeapDistributedCache items = new(new PerfCacheOptions());
            items.Set("key", [1, 2, 3], new());
            Console.WriteLine($"extensions: {'{'}items.Get("key")!.Length{'}'} bytes");
            File.Delete(path);
            """);
        return app;
    }

    private static string DotNet(string folder, params string[] arguments) => Run("dotnet", folder, arguments);

    private static string Run(string program, string folder, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // A build server that stays would hold the folder, and the test run.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["UseSharedCompilation"] = "false";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(
            System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} {string.Join(' ', arguments)} did not end within {s_patience}");
        }

        string said = output.GetAwaiter().GetResult();
        Assert.That(
            process.ExitCode, Is.Zero,
            $"{program} {string.Join(' ', arguments)}\n{said}{errors.GetAwaiter().GetResult()}");
        return said.ReplaceLineEndings("\n");
    }
}
