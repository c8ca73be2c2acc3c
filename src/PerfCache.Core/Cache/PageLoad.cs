// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>A page could not be loaded: the source's exception is inside.</summary>
public sealed class PageLoadException : IOException
{
    /// <summary>Makes the exception.</summary>
    public PageLoadException(string message, Exception? inner) : base(message, inner)
    {
    }

    /// <summary>Makes the exception.</summary>
    public PageLoadException(string message) : base(message)
    {
    }

    /// <summary>Makes the exception.</summary>
    public PageLoadException() : base("a page could not be loaded")
    {
    }
}

/// <summary>
/// A page that is being loaded, and those who wait for it: the first who missed loads or has it loaded, all others
/// join. All fields but the completion are read and changed under the cache's lock. Pooled: it goes back when the last
/// participant has left.
/// </summary>
internal sealed class PageLoad
{
    private TaskCompletionSource<FrameId>? _completion;

    /// <summary>The page.</summary>
    internal PageKey Key { get; private set; }

    /// <summary>The private frame that it is loaded into.</summary>
    internal FrameId Frame { get; private set; }

    /// <summary>How many pins are wanted when the page is there; 0 when it is only read ahead.</summary>
    internal int PinsWanted { get; private set; }

    /// <summary>The page was invalidated meanwhile: what is being loaded may be old and must not be published.</summary>
    internal bool IsStale { get; set; }

    /// <summary>Somebody who wants the page does not merely read on in it (<see cref="PageReader"/>).</summary>
    internal bool CountsAsAccess { get; set; }

    /// <summary>What the frame is marked with when the page was read ahead and nobody has asked for it.</summary>
    internal ReadaheadMark Mark { get; set; }

    private bool HasEnded { get; set; }

    private bool IsPublished { get; set; }

    /// <summary>Those who still look at this object, whoever loads included.</summary>
    private int Participants { get; set; }

    /// <summary>Begins a load, with one participant: whoever loads.</summary>
    /// <param name="key">The page.</param>
    /// <param name="frame">A private frame.</param>
    /// <param name="pins">The pins that whoever loads wants: none if it is detached from those who asked.</param>
    internal void Start(PageKey key, FrameId frame, int pins)
    {
        Key = key;
        Frame = frame;
        PinsWanted = pins;
        Participants = 1;
        IsStale = false;
        CountsAsAccess = false;
        Mark = default;
        HasEnded = false;
        IsPublished = false;
        _completion = null;
    }

    /// <summary>Joins: the task ends with the frame, which then has a pin for each waiter.</summary>
    internal Task<FrameId> Join()
    {
        PinsWanted++;
        Participants++;
        _completion ??= new TaskCompletionSource<FrameId>(TaskCreationOptions.RunContinuationsAsynchronously);
        return _completion.Task;
    }

    /// <summary>Ends the load.</summary>
    /// <returns>What is to be told to the waiters once the lock has been left.</returns>
    internal LoadEnd End(bool published, Exception? failure)
    {
        HasEnded = true;
        IsPublished = published;
        return new LoadEnd(_completion, published ? Frame : FrameId.None, failure);
    }

    /// <summary>A waiter does not want the page any more.</summary>
    /// <returns>True when its pin had been made already: the caller gives it back.</returns>
    internal bool Abandon()
    {
        if (!HasEnded) PinsWanted--;
        return IsPublished;
    }

    /// <summary>A participant leaves.</summary>
    /// <returns>True for the last.</returns>
    internal bool Leave() => --Participants == 0;
}

/// <summary>How a load ended.</summary>
/// <param name="Completion">What the waiters wait for, or null when there are none.</param>
/// <param name="Frame">The frame, with their pins, or none: then they begin again, or fail.</param>
/// <param name="Failure">Why it failed, or null.</param>
internal readonly record struct LoadEnd(
    TaskCompletionSource<FrameId>? Completion, FrameId Frame, Exception? Failure)
{
    /// <summary>Tells the waiters; not under the lock.</summary>
    internal void Tell()
    {
        if (Completion is null) return;
        if (Failure is null)
        {
            Completion.SetResult(Frame);
            return;
        }

        Completion.SetException(Failure);
        // Seen: when all waiters were cancelled, nobody else looks, and the runtime would complain of a lost exception.
        _ = Completion.Task.Exception;
    }
}
