// SPDX-License-Identifier: MIT
using System.Buffers;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Cache.Sources;

/// <summary>Goal: a view is the page itself, costs nothing when pooled, and is of no use after its
/// return.</summary>
[TestFixture]
public sealed unsafe class NativePageTests
{
    private PageMemory _memory = null!;
    private MemoryMeter _meter = null!;

    [SetUp]
    public void MakeMemory()
    {
        _meter = new MemoryMeter();
        _memory = new PageMemory(4, 4096, _meter);
        _memory.EnsureFrames(4);
    }

    [TearDown]
    public void NothingIsOut()
    {
        _memory.Dispose();
        Assert.That(_meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void AViewIsThePageItself()
    {
        NativePage page = NativePage.Rent(_memory.Address(new FrameId(2)), 4096);
        page.Memory.Span[17] = 42;
        Assert.That(_memory.Page(new FrameId(2))[17], Is.EqualTo(42));
        using (MemoryHandle pinned = page.Memory[17..].Pin())
            Assert.That((nuint)pinned.Pointer, Is.EqualTo((nuint)_memory.Address(new FrameId(2)) + 17));
        Assert.That(page.Memory.Length, Is.EqualTo(4096));
        page.Return();
    }

#if DEBUG
    [Test]
    public void DebugBuildsSayThatAViewWasReturned()
    {
        NativePage page = NativePage.Rent(_memory.Address(new FrameId(1)), 4096);
        Memory<byte> kept = page.Memory;
        page.Return();
        // Even when others rent views in between: a debug build never reuses one.
        NativePage other = NativePage.Rent(_memory.Address(new FrameId(2)), 4096);
        Assert.That(
            Assert.Throws<InvariantException>(() => kept.Span.Clear())!.Message,
            Does.Contain("no use after the page's return"));
        Assert.Throws<InvariantException>(() => kept.Pin());
        Assert.Throws<InvariantException>(page.Return);
        other.Return();
    }
#else
    [Test]
    public void AViewThatWasReturnedShowsNothing()
    {
        NativePage page = NativePage.Rent(_memory.Address(new FrameId(1)), 4096);
        Memory<byte> kept = page.Memory;
        page.Return();
        Assert.Throws<ArgumentOutOfRangeException>(() => kept.Span.Clear());
    }

    [Test]
    public void PooledViewsAllocateNothing()
    {
        byte* address = _memory.Address(new FrameId(1));
        for (int i = 0; i < 100; i++) NativePage.Rent(address, 4096).Return();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) NativePage.Rent(address, 4096).Return();
        // Other tests run on other threads and may take views from the pool, so a few may be new.
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1000));
    }
#endif
}
