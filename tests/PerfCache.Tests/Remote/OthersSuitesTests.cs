// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Net;
using PerfCache.Tests.Repository;

namespace PerfCache.Tests.Remote;

/// <summary>
/// Goal: others find no difference either. Method: the checker of libmemcached, and memcached's own suite, which is not
/// part of this repository: <c>.ci/run</c> fetches it into <c>artifacts/memcached-suite</c>, or
/// <c>PERFCACHE_MEMCACHED_SUITE</c> names a folder with the source of memcached 1.6.18.
/// </summary>
internal sealed class OthersSuitesTests : FolderFixture
{
    [TestCase("memcached")]
    [TestCase("lender")]
    public void TheCheckerOfLibmemcachedIsContent(string kind)
    {
        using MemcachedPeer server = kind == "lender" ? MemcachedPeer.Lend() : MemcachedPeer.Memcached();
        string port = ((IPEndPoint)server.EndPoint).Port.ToString(CultureInfo.InvariantCulture);
        // Older versions have the first name, newer ones the second.
        (int ExitCode, string Output)? run = Run("memcapable", "-a", "-h", "127.0.0.1", "-p", port)
            ?? Run("memccapable", "-a", "-h", "127.0.0.1", "-p", port);
        if (run is not { } done)
        {
            Assert.Ignore("there is no memcapable here: apt-get install libmemcached-tools");
            return;
        }

        Assert.That(done.ExitCode, Is.Zero, done.Output);
        Assert.That(done.Output.Split('\n').Count(line => line.Contains("[pass]", StringComparison.Ordinal)), Is.AtLeast(20));
        Assert.That(done.Output, Does.Not.Contain("[FAIL]").And.Contain("All tests passed"));
    }

    // Those of the suite that are about commands and that memcached itself passes when it is started by somebody else. The
    // others are about its command line, its threads, its slabs, the binary protocol, UDP, or its own way to speed up time.
    [TestCase("bogus-commands")]
    [TestCase("cas")]
    [TestCase("chunked-items")]
    [TestCase("evictions")]
    [TestCase("flags")]
    [TestCase("getandtouch")]
    [TestCase("getset")]
    [TestCase("incrdecr")]
    [TestCase("issue_14")]
    [TestCase("issue_152")]
    [TestCase("issue_3")]
    [TestCase("issue_41")]
    [TestCase("issue_68")]
    [TestCase("issue_70")]
    [TestCase("malicious-commands")]
    [TestCase("metaget")]
    [TestCase("multiversioning")]
    [TestCase("noreply")]
    [TestCase("quit")]
    [TestCase("touch")]
    public void MemcachedsOwnSuiteIsContent(string name)
    {
        string suite = Environment.GetEnvironmentVariable("PERFCACHE_MEMCACHED_SUITE")
            ?? Path.Combine(RepositoryTree.Root, "artifacts", "memcached-suite");
        if (!Directory.Exists(Path.Combine(suite, "t")))
            Assert.Ignore($"there is no source of memcached in {suite}: docs/remote.md says how to get it");
        string library = CopyOf(Path.Combine(suite, "t"));
        using MemcachedPeer server = MemcachedPeer.Lend(memoryBytes: 64 << 20);
        (int ExitCode, string Output)? run = Run(
            "perl", $"-I{library}/lib", Path.Combine(library, name + ".t"), "T_MEMD_USE_DAEMON=" + server.EndPoint);
        if (run is not { } done)
        {
            Assert.Ignore("there is no perl here");
            return;
        }

        string[] lines = done.Output.Split('\n');
        string[] bad = [.. lines.Where(line => line.StartsWith("not ok", StringComparison.Ordinal))];
        Assert.That(bad, Is.Empty);
        Assert.That(done.ExitCode, Is.Zero, done.Output);
        Assert.That(lines.Count(line => line.StartsWith("ok ", StringComparison.Ordinal)), Is.Positive);
    }

    // Its library looks for a program that was built beside it, though it is told to use ours.
    private string CopyOf(string tests)
    {
        string copy = PathOf("t");
        Directory.CreateDirectory(Path.Combine(copy, "lib"));
        foreach (string folder in (string[])["", "lib"])
        {
            foreach (string file in Directory.GetFiles(Path.Combine(tests, folder)))
                File.Copy(file, Path.Combine(copy, folder, Path.GetFileName(file)));
        }

        File.WriteAllText(PathOf("memcached-debug"), "");
        const UnixFileMode Runs = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(PathOf("memcached-debug"), Runs);
        return copy;
    }

    /// <summary>Runs a program, for at most a minute; a last word with "=" is for its environment.</summary>
    private (int ExitCode, string Output)? Run(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Folder,
        };
        foreach (string argument in arguments)
        {
            int equals = argument.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0) start.Environment[argument[..equals]] = argument[(equals + 1)..];
            else start.ArgumentList.Add(argument);
        }

        try
        {
            using Process process = Process.Start(start)!;
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            Task<string> errors = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(60_000)) process.Kill(entireProcessTree: true);
            process.WaitForExit();
            return (process.ExitCode, output.Result + errors.Result);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
