// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Lists;

/// <summary>Goal: the pair of lists keeps frames where their flags say, and finds out when they are not there.</summary>
[TestFixture]
internal sealed class ActiveInactiveListsTests
{
    private readonly MemoryMeter _meter = new();
    private FrameTable _frames = null!;
    private ActiveInactiveLists _lists = null!;

    [SetUp]
    public void MakeLists()
    {
        _frames = new FrameTable(20, 0, _meter);
        _lists = new(_frames, new FrameList(_frames, "active list"), new FrameList(_frames, "inactive list"));
    }

    [TearDown]
    public void NothingIsOut()
    {
        _frames.Dispose();
        Assert.That(_meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void ABatchGoesWhereItsFlagsSayInItsOrder()
    {
        FrameId[] batch = [.. Enumerable.Range(1, 7).Select(id => new FrameId((uint)id))];
        foreach (uint id in (uint[])[2, 3, 7]) _frames.SetFlags(new FrameId(id), FrameState.Active);
        _lists.Add([]);
        _lists.Add(batch);
        Assert.That(Dump(_lists.Active), Is.EqualTo(new uint[] { 7, 3, 2 }));
        Assert.That(Dump(_lists.Inactive), Is.EqualTo(new uint[] { 6, 5, 4, 1 }));
        _lists.Validate();
    }

    [Test]
    public void ActivationSetsTheFlagAndAFrameLeavesTheListItIsOn()
    {
        for (uint id = 1; id <= 4; id++) _lists.Add(new FrameId(id));
        _lists.Activate(new FrameId(2));
        _lists.Activate(new FrameId(3));
        Assert.That(_frames.IsActive(new FrameId(2)) && !_frames.IsActive(new FrameId(1)));
        _lists.Add(new FrameId(5));
        _lists.Remove(new FrameId(2));
        Assert.That((_lists.Active.Count, _lists.Inactive.Count), Is.EqualTo((1u, 3u)));
        _lists.Remove(new FrameId(4));
        Assert.That(Dump(_lists.Active), Is.EqualTo(new uint[] { 3 }));
        Assert.That(Dump(_lists.Inactive), Is.EqualTo(new uint[] { 5, 1 }));
        Assert.That((_lists.Active.Count, _lists.Inactive.Count), Is.EqualTo((1u, 2u)));
        _lists.Validate();
    }

    [Test]
    public void AFrameGoesToTheHeadOfTheListThatItsFlagNames()
    {
        _frames.SetFlags(new FrameId(2), FrameState.Active);
        for (uint id = 1; id <= 3; id++) _lists.Add(new FrameId(id));
        Assert.That(Dump(_lists.Active), Is.EqualTo(new uint[] { 2 }));
        Assert.That(Dump(_lists.Inactive), Is.EqualTo(new uint[] { 3, 1 }));
    }

    [TestCase(0, 0)]
    [TestCase(2, 2)]
    [TestCase(9, 3)]
    public void AsManyAreDeactivatedAsThereAreAndFit(int room, int expected)
    {
        for (uint id = 1; id <= 4; id++) _lists.Add(new FrameId(id));
        for (uint id = 1; id <= 3; id++) _lists.Activate(new FrameId(id));
        Assert.That(_lists.DeactivateTail(new FrameId[room], FrameState.Workingset), Is.EqualTo(expected));
        for (uint id = 1; id <= 4; id++)
        {
            FrameState state = _frames.State(new FrameId(id));
            Assert.That(state.Has(FrameState.Workingset), Is.EqualTo(id <= expected), $"frame {id}");
            Assert.That(_frames.IsActive(new FrameId(id)), Is.EqualTo(id > expected && id <= 3), $"frame {id}");
        }

        Assert.That(_lists.Inactive.Count, Is.EqualTo(expected + 1));
        _lists.Validate();
    }

    [TestCase(true, "inactive list: expected A1: no active flag, found 2")]
    [TestCase(false, "active list: expected A1: the active flag, found 1")]
    public void AFlagThatDoesNotFitTheListIsNamed(bool sets, string message)
    {
        _lists.Add(new FrameId(1));
        _lists.Activate(new FrameId(1));
        _lists.Add(new FrameId(2));
        if (sets) _frames.SetFlags(new FrameId(2), FrameState.Active);
        else _frames.ClearFlags(new FrameId(1), FrameState.Active, 0);
        Assert.That(_lists.Validate, Throws.TypeOf<InvariantException>().With.Message.EqualTo(message));
    }

    [Test]
    public void EitherBrokenRingIsFound([Values] bool active)
    {
        for (uint id = 1; id <= 6; id++) _lists.Add(new FrameId(id));
        for (uint id = 1; id <= 3; id++) _lists.Activate(new FrameId(id));
        _frames.Link(active ? 2u : 5u).Previous = 9;
        Assert.That(_lists.Validate, Throws.TypeOf<InvariantException>().With.Message.StartsWith(
            active ? "active list: expected L1" : "inactive list: expected L1"));
    }

    private static List<uint> Dump(FrameList list) => [.. list.FromHead().Select(frame => frame.Value)];
}
