// SPDX-License-Identifier: MIT
using OwnPolicy;
using PerfCache.Cache;
using PerfCache.Cli;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Cli;

/// <summary>Goal: a policy from outside is like one of ours. Method: the sample project's two, in the whole command.</summary>
[TestFixture]
public sealed class OwnPolicyTests
{
    private const string Loop = "loop:objects=1000,requests=10000";

    [Test]
    public void APolicyOfAProgramReplaysAndStandsInTheHelp()
    {
        // After the first round mru keeps 499 of the loop's pages, and one frame serves all the others.
        CliRun run = Run("replay", Loop, "--policy", "mru,lru", "--frames", "500", "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        string[] lines = run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines[0], Does.Contain("\"policy\":\"mru\"").And.Contain("\"misses\":5500"));
        Assert.That(lines[1], Does.Contain("\"policy\":\"lru\"").And.Contain("\"misses\":10000"));
        string help = Run("replay", "--help").Out;
        Assert.That(help, Does.Contain("most recently used: for loops").And.Contain("hits: hits that save a page"));
    }

    [Test]
    public void AFlagRuleOfAProgramRunsLiveAndAListRuleSaysWhyNot()
    {
        CliRun run = Run("replay", Loop, "--live", "--policy", "nth-chance:hits=1", "--frames", "500", "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Contain("\"policy\":\"nth-chance:hits=1\""));
        run = Run("replay", Loop, "--live", "--policy", "mru", "--frames", "500");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.Contain("'mru' moves pages on every hit"));
    }

    [Test]
    public void ParametersAreChecked()
    {
        CliRun run = Run("replay", Loop, "--policy", "nth-chance:hits=256", "--frames", "500");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.Contain("hits must be an integer from 1 to 255, not '256'"));
        Assert.That(() => PolicyCatalog.BuiltIn.With(PolicyEntry.ForListRules("lru", "", _ => new Mru())),
            Throws.ArgumentException.With.Message.Contains("'lru' exists"));
    }

    [Test]
    public void TheRulesKeepTheirInvariants()
    {
        Check(new Mru());
        Check(new NthChance(2));
    }

    private static void Check<TRules>(TRules rules) where TRules : struct, IReplacementRules
    {
        MemoryMeter meter = new();
        Random random = TestSeed.Random(1);
        using (MetadataCache<TRules, ReplayMode> cache = new(20, rules, meter))
        {
            ObjectId owner = cache.AddObject(100, dense: true);
            PageReader reader = default;
            for (int i = 0; i < 2000; i++)
            {
                ulong page = (ulong)random.Next(100);
                if (random.Next(20) == 0) cache.Remove(owner, page);
                else cache.Access(owner, page, ref reader);
                cache.Validate();
            }

            Assert.That(cache.Statistics.Evictions, Is.Positive);
        }

        Assert.That(meter.OutstandingBytes, Is.Zero);
    }

    private static CliRun Run(params string[] args)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        CliContext context = new() { Out = output, Error = error, Policies = OwnPolicy.Program.Policies };
        return new CliRun(CommandLine.Run(args, context), output.ToString(), error.ToString());
    }
}
