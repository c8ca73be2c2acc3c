// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Diagnostics;
using PerfCache.Cli;
using PerfCache.Cli.Completion;
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Cli;

/// <summary>
/// Goal: shells complete what the command line takes, and nothing else. Method: the table is compared with the parser;
/// the scripts are read by the shells themselves, which then complete some words. A shell that is missing is skipped.
/// </summary>
[TestFixture]
public sealed class CompletionCommandTests : FolderFixture
{
    /// <summary>What a shell asks bash's function for: the words typed, the last of them unfinished.</summary>
    private const string AskBash = """
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _perfcache
        printf '%s\n' "${COMPREPLY[@]}"
        """;

    [Test]
    public void TheTableHasEveryCommandAndOptionOfTheParser()
    {
        RootCommand root = CommandLine.RootOf([], NewContext());
        CompletionCommandEntry table = CompletionTable.Of(root, "perfcache");
        Assert.That(table.All.Select(command => command.Path), Is.EqualTo(PathsOf(root, "perfcache")));
        CompletionCommandEntry replay = table.All.Single(command => command.Path == "perfcache replay");
        Command parsed = root.Subcommands.Single(command => command.Name == "replay");
        Assert.That(
            replay.Options.Select(option => option.Names[0]),
            Is.EqualTo(parsed.Options.Select(option => option.Name).Append("--help")));
        CompletionOption policy = replay.Options.Single(option => option.Names.Contains("--policy"));
        Assert.That(policy.Words, Is.EquivalentTo(PolicyCatalog.BuiltIn.Names));
        Assert.That(replay.Offer, Is.EqualTo(Offer.File));
        Assert.That(table.All.Single(command => command.Name == "record").Offer, Is.EqualTo(Offer.Program));
    }

    [Test]
    public void AnUnknownShellIsWrongUsage()
    {
        CliRun run = CliRun.Of("completion", "tcsh");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.StartWith("perfcache: 'tcsh' is no shell that is known here: bash, zsh and fish are"));
    }

    [TestCase("bash")]
    [TestCase("zsh")]
    [TestCase("fish")]
    public void TheShellCanReadTheScript(string shell)
    {
        (int exitCode, string text) = Shell(shell, "-n", ScriptOf(shell));
        Assert.That((exitCode, text), Is.EqualTo((0, "")));
    }

    [TestCase("rep", ExpectedResult = "replay")]
    [TestCase("trace con", ExpectedResult = "convert")]
    [TestCase("numa resi", ExpectedResult = "residency")]
    [TestCase("replay --outc", ExpectedResult = "--outcomes")]
    [TestCase("replay --policy linux-", ExpectedResult = "linux-3.15 linux-6")]
    [TestCase("replay --policy lru,siev", ExpectedResult = "lru,sieve")]
    [TestCase("replay --policy = lru,siev", ExpectedResult = "lru,sieve", Description = "as bash cuts --policy=lru,siev")]
    [TestCase("replay --touch ", ExpectedResult = "none line all")]
    [TestCase("replay --frames ", ExpectedResult = "", Description = "a number is nobody's guess")]
    [TestCase("mrc --format vs", ExpectedResult = "vscsi")]
    [TestCase("puma conc", ExpectedResult = "concurrent")]
    [TestCase("puma concurrent --profile linux-3.15,", ExpectedResult = "linux-3.15,linux-3.15 linux-3.15,linux-6")]
    [TestCase("flip --placement sw", ExpectedResult = "swap")]
    [TestCase("lend --quo", ExpectedResult = "--quota")]
    [TestCase("completion f", ExpectedResult = "fish")]
    [TestCase("record -- cat no-such-file-h", ExpectedResult = "")]
    [TestCase("replay trace info --limi", ExpectedResult = "--limit", Description = "a file may be called as a command")]
    public string BashCompletes(string typed)
    {
        (int exitCode, string text) = Shell(
            "bash", ["-c", AskBash, "ask", ScriptOf("bash"), "perfcache", .. typed.Split(' ')]);
        Assert.That(exitCode, Is.Zero, text);
        return string.Join(' ', text.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Test]
    public void BashCompletesFilesWhereFilesAreWanted()
    {
        File.WriteAllText(PathOf("a disk.vscsi"), "");
        (_, string trace) = Shell("bash", "-c", AskBash, "ask", ScriptOf("bash"), "perfcache", "replay", PathOf("a di"));
        Assert.That(trace.Trim(), Is.EqualTo(PathOf("a disk.vscsi")));
        (_, string output) = Shell(
            "bash", "-c", AskBash, "ask", ScriptOf("bash"), "perfcache", "trace", "convert", "-o", PathOf("a di"));
        Assert.That(output.Trim(), Is.EqualTo(PathOf("a disk.vscsi")));
    }

    [TestCase("perfcache rep", ExpectedResult = "replay")]
    [TestCase("perfcache replay --outc", ExpectedResult = "--outcomes")]
    [TestCase("perfcache replay --policy siev", ExpectedResult = "sieve")]
    [TestCase("perfcache replay --policy lru,siev", ExpectedResult = "lru,sieve")]
    [TestCase("perfcache trace con", ExpectedResult = "convert")]
    public string FishCompletes(string typed)
    {
        (int exitCode, string text) = Shell("fish", "-c", $"source {ScriptOf("fish")}; complete -C '{typed}'");
        Assert.That(exitCode, Is.Zero, text);
        // A word, a tab, and what it means.
        return string.Join(' ', text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t')[0]));
    }

    private static CliContext NewContext() => new() { Out = TextWriter.Null, Error = TextWriter.Null };

    private static IEnumerable<string> PathsOf(Command command, string path) => command.Subcommands
        .SelectMany(below => PathsOf(below, $"{path} {below.Name}")).Prepend(path);

    private string ScriptOf(string shell)
    {
        CliRun run = CliRun.Of("completion", shell);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        string script = PathOf("script." + shell);
        File.WriteAllText(script, run.Out);
        return script;
    }

    private static (int ExitCode, string Text) Shell(string shell, params string[] arguments)
    {
        ProcessStartInfo start = new(shell, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Ignore($"{shell} is not on this machine");
            throw;
        }

        using (process)
        {
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            if (!process.WaitForExit(TimeSpan.FromSeconds(30))) process.Kill();
            return (process.ExitCode, output + errors.GetAwaiter().GetResult());
        }
    }
}
