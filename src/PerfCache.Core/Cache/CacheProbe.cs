// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace PerfCache.Cache;

/// <summary>The steps of <see cref="PageCache{TRules, TProbe}"/> between which another thread matters.</summary>
public enum CacheStep
{
    /// <summary>A reader knows a frame and has not pinned it.</summary>
    Found,

    /// <summary>A reader has pinned the frame and has not compared its key.</summary>
    Pinned,

    /// <summary>A reader without a pin has checked the frame and has not read its bytes.</summary>
    Checked,

    /// <summary>A reader without a pin has read the bytes and has not checked the version again.</summary>
    Copied,

    /// <summary>Reclaim has freed frames and has not reused them.</summary>
    Evicted,

    /// <summary>A page's bytes are in its frame, which is not published.</summary>
    Filled,

    /// <summary>The frame is live and the index does not name it.</summary>
    Published,

    /// <summary>A load has ended, and those who wait for it have not been told.</summary>
    Ended,

    /// <summary>A writer has the frame for itself and has not changed it.</summary>
    Locked,

    /// <summary>Write-back has chosen pages and has not copied them.</summary>
    WriteChosen,

    /// <summary>Write-back has copied the pages and has not written them.</summary>
    WriteCopied,

    /// <summary>The source has written the pages, and they still count as being written.</summary>
    WriteDone,

    /// <summary>A migration has chosen pages and has not copied them.</summary>
    MoveChosen,

    /// <summary>A migration has copied the pages and has not looked at their versions again.</summary>
    MoveCopied,

    /// <summary>A page's slot names another frame than a moment ago, and both are live. Under the lock.</summary>
    Redirected,
}

/// <summary>A check that a seeded bug leaves out, for a test that must notice.</summary>
public enum CacheCheck
{
    /// <summary>L3, L4: state and key after the pin.</summary>
    AfterPin,

    /// <summary>C6: the version after the copy.</summary>
    VersionAfterCopy,

    /// <summary>R4: readers without pins, before a frame is reused.</summary>
    WaitBeforeReuse,

    /// <summary>A waiter that gives up gives the pin back that the load has made for it.</summary>
    PinOfWhoGaveUp,

    /// <summary>D1: the pin that keeps writers away while a page is copied.</summary>
    PinBeforeCopy,

    /// <summary>D5: a page that was changed during its write stays dirty.</summary>
    StaysDirty,

    /// <summary>Invalidation waits for writes that are under way.</summary>
    WaitForWrite,

    /// <summary>X4: the version after a page was copied to another frame.</summary>
    VersionAfterMove,

    /// <summary>X4, X7: pins, before the old frame of a page that moves is reused.</summary>
    PinsBeforeMove,

    /// <summary>The overflow tier forgets a page before its bytes change.</summary>
    ForgetBeforeWrite,
}

/// <summary>
/// What a test hangs into the critical steps of a cache, as a type parameter: in production (<see cref="NoProbe"/>) the
/// calls are empty and no machine code is left of them.
/// </summary>
public interface ICacheProbe
{
    /// <summary>Called at a step: a test waits here, so that others get in between.</summary>
    static abstract void At(CacheStep place);

    /// <summary>True to leave a check out: a bug on purpose.</summary>
    static abstract bool Omits(CacheCheck check);
}

/// <summary>No probe: what production uses.</summary>
public readonly struct NoProbe : ICacheProbe
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void At(CacheStep place)
    {
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Omits(CacheCheck check) => false;
}
