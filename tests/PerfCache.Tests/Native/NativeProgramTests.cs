// SPDX-License-Identifier: MIT
using System.Text.RegularExpressions;
using PerfCache.Tests.Repository;

namespace PerfCache.Tests.Native;

/// <summary>
/// Goal: the C interface does what its header says, for programs in C and in Python. Method: the programs under native/
/// check it themselves, one group a test; here they are run, also under valgrind, which sees each wrong access.
/// </summary>
internal sealed class NativeProgramTests : FolderFixture
{
    private const string TestSource = "native/tests/abi_test.c";

    // From the source, because tests have to be known where nothing is built.
    private static IEnumerable<string> Groups =>
        Regex.Matches(RepositoryTree.ReadText(TestSource), @"\{ ""([\w-]+)"", test_\w+ \}").Select(match => match.Groups[1].Value);

    [TestCaseSource(nameof(Groups))]
    public void AProgramInCFindsItAsTheHeaderSays(string group)
    {
        NativeProgram run = NativeProgram.Run(NativeProgram.Require("abi_test"), [Folder, group]);

        Assert.That(run.ExitCode, Is.Zero, run.Errors);
        Assert.That(run.Output, Is.EqualTo($"{group}: ok\n"));
    }

    [Test]
    public void EveryGroupOfTheSourceIsInTheProgram()
    {
        NativeProgram run = NativeProgram.Run(NativeProgram.Require("abi_test"), ["--list"]);
        Assert.That(run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.EqualTo(Groups));
        Assert.That(NativeProgram.Run(NativeProgram.Require("abi_test"), [Folder, "no-such"]).ExitCode, Is.EqualTo(2));
    }

    [Test]
    public void ValgrindFindsNoWrongAccess()
    {
        TestScale.LeaveToRelease();
        NativeProgram run = NativeProgram.Run(
            "valgrind", ["-q", "--error-exitcode=9", NativeProgram.Require("abi_test"), Folder], secondsMax: 240,
            // The collector reserves 256 GiB of addresses otherwise, which valgrind refuses.
            ("PERFCACHE_SCALE", "100"), ("DOTNET_GCRegionRange", "40000000"));

        Assert.That(run.ExitCode, Is.Zero, run.Output + run.Errors);
        Assert.That(run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(Groups.Count()));
    }

    [Test]
    public void TheExampleInCReadsAndMarksAFile()
    {
        string program = NativeProgram.Require("hot_pages");
        byte[] bytes = new byte[600 * 4096];
        Array.Fill(bytes, (byte)1);
        File.WriteAllBytes(PathOf("data"), bytes);

        NativeProgram reading = NativeProgram.Run(program, [PathOf("data")]);
        NativeProgram marking = NativeProgram.Run(program, [PathOf("data"), "--mark", "mark"]);
        NativeProgram missing = NativeProgram.Run(program, [PathOf("missing")]);

        Assert.Multiple(() =>
        {
            Assert.That(reading.Output, Does.Match(@"^600 pages, \d+ hits, \d+ misses, \d+ of 1048576 bytes used, sum of first bytes 2400\n$"));
            Assert.That(reading.ExitCode, Is.Zero, reading.Errors);
            Assert.That(marking.ExitCode, Is.Zero, marking.Errors);
            Assert.That(File.ReadAllBytes(PathOf("data")).AsSpan(0, 5).SequenceEqual("mark\u0001"u8), Is.True);
            Assert.That(missing.ExitCode, Is.EqualTo(1));
            Assert.That(missing.Errors, Does.StartWith("hot_pages: pc_attach_file: PC_IO: cannot open").And.Contain("missing"));
        });
    }

    [Test]
    public void TheExampleInPythonUsesItWithoutACompiler()
    {
        string library = NativeProgram.Require("libperfcache.so");
        File.WriteAllBytes(PathOf("data"), [.. Enumerable.Repeat((byte)2, 20 * 4096)]);
        NativeProgram run = NativeProgram.Run(
            "python3", [RepositoryTree.PathOf("native/examples/perfcache.py"), library, PathOf("data")]);

        Assert.That(run.ExitCode, Is.Zero, run.Errors);
        // 20 pages, read twice, 16 bytes of value 2 each. One more miss and hit are those of the page that is written.
        Assert.That(
            run.Output, Does.Match(@"^pages=20 sum=1280 hits=\d+ misses=\d+ written=python absent=True second-release=refused\n$"));
    }

    [TestCase("-std=c99", "c")]
    [TestCase("-std=c17", "c")]
    [TestCase("-std=c++17", "c++")]
    public void TheHeaderCompilesWithoutWarnings(string standard, string language)
    {
        File.WriteAllText(PathOf("main.c"), "#include <perfcache.h>\nint main(void) { return PC_OK; }\n");
        if (language == "c++" && NativeProgram.Run("g++", ["--version"]).ExitCode != 0) Assert.Ignore("g++ does not work");
        NativeProgram run = NativeProgram.Run(
            "gcc",
            [
                standard, "-x", language, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                "-I", RepositoryTree.PathOf("native/include"), PathOf("main.c"),
            ]);
        Assert.That(run.ExitCode, Is.Zero, run.Errors);
    }
}
