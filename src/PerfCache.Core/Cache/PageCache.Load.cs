// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>A load that was noted: reading, ending it under the lock, and waiting for somebody else's.</summary>
public partial class PageCache<TRules, TProbe>
{
    /// <summary>Reads the page into its private frame and publishes it.</summary>
    /// <returns>The frame with a pin for the caller, or none: the page was invalidated meanwhile, begin again.</returns>
    private FrameId Load(PageLoad load, IPageSource source)
    {
        Exception? failure = null;
        try
        {
            Span<byte> bytes = _memory.Page(load.Frame);
            int valid = _tier is null ? source.Read(load.Key.Page, bytes) : ReadThroughTier(load, source, bytes); // B1
            CheckValid(valid, bytes.Length);
            bytes[valid..].Clear();
        }
        // Whatever the source throws is for whoever waits, not for the cache to judge.
        catch (Exception e)
        {
            failure = e;
        }

        LoadEnd end = EndLoad(load, failure);
        if (end.Failure is null) return end.Frame;
        throw end.Failure is PageLoadException ? new PageLoadException(end.Failure.Message, failure) : end.Failure;
    }

    private static void CheckValid(long valid, long length)
    {
        if (valid >= 0 && valid <= length) return;
        throw new InvalidDataException($"the source says that {valid} bytes of {length} are valid");
    }

    private LoadEnd EndLoad(PageLoad load, Exception? failure)
    {
        TProbe.At(CacheStep.Filled);
        LoadEnd end;
        Enter();
        try
        {
            end = EndLoadUnderLock(load, failure);
        }
        finally
        {
            Exit();
        }

        end.Tell();
        return end;
    }

    /// <summary>Under the lock: publishes the page that was read, or frees its frame; the load is forgotten.</summary>
    private LoadEnd EndLoadUnderLock(PageLoad load, Exception? failure)
    {
        FrameId frame = load.Frame;
        PageKey key = load.Key;
        bool publish = failure is null && !load.IsStale;
        if (!load.IsStale) _loads.Remove(key.Packed);
        if (failure is not null)
        {
            _loadFailures++;
            failure = new PageLoadException($"{Name}: loading {key} failed: {failure.Message}", failure);
        }

        if (publish)
        {
            try
            {
                PublishOrFree(frame, key, load.PinsWanted, load.CountsAsAccess && load.PinsWanted > 0, load.Mark);
            }
            // The index could not grow, most likely; whatever it is, nobody may be left waiting.
            catch (Exception e)
            {
                publish = false;
                failure = e;
            }
        }
        else
        {
            FreePrivate(frame);
        }

        LoadEnd end = load.End(publish, failure);
        LeaveLoad(load);
        NoteEnd();
        return end;
    }

    /// <summary>Waits for a load that another thread does.</summary>
    /// <returns>The frame with a pin for the caller, or none: begin again.</returns>
    /// <exception cref="TimeoutException">It takes too long; it goes on for the others.</exception>
    private FrameId Wait(Task<FrameId> joined, PageLoad load)
    {
        FrameId frame;
        try
        {
            frame = joined.WaitAsync(_options.Patience).GetAwaiter().GetResult();
        }
        // Only this wait ends so: what a source throws comes wrapped.
        catch (TimeoutException)
        {
            PageKey key = load.Key;
            Abandon(load);
            throw new TimeoutException(
                $"{Name}: another thread has been loading {key} for {_options.Patience.TotalSeconds:0.###} s");
        }
        catch
        {
            LeaveLoadUnlocked(load);
            throw;
        }

        LeaveLoadUnlocked(load);
        return frame;
    }

    private void LeaveLoadUnlocked(PageLoad load)
    {
        Enter();
        LeaveLoad(load);
        Exit();
    }

    private void LeaveLoad(PageLoad load)
    {
        if (load.Leave()) _loadPool.Return(load);
    }
}
