// SPDX-License-Identifier: MIT
using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace PerfCache.Tests.Cli;

/// <summary>
/// Files as users have them, odd ones included, through the whole command: real readers, real cells, real output.
/// </summary>
[TestFixture]
public sealed class ReplayEndToEndTests : FolderFixture
{
    private string Trace(string name, string text)
    {
        string path = PathOf(name);
        File.WriteAllText(path, text);
        return path;
    }

    private string Resident(string trace, string policy, params string[] more)
    {
        string path = PathOf("resident");
        CliRun run = CliRun.Of(
            ["replay", trace, "--policy", policy, "--frames", "2", "--resident", path, "--json", .. more]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        return File.ReadAllText(path);
    }

    /// <summary>A cell keeps a reader for each file; 2^31 of them would need 16 GiB.</summary>
    [Test]
    public void FilesMayHaveAnyNumber([Values("lru", "linux-6")] string policy)
    {
        string trace = Trace("files", "2147483647 5\n7 5\n2147483646 5\n2147483646 5\n");
        string[] resident = Resident(trace, policy).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (policy == "lru") Assert.That(resident, Is.EquivalentTo(new[] { "7 5", "2147483646 5" }));
        Assert.That(resident, Does.Contain("2147483646 5"));
    }

    [Test]
    public void ResidentPagesAreWrittenAsTheTraceWritesThem([Values("fifo", "lru", "linux-3.15", "linux-6")] string policy)
    {
        string[] pages = ["18446744073709551615", "1099511627776"];
        string decimals = Trace("pages", string.Join('\n', pages));
        string hex = Trace("addresses", "l 0xffffffffffffffff 4\ns 0x10000000000 4\n");
        Assert.That(Resident(decimals, policy).Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.EquivalentTo(pages));
        Assert.That(Resident(hex, policy, "--format", "address").Split('\n', StringSplitOptions.RemoveEmptyEntries),
            Is.EquivalentTo(new[] { "0xffffffffffffffff", "0x10000000000" }));
    }

    [Test]
    public void OneRequestIsATrace()
    {
        CliRun run = CliRun.Of("replay", Trace("one", "5"), "--json");
        Assert.That(run.ExitCode, Is.Zero);
        foreach (string line in run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            Assert.That(json.RootElement.GetProperty("missRatio").GetDouble(), Is.EqualTo(1));
            Assert.That(json.RootElement.GetProperty("frames").GetInt64(), Is.EqualTo(1), "every percentage is at least 1");
        }
    }

    [Test]
    public void AReportOfOneRequestOrOfEqualCellsIsWritten([Values("5\n", "1\n2\n1\n3\n")] string text)
    {
        string report = PathOf("report.html");
        CliRun run = CliRun.Of("replay", Trace("t", text), "--policy", "lru,lru,linux-6:batch=1", "--frames", "2,2,1",
            "--report", report);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(File.ReadAllText(report), Does.Contain("linux-6:batch=1").And.Not.Contain("NaN").And.Not.Contain("∞"));
    }

    [Test]
    public void PolicyParametersReachThePolicy()
    {
        CliRun run = CliRun.Of("replay", "zipf:objects=5000,requests=50000", "--json", "--frames", "1000",
            "--policy", "linux-6,linux-6:reclaim=1,batch=1");
        string[] lines = run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo(2), run.Error);
        Assert.That(Misses(lines[0]), Is.Not.EqualTo(Misses(lines[1])), "batches change the order of evictions");
    }

    [TestCase("--frames", "1073740801", "--frames: '1073740801' is not a number of frames (1 to 1073740800)")]
    [TestCase("--policy", "linux-6:reclaim=0",
        "--policy: policy 'linux-6:reclaim=0': reclaim must be an integer from 1 to 1024, not '0'")]
    [TestCase("--policy", "linux-6:foo=1",
        "--policy: policy 'linux-6:foo=1': there is no parameter 'foo'; it has reclaim, batch")]
    [TestCase("--policy", "lru:foo=1", "--policy: policy 'lru:foo=1': there is no parameter 'foo'; it has none")]
    [TestCase("--policy", "mru",
        "--policy: policy 'mru' is not known; choose from fifo, lru, clock, sieve, s3fifo, 2q, arc, lirs, lfu, wtinylfu, belady, linux-3.15, linux-6")]
    public void WrongValuesAreSaidBeforeAnyWork(string option, string value, string message)
    {
        CliRun run = CliRun.Of("replay", Trace("t", "1\n2\n"), option, value);
        Assert.That(run.Error,
            Is.EqualTo($"perfcache: {message} (see 'perfcache replay --help')" + Environment.NewLine));
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
    }

    [Test]
    public void GoodAndBadTracesTogetherGiveWhatTheyCan()
    {
        string good = Trace("good", "1\n2\n1\n");
        string bad = Trace("bad", "1\n-2\n");
        string empty = Trace("empty", "");
        string cut = PathOf("cut.gz");
        using (MemoryStream whole = new())
        {
            using (GZipStream gzip = new(whole, CompressionLevel.Fastest, leaveOpen: true))
                gzip.Write(Encoding.ASCII.GetBytes(string.Join('\n', Enumerable.Range(0, 9999))));
            File.WriteAllBytes(cut, whole.ToArray()[..^2000]);
        }

        CliRun run = CliRun.Of("replay", bad, good, empty, Folder, cut, good, "--policy", "lru", "--frames", "2", "--json");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        string[] errors = run.Error.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
        Assert.That(errors, Has.Length.EqualTo(4));
        Assert.That(errors[0], Does.StartWith($"perfcache: {bad}: line 2 "));
        Assert.That(errors[1], Does.StartWith($"perfcache: {empty}: is empty"));
        Assert.That(errors[2], Does.StartWith($"perfcache: {Folder}: is a directory"));
        Assert.That(errors[3], Does.StartWith($"perfcache: {cut}: the gzip data is cut off"));
        Assert.That(run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Misses), Is.EqualTo(new[] { 2L, 2L }));
    }

    private static long Misses(string line)
    {
        using JsonDocument json = JsonDocument.Parse(line);
        return json.RootElement.GetProperty("misses").GetInt64();
    }
}
