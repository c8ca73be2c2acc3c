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
/// A page that is being loaded, and those who wait for it: the first who missed loads, all others join. All fields but
/// the completion are read and changed under the cache's lock. Pooled: it goes back when the last participant has
/// left.
/// </summary>
internal sealed class PageLoad
{
    private TaskCompletionSource<FrameId>? _completion;

    /// <summary>The page.</summary>
    internal PageKey Key { get; private set; }

    /// <summary>The private frame that it is loaded into.</summary>
    internal FrameId Frame { get; private set; }

    /// <summary>How many besides the loader want a pin when the page is there.</summary>
    internal int Waiters { get; set; }

    /// <summary>The page was invalidated meanwhile: what is being loaded may be old and must not be published.</summary>
    internal bool IsStale { get; set; }

    /// <summary>Somebody who wants the page does not merely read on in it (<see cref="PageReader"/>).</summary>
    internal bool CountsAsAccess { get; set; }

    /// <summary>The load has ended, well or not.</summary>
    internal bool HasEnded { get; private set; }

    /// <summary>Participants, the loader included.</summary>
    internal int Participants { get; set; }

    internal void Start(PageKey key, FrameId frame)
    {
        Key = key;
        Frame = frame;
        Waiters = 0;
        Participants = 1;
        IsStale = false;
        CountsAsAccess = true;
        HasEnded = false;
        _completion = null;
    }

    /// <summary>Joins: the task ends with the frame, which then has a pin for each waiter.</summary>
    internal Task<FrameId> Join()
    {
        Waiters++;
        Participants++;
        _completion ??= new TaskCompletionSource<FrameId>(TaskCreationOptions.RunContinuationsAsynchronously);
        return _completion.Task;
    }

    /// <summary>Ends the load. The caller completes the returned source after it has left the lock.</summary>
    internal TaskCompletionSource<FrameId>? End()
    {
        HasEnded = true;
        return _completion;
    }

    /// <summary>A participant leaves.</summary>
    /// <returns>True for the last.</returns>
    internal bool Leave() => --Participants == 0;
}
