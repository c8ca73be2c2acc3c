// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

/// <summary>Who meets in the ring of two slots.</summary>
internal enum FlipRingScenario
{
    /// <summary>One to one: two pages published and two taken, a page in one slot.</summary>
    OneToOne,

    /// <summary>The same, with frames that have no data.</summary>
    OneToOneFrames,

    /// <summary>One to one, pages in both slots: the consumer makes room.</summary>
    OneToOneFullRing,

    /// <summary>One to one, free frames in both slots.</summary>
    OneToOneEmptyRing,

    /// <summary>One to one: a page published and one taken, and a free frame collected.</summary>
    OneToOneCollector,

    /// <summary>Many to many, a producer and a consumer, pages in both slots: the consumer makes room.</summary>
    FullRing,

    /// <summary>Many to many, a producer and a consumer, free frames in both slots.</summary>
    EmptyRing,

    /// <summary>Two producers, free frames in both slots.</summary>
    TwoProducers,

    /// <summary>Two consumers, pages in both slots.</summary>
    TwoConsumers,

    /// <summary>Three producers, free frames in both slots, which have no data.</summary>
    ThreeProducers,

    /// <summary>Two producers and a consumer, a page in one slot: one of the producers needs what the consumer leaves.
    /// </summary>
    TwoProducersOneConsumer,

    /// <summary>A producer and two consumers, a page in one slot.</summary>
    OneProducerTwoConsumers,

    /// <summary>Two producers and two consumers, free frames in both slots.</summary>
    TwoByTwo,

    /// <summary>Two producers and two consumers, a page in one slot.</summary>
    TwoByTwoHalfFull,

    /// <summary>The same as <see cref="TwoByTwo"/>, with frames that have no data.</summary>
    TwoByTwoFrames,

    /// <summary>The same as <see cref="TwoByTwoHalfFull"/>, with frames that have no data.</summary>
    TwoByTwoHalfFullFrames,

    /// <summary>A producer meets a collector, and a consumer takes what is published.</summary>
    Collector,

    /// <summary>A producer that is two laps late, with turns that wrap after two laps.</summary>
    LateProducer,

    /// <summary>A consumer that is two laps late, with turns that wrap after two laps.</summary>
    LateConsumer,
}

internal static class FlipRingScenarios
{
    /// <summary>The bits of a turn that wraps after two laps.</summary>
    private const ulong TwoLaps = 3;

    /// <summary>Visits all states of a scenario.</summary>
    /// <param name="scenario">Who meets.</param>
    /// <param name="fault">What is taken out.</param>
    /// <param name="kind">On what machine. On the weak one a compare-exchange only acquires and releases.</param>
    /// <param name="stateMax">The bound.</param>
    internal static Exploration Explore(
        FlipRingScenario scenario, FlipRingFault fault, MachineKind kind = MachineKind.Weak, int stateMax = 4_000_000)
    {
        FlipRingModel model = Build(scenario, fault);
        Exploration exploration = StepwiseExplorer.Explore(model.Model, kind, stateMax, secondsMax: 600);
        TestContext.Out.WriteLine(exploration);
        Assert.That(exploration.Outcome, Is.Not.EqualTo(ExplorationOutcome.Bounded), exploration.ToString());
        return exploration;
    }

    private static FlipRingModel Build(FlipRingScenario scenario, FlipRingFault fault)
    {
        bool hasData = scenario is not (FlipRingScenario.LateProducer or FlipRingScenario.LateConsumer
            or FlipRingScenario.ThreeProducers or FlipRingScenario.OneToOneFrames
            or FlipRingScenario.TwoByTwoFrames or FlipRingScenario.TwoByTwoHalfFullFrames);
        FlipRingModel New(int full, int frameCount, ulong turnMask = 0xFF) =>
            new($"{scenario} ({fault})", fault, Ordering.AcquireRelease, head: 2, full, frameCount, turnMask, hasData);

        FlipRingModel model;
        switch (scenario)
        {
            case FlipRingScenario.OneToOneFullRing or FlipRingScenario.OneToOneEmptyRing:
                model = New(full: scenario == FlipRingScenario.OneToOneFullRing ? 2 : 0, frameCount: 4);
                model.ProduceAlone(model.Model.Thread("producer"), 3);
                model.ConsumeAlone(model.Model.Thread("consumer"), 4);
                return model;
            case FlipRingScenario.OneToOne or FlipRingScenario.OneToOneFrames:
                model = New(full: 1, frameCount: 6);
                model.ProduceAlone(model.Model.Thread("producer"), 3, 4);
                model.ConsumeAlone(model.Model.Thread("consumer"), 5, 6);
                return model;
            case FlipRingScenario.OneToOneCollector:
                model = New(full: 1, frameCount: 4);
                model.ProduceAlone(model.Model.Thread("producer"), 0, 3, 0);
                model.ConsumeAlone(model.Model.Thread("consumer"), 4);
                return model;
            case FlipRingScenario.Collector:
                model = New(full: 0, frameCount: 4);
                model.Publish(model.Model.Thread("producer"), 3);
                model.Collect(model.Model.Thread("collector"));
                model.Flip(model.Model.Thread("consumer"), 4);
                return model;
            case FlipRingScenario.LateProducer:
                model = New(full: 0, frameCount: 9, TwoLaps);
                Both(model, 3, 4, -5, -6, 7, 8);
                model.Publish(model.Model.Thread("late producer"), 9);
                return model;
            case FlipRingScenario.LateConsumer:
                model = New(full: 2, frameCount: 9, TwoLaps);
                Both(model, -3, -4, 5, 6, -7, -8);
                model.Flip(model.Model.Thread("late consumer"), 9);
                return model;
        }

        (int producers, int consumers, int full) = scenario switch
        {
            FlipRingScenario.FullRing => (1, 1, 2),
            FlipRingScenario.EmptyRing => (1, 1, 0),
            FlipRingScenario.TwoProducers => (2, 0, 0),
            FlipRingScenario.ThreeProducers => (3, 0, 0),
            FlipRingScenario.TwoConsumers => (0, 2, 2),
            FlipRingScenario.TwoProducersOneConsumer => (2, 1, 1),
            FlipRingScenario.OneProducerTwoConsumers => (1, 2, 1),
            FlipRingScenario.TwoByTwo or FlipRingScenario.TwoByTwoFrames => (2, 2, 0),
            _ => (2, 2, 1),
        };
        model = New(full, 2 + producers + consumers);
        ulong frame = 3;
        for (int i = 1; i <= producers; i++) model.Publish(model.Model.Thread($"producer {i}"), frame++);
        for (int i = 1; i <= consumers; i++) model.Flip(model.Model.Thread($"consumer {i}"), frame++);
        return model;
    }

    // The others, while one thread is late: publishes of these frames and, where negative, flips, each done for all to
    // see before the next one.
    private static void Both(FlipRingModel model, params int[] frames)
    {
        StepwiseThread both = model.Model.Thread("both ends");
        foreach (int frame in frames)
        {
            if (frame > 0) model.Publish(both, (ulong)frame);
            else model.Flip(both, (ulong)-frame);
            both.FullFence("a long time passes");
        }
    }
}
