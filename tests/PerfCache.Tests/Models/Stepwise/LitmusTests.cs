// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

/// <summary>
/// Goal: the explorer allows what weakly ordered machines may do, all of it and nothing else. Method: the
/// classic litmus tests; each names every outcome that must be reachable, and any other is a failure.
/// </summary>
[TestFixture]
internal sealed class LitmusTests
{
    private const Ordering Plain = Ordering.Plain;
    private const Ordering Acquire = Ordering.Acquire;
    private const Ordering Release = Ordering.Release;

    // Message passing: the outcome "1 0" saw the flag and not the data.
    [TestCase(MachineKind.Weak, Plain, Plain, false, false, ExpectedResult = "0 0|0 1|1 0|1 1")]
    [TestCase(MachineKind.Weak, Release, Plain, false, false, ExpectedResult = "0 0|0 1|1 0|1 1")]
    [TestCase(MachineKind.Weak, Plain, Acquire, false, false, ExpectedResult = "0 0|0 1|1 0|1 1")]
    [TestCase(MachineKind.Weak, Plain, Plain, true, false, ExpectedResult = "0 0|0 1|1 0|1 1")]
    [TestCase(MachineKind.Weak, Plain, Plain, false, true, ExpectedResult = "0 0|0 1|1 0|1 1")]
    [TestCase(MachineKind.Weak, Release, Acquire, false, false, ExpectedResult = "0 0|0 1|1 1")]
    [TestCase(MachineKind.Weak, Plain, Plain, true, true, ExpectedResult = "0 0|0 1|1 1")]
    [TestCase(MachineKind.Weak, Release, Plain, false, true, ExpectedResult = "0 0|0 1|1 1")]
    [TestCase(MachineKind.TotalStoreOrder, Plain, Plain, false, false, ExpectedResult = "0 0|0 1|1 1")]
    public string MessagePassing(
        MachineKind kind, Ordering store, Ordering load, bool writeBarrier, bool readBarrier
    ) => Outcomes(kind, model =>
    {
        (Word data, Word flag) = (model.Word("data"), model.Word("flag"));
        StepwiseThread writer = model.Thread("writer"), reader = model.Thread("reader");
        writer.Store("data", data, 1);
        if (writeBarrier) writer.WriteBarrier("barrier");
        writer.Store("flag", flag, 1, store);
        (Register sawFlag, Register sawData) = (reader.Register("flag"), reader.Register("data"));
        reader.Load("flag", flag, sawFlag, load);
        if (readBarrier) reader.ReadBarrier("barrier");
        reader.Load("data", data, sawData);
        return [sawFlag, sawData];
    });

    internal enum Fence
    {
        None, Full, Locked, Process, Release,
    }

    // Store buffering: the outcome "0 0" missed both stores.
    [TestCase(MachineKind.Weak, Fence.None, Fence.None, ExpectedResult = "0 0|0 1|1 0|1 1")]
    [TestCase(MachineKind.Weak, Fence.Full, Fence.None, ExpectedResult = "0 0|0 1|1 0|1 1")]
    [TestCase(MachineKind.Weak, Fence.Release, Fence.Release, ExpectedResult = "0 0|0 1|1 0|1 1")]
    [TestCase(MachineKind.Weak, Fence.Full, Fence.Full, ExpectedResult = "0 1|1 0|1 1")]
    [TestCase(MachineKind.Weak, Fence.Locked, Fence.Full, ExpectedResult = "0 1|1 0|1 1")]
    [TestCase(MachineKind.Weak, Fence.None, Fence.Process, ExpectedResult = "0 1|1 0|1 1")]
    [TestCase(MachineKind.TotalStoreOrder, Fence.None, Fence.None, ExpectedResult = "0 0|0 1|1 0|1 1")]
    [TestCase(MachineKind.TotalStoreOrder, Fence.None, Fence.Process, ExpectedResult = "0 1|1 0|1 1")]
    [TestCase(MachineKind.TotalStoreOrder, Fence.Full, Fence.Full, ExpectedResult = "0 1|1 0|1 1")]
    public string StoreBuffering(MachineKind kind, Fence firstFence, Fence secondFence) => Outcomes(kind, model =>
    {
        Word[] words = [model.Word("x"), model.Word("y")];
        Word elsewhere = model.Word("elsewhere");
        Register[] saw = new Register[2];
        for (int own = 0; own < 2; own++)
        {
            Fence fence = own == 0 ? firstFence : secondFence;
            StepwiseThread thread = model.Thread($"thread {own}");
            saw[own] = thread.Register("other");
            thread.Store("store", words[own], 1, fence == Fence.Release ? Release : Plain);
            if (fence == Fence.Full) thread.FullFence("fence");
            if (fence == Fence.Locked) thread.Add("locked", elsewhere, 1);
            if (fence == Fence.Process) thread.ProcessBarrier("fence everybody");
            thread.Load("load", words[1 - own], saw[own]);
        }

        return saw;
    });

    // Load buffering: the outcome "1 1" read both stores from the future, which arm64 and .NET allow.
    [TestCase(MachineKind.Weak, Plain, Plain, false, ExpectedResult = "0 0|0 1|1 0|1 1")]
    [TestCase(MachineKind.Weak, Acquire, Plain, false, ExpectedResult = "0 0|0 1|1 0")]
    [TestCase(MachineKind.Weak, Plain, Release, false, ExpectedResult = "0 0|0 1|1 0")]
    [TestCase(MachineKind.Weak, Plain, Plain, true, ExpectedResult = "0 0|0 1|1 0")]
    [TestCase(MachineKind.TotalStoreOrder, Plain, Plain, false, ExpectedResult = "0 0|0 1|1 0")]
    public string LoadBuffering(MachineKind kind, Ordering load, Ordering store, bool barrier) => Outcomes(kind, model =>
    {
        Word[] words = [model.Word("x"), model.Word("y")];
        Register[] saw = new Register[2];
        for (int own = 0; own < 2; own++)
        {
            StepwiseThread thread = model.Thread($"thread {own}");
            saw[own] = thread.Register("own");
            thread.Load("load", words[own], saw[own], load);
            if (barrier && own == 0) thread.ReadBarrier("barrier");
            if (barrier && own == 1) thread.WriteBarrier("barrier");
            thread.Store("store", words[1 - own], 1, store);
        }

        return saw;
    });

    [Test]
    public void NoValueComesOutOfThinAir([Values] bool byControl) => Assert.That(
        Outcomes(MachineKind.Weak, model =>
        {
            Word[] words = [model.Word("x"), model.Word("y")];
            Register[] saw = new Register[2];
            for (int own = 0; own < 2; own++)
            {
                StepwiseThread thread = model.Thread($"thread {own}");
                Register read = saw[own] = thread.Register("own");
                thread.Load("load", words[own], read);
                if (byControl) thread.Branch(registers => registers[read] == 0, "end");
                thread.Store("copy", words[1 - own], registers => byControl ? 1 : registers[read]);
                thread.Target("end");
            }

            return saw;
        }),
        Is.EqualTo("0 0"));

    [Test]
    public void OneWordNeverGoesBack([Values] MachineKind kind) => Assert.That(
        Outcomes(kind, model =>
        {
            Word word = model.Word("x");
            StepwiseThread writer = model.Thread("writer"), reader = model.Thread("reader");
            writer.Store("1", word, 1);
            writer.Store("2", word, 2);
            (Register first, Register second) = (reader.Register("first"), reader.Register("second"));
            reader.Load("first", word, first);
            reader.Load("second", word, second);
            return [first, second];
        }),
        Is.EqualTo("0 0|0 1|0 2|1 1|1 2|2 2"));

    [Test]
    public void AThreadSeesItsOwnStoresAndNothingOlder() => Assert.That(
        Outcomes(MachineKind.Weak, model =>
        {
            Word word = model.Word("x");
            StepwiseThread other = model.Thread("other"), own = model.Thread("own");
            other.Store("2", word, 2);
            (Register first, Register second) = (own.Register("before"), own.Register("after"));
            own.Load("before", word, first);
            own.Store("1", word, 1);
            own.Load("after", word, second);
            return [first, second];
        }),
        Is.EqualTo("0 1|0 2|2 1"));

    // Two threads write both words: the last values are "1 1" only if each pair of stores went the wrong way
    // round.
    [TestCase(MachineKind.Weak, Plain, ExpectedResult = "1 1|1 2|2 1|2 2")]
    [TestCase(MachineKind.Weak, Release, ExpectedResult = "1 2|2 1|2 2")]
    [TestCase(MachineKind.TotalStoreOrder, Plain, ExpectedResult = "1 2|2 1|2 2")]
    public string WritesToTwoWords(MachineKind kind, Ordering second)
    {
        (Word x, Word y) = (default, default);
        return Outcomes(kind, model =>
        {
            (x, y) = (model.Word("x"), model.Word("y"));
            StepwiseThread left = model.Thread("left"), right = model.Thread("right");
            left.Store("x", x, 1);
            left.Store("y", y, 2, second);
            right.Store("y", y, 1);
            right.Store("x", x, 2, second);
            return [];
        }, world => $"{world[x]} {world[y]}");
    }

    // Independent reads of independent writes: "1 0 1 0" sees two stores in both orders.
    [TestCase(Plain, ExpectedResult = true)]
    [TestCase(Acquire, ExpectedResult = false, Description = "a store takes effect for all at once")]
    public bool ReadersMayDisagreeOnTheOrder(Ordering load) => Outcomes(MachineKind.Weak, model =>
    {
        Word[] words = [model.Word("x"), model.Word("y")];
        List<Register> saw = [];
        foreach (Word word in words) model.Thread("writer").Store("store", word, 1);
        for (int first = 0; first < 2; first++)
        {
            StepwiseThread reader = model.Thread("reader");
            saw.Add(reader.Register("first"));
            reader.Load("first", words[first], saw[^1], load);
            saw.Add(reader.Register("second"));
            reader.Load("second", words[1 - first], saw[^1]);
        }

        return [.. saw];
    }).Split('|').Contains("1 0 1 0");

    [Test]
    public void OrderIsHandedOnThroughAThirdThread([Values(Plain, Release)] Ordering handOn) => Assert.That(
        Outcomes(MachineKind.Weak, model =>
        {
            (Word data, Word first, Word second) = (model.Word("data"), model.Word("first"), model.Word("second"));
            StepwiseThread writer = model.Thread("writer"), reader = model.Thread("reader");
            StepwiseThread middle = model.Thread("middle");
            writer.Store("data", data, 1);
            writer.Store("first", first, 1, Release);
            Register sawFirst = middle.Register("first");
            middle.Load("first", first, sawFirst, Plain);
            middle.Store("second", second, registers => registers[sawFirst], handOn);
            (Register sawSecond, Register sawData) = (reader.Register("second"), reader.Register("data"));
            reader.Load("second", second, sawSecond, Acquire);
            reader.Load("data", data, sawData);
            return [sawSecond, sawData];
        }).Split('|'),
        Does.Not.Contain("1 0").And.Contain("1 1"));

    // What follows an acquire-release operation may pass its write; nothing passes a full fence.
    [TestCase(Ordering.AcquireRelease, ExpectedResult = "0 0|0 1|1 0|1 1")]
    [TestCase(Ordering.Full, ExpectedResult = "0 0|0 1|1 1")]
    public string AStoreBehindALockedOperation(Ordering locked) => Outcomes(MachineKind.Weak, model =>
    {
        (Word word, Word later) = (model.Word("word"), model.Word("later"));
        StepwiseThread writer = model.Thread("writer"), reader = model.Thread("reader");
        writer.Add("locked add", word, 1, locked);
        writer.Store("later", later, 1);
        (Register sawLater, Register sawWord) = (reader.Register("later"), reader.Register("word"));
        reader.Load("later", later, sawLater, Acquire);
        reader.Load("word", word, sawWord);
        return [sawLater, sawWord];
    });

    [TestCase(Ordering.Full, ExpectedResult = "2")]
    [TestCase(Ordering.AcquireRelease, ExpectedResult = "2")]
    [TestCase(Plain, ExpectedResult = "2", Description = "locked without any order")]
    [TestCase(null, ExpectedResult = "1|2", Description = "a load and a store")]
    public string TwoThreadsCount(Ordering? locked)
    {
        Word count = default;
        return Outcomes(MachineKind.Weak, model =>
        {
            count = model.Word("count");
            foreach (StepwiseThread thread in new[] { model.Thread("left"), model.Thread("right") })
            {
                Register old = thread.Register("old");
                if (locked is Ordering ordering)
                {
                    thread.Add("locked add", count, 1, ordering);
                    continue;
                }

                thread.Load("load", count, old);
                thread.Store("store", count, registers => registers[old] + 1);
            }

            return [];
        }, world => $"{world[count]}");
    }

    // A sequence lock with two data words: torn data is "1 2" or "2 1".
    [TestCase(true, true, true, ExpectedResult = "1 1|2 2|retry")]
    [TestCase(false, true, true, ExpectedResult = "1 1|1 2|2 1|2 2|retry", Description = "no acquire")]
    [TestCase(true, false, true, ExpectedResult = "1 1|1 2|2 1|2 2|retry", Description = "no read barrier")]
    [TestCase(true, true, false, ExpectedResult = "1 1|1 2|2 1|2 2|retry", Description = "no write barrier")]
    public string SequenceLock(bool acquires, bool readBarrier, bool writeBarrier)
    {
        (Register before, Register after, Register left, Register right) = (default, default, default, default);
        return Outcomes(MachineKind.Weak, model =>
        {
            (Word version, Word x, Word y) = (model.Word("version"), model.Word("x", 1), model.Word("y", 1));
            StepwiseThread writer = model.Thread("writer"), reader = model.Thread("reader");
            writer.Store("odd", version, 1);
            if (writeBarrier) writer.WriteBarrier("barrier");
            writer.Store("x", x, 2);
            writer.Store("y", y, 2);
            writer.Store("even", version, 2, Release);
            before = reader.Register("before");
            after = reader.Register("after");
            left = reader.Register("x");
            right = reader.Register("y");
            reader.Load("before", version, before, acquires ? Acquire : Plain);
            reader.Load("x", x, left);
            reader.Load("y", y, right);
            if (readBarrier) reader.ReadBarrier("barrier");
            reader.Load("after", version, after);
            return [];
        }, world => world[before] != world[after] || world[before] % 2 == 1
            ? "retry" : $"{world[left]} {world[right]}");
    }

    private static string Outcomes(
        MachineKind kind, Func<StepwiseModel, Register[]> build, Func<World, string>? outcome = null)
    {
        StepwiseModel model = new(TestContext.CurrentContext.Test.Name);
        Register[] registers = build(model);
        outcome ??= world => string.Join(' ', registers.Select(register => world[register]));
        SortedSet<string> outcomes = new(StringComparer.Ordinal);
        Exploration exploration = StepwiseExplorer.Explore(model, kind, atEnd: world => outcomes.Add(outcome(world)));
        TestContext.Out.WriteLine(exploration);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Holds), exploration.ToString());
        return string.Join('|', outcomes);
    }
}
