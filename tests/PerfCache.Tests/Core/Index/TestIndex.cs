// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Index;

/// <summary>An index with frames of its own, and the steps by which a cache changes it.</summary>
internal sealed class TestIndex : IDisposable
{
    private readonly Stack<FrameId> _free = [];

    internal TestIndex(uint frameCount = 256, bool keepsDirectories = false)
    {
        Frames = new FrameTable(frameCount, 0, Meter);
        Index = new PageIndex(Frames, Meter) { KeepsDirectories = keepsDirectories };
        for (uint frame = frameCount; frame > 0; frame--) _free.Push(new FrameId(frame));
    }

    internal MemoryMeter Meter { get; } = new();

    internal FrameTable Frames { get; }

    internal PageIndex Index { get; }

    /// <summary>One list, whose ages need no buckets.</summary>
    internal static ShadowFormat Format { get; } = new(0, 1000);

    internal SlotEntry Entry(ObjectId owner, ulong page) => Index.Entry(Index.FindSlot(owner, page));

    /// <summary>The leaf of a page that has one.</summary>
    internal uint BlockOf(ObjectId owner, ulong page) => Index.FindSlot(owner, page) >> IndexBlocks.SlotBits;

    /// <summary>Brings a page in.</summary>
    /// <returns>Its frame, and the shadow that it found.</returns>
    internal (FrameId Frame, ShadowEntry Shadow) Enter(ObjectId owner, ulong page)
    {
        FrameId frame = _free.Pop();
        uint address = Index.FindSlot(owner, page);
        if (address < IndexBlocks.SlotCount) address = Index.AddLeaf(owner, page);
        ShadowEntry shadow = Index.Install(address, frame);
        ref FrameHead head = ref Frames.Head(frame);
        head.Key = new PageKey(owner, page);
        head.State = head.State.With(FrameState.Live);
        return (frame, shadow);
    }

    internal FrameId Put(ObjectId owner, ulong page) => Enter(owner, page).Frame;

    /// <summary>Takes a page out, which leaves a shadow.</summary>
    internal ShadowEntry Evict(FrameId frame, ulong age = 1)
    {
        ShadowEntry shadow = Format.Pack(age, 0, false);
        Index.ReplaceByShadow(Frames.Slot(frame), shadow);
        Free(frame);
        return shadow;
    }

    /// <summary>Brings pages in and takes them out again, each with a shadow.</summary>
    internal void PutShadows(ObjectId owner, params ulong[] pages)
    {
        foreach (ulong page in pages) Evict(Put(owner, page));
    }

    /// <summary>Takes a page out, which leaves nothing.</summary>
    internal void Clear(FrameId frame)
    {
        Index.ClearFrame(Frames.Slot(frame));
        Free(frame);
    }

    /// <summary>Empties all slots of an object, as its removal does, and removes it.</summary>
    internal void Remove(ObjectId owner)
    {
        Index.Walk(owner, 0, PageKey.PageMax, (_, address, entry) =>
        {
            if (entry.IsFrame) Clear(entry.Frame);
            else Index.ClearShadow(address);
        });
        Index.RemoveObject(owner);
    }

    /// <summary>What the cache does with a frame that its page has left.</summary>
    internal void Free(FrameId frame)
    {
        Frames.State(frame) = Frames.State(frame).Freed();
        _free.Push(frame);
    }

    public void Dispose()
    {
        Index.Dispose();
        Frames.Dispose();
        Assert.That(Meter.OutstandingBytes, Is.Zero);
    }
}
