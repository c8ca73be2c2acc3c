// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Traces;

/// <summary>
/// Goal: where a buffer or a block ends must not be visible in the requests. Method: every format is read
/// with tiny buffers and blocks, so that every record and line is cut somewhere, and compared with one read
/// in one piece.
/// </summary>
internal sealed class TraceBoundaryTests
{
    [TestCaseSource(typeof(SampleTraces), nameof(SampleTraces.Names))]
    public void TheSameRequestsWhateverTheSizesOfBuffersAndBlocks(string name)
    {
        byte[] bytes = SampleTraces.Bytes(name);
        List<Request> expected = TraceBytes.Read(bytes, SampleTraces.Options(name));
        Assert.That(expected, Has.Count.GreaterThanOrEqualTo(15));
        foreach (int bufferBytes in (int[])[1, 2, 16, 17, 31, 64, 1000])
            foreach (int capacity in (int[])[1, 3, 64 * 1024])
                Assert.That(
                    TraceBytes.Read(bytes, SampleTraces.Options(name, bufferBytes), capacity),
                    Is.EqualTo(expected),
                    $"buffer of {bufferBytes} bytes, block of {capacity} requests");
    }

    [TestCaseSource(typeof(SampleTraces), nameof(SampleTraces.Names))]
    public void TheIdsAreTheSameWhenNoOtherColumnIsWanted(string name)
    {
        byte[] bytes = SampleTraces.Bytes(name);
        using ITraceReader reader = TraceBytes.Source(bytes, SampleTraces.Options(name)).Open();
        var block = new TraceBlock(capacity: 7);
        var ids = new List<ulong>();
        while (reader.Read(block))
            ids.AddRange(block.Ids.AsSpan(0, block.Count));
        Assert.That(ids, Is.EqualTo(TraceBytes.Ids(bytes, SampleTraces.Options(name))));
    }

    [TestCaseSource(typeof(SampleTraces), nameof(SampleTraces.Names))]
    public void ProgressGoesFromNothingToOne(string name)
    {
        using ITraceReader reader =
            TraceBytes.Source(SampleTraces.Bytes(name), SampleTraces.Options(name, bufferBytes: 16)).Open();
        var block = new TraceBlock(capacity: 1);
        double last = 0;
        while (reader.Read(block))
        {
            Assert.That(reader.Progress, Is.InRange(last, 1.0));
            last = reader.Progress;
        }
        Assert.That(reader.Progress, Is.EqualTo(1.0));
    }

    [TestCaseSource(typeof(SampleTraces), nameof(SampleTraces.Names))]
    public void AtTheEndAReaderStaysThere(string name)
    {
        using ITraceReader reader =
            TraceBytes.Source(SampleTraces.Bytes(name), SampleTraces.Options(name)).Open();
        var block = new TraceBlock();
        while (reader.Read(block)) { }
        Assert.That(reader.Read(block), Is.False);
        Assert.That(block.Count, Is.Zero);
    }
}
