// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Lists;

/// <summary>
/// The pair of lists of a two-list LRU, with the active flag of the frame state kept in step.
/// </summary>
/// <remarks>
/// <para>A1: a frame on the active list has the active flag; a frame on the inactive list does not.</para>
/// A frame that is on no list may have either: it is on its way (a batch of additions).
/// </remarks>
public sealed class ActiveInactiveLists
{
    private readonly FrameTable _frames;

    internal ActiveInactiveLists(FrameTable frames, FrameList active, FrameList inactive)
    {
        _frames = frames;
        Active = active;
        Inactive = inactive;
    }

    /// <summary>Pages in regular use.</summary>
    public FrameList Active { get; }

    /// <summary>Pages on trial: newly come, or deactivated.</summary>
    public FrameList Inactive { get; }

    /// <summary>Links a frame that is on no list at the head of the list that its active flag names.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(FrameId frame)
    {
        if (_frames.IsActive(frame)) Active.PushHead(frame);
        else Inactive.PushHead(frame);
    }

    /// <summary>As <see cref="Add(FrameId)"/> for a batch, in order: the last ends as the youngest.</summary>
    public void Add(ReadOnlySpan<FrameId> frames)
    {
        while (!frames.IsEmpty)
        {
            bool active = _frames.IsActive(frames[0]);
            int run = 1;
            while (run < frames.Length && _frames.IsActive(frames[run]) == active) run++;
            (active ? Active : Inactive).PushHead(frames[..run]);
            frames = frames[run..];
        }
    }

    /// <summary>Moves an inactive frame to the head of the active list.</summary>
    public void Activate(FrameId frame)
    {
        Invariant.Assert(!_frames.IsActive(frame), Inactive.Name, "A1: an inactive frame to activate", frame.Value);
        Inactive.Remove(frame);
        _frames.SetFlags(frame, FrameState.Active);
        Active.PushHead(frame);
    }

    /// <summary>
    /// Moves the oldest active frames, oldest first, to the head of the inactive list: they keep their order.
    /// </summary>
    /// <param name="frames">Room for the frames of this batch; its length is the most that move.</param>
    /// <param name="marks">Flags that a deactivated frame gets.</param>
    /// <returns>The number of frames moved.</returns>
    public int DeactivateTail(Span<FrameId> frames, ulong marks)
    {
        FrameTable table = _frames;
        int count = (int)Math.Min((uint)frames.Length, Active.Count);
        FrameList.TailCut cut = Active.BeginTailCut();
        for (int i = 0; i < count; i++)
        {
            FrameId frame = cut.Take();
            frames[i] = frame;
            table.ClearFlags(frame, FrameState.Active, marks);
        }

        // They keep their order, so they keep their links.
        Inactive.PushHead(cut.End());
        return count;
    }

    /// <summary>Unlinks a frame from the list it is on.</summary>
    public void Remove(FrameId frame)
    {
        if (_frames.IsActive(frame)) Active.Remove(frame);
        else Inactive.Remove(frame);
    }

    /// <summary>Checks both rings and A1. O(count): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    public void Validate()
    {
        Active.Validate();
        Inactive.Validate();
        foreach (FrameId frame in Active.FromHead())
            Invariant.Check(_frames.IsActive(frame), Active.Name, "A1: the active flag", frame.Value);
        foreach (FrameId frame in Inactive.FromHead())
            Invariant.Check(!_frames.IsActive(frame), Inactive.Name, "A1: no active flag", frame.Value);
    }
}
