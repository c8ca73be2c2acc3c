// SPDX-License-Identifier: MIT
namespace PerfCache.Tests;

/// <summary>Gives every test of a fixture an empty folder of its own and removes it afterwards.</summary>
public abstract class FolderFixture
{
    /// <summary>The folder.</summary>
    protected string Folder { get; private set; } = "";

    [SetUp]
    public void MakeFolder() => Folder = Directory.CreateTempSubdirectory("perfcache-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(Folder, recursive: true);

    /// <summary>The path of a file in the folder.</summary>
    protected string PathOf(string name) => Path.Combine(Folder, name);
}
