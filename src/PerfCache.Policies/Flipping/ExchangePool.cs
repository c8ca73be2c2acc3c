// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Policies.Flipping;

/// <summary>
/// The dedicated pool: frames that came with earlier flips and wait to go back with later ones. They sit on the
/// giver's node, so what goes there came from there; and nobody else may use them, so that they do not seep into
/// the rest of the domain's memory.
/// </summary>
/// <remarks>
/// A stack, because the frame used last is the one whose lines are still in the caches.
/// I1: 0 &lt;= free &lt;= size. The frames out (size - free, as far as the pool was filled) are the ring's and the
/// receivers'; the pool does not know them one by one.
/// </remarks>
public sealed class ExchangePool
{
    private FrameId[] _frames;
    private int _fewestFree;

    /// <summary>Makes an empty pool.</summary>
    /// <param name="sizeFrames">The most frames that it holds.</param>
    public ExchangePool(int sizeFrames)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sizeFrames, 1);
        _frames = new FrameId[sizeFrames];
        SizeFrames = sizeFrames;
    }

    /// <summary>The most frames that it holds.</summary>
    public int SizeFrames { get; private set; }

    /// <summary>Frames in it.</summary>
    public int FreeFrames { get; private set; }

    /// <summary>The fewest frames that were in it since <see cref="StartPeriod"/>.</summary>
    public int FewestFree => Math.Min(_fewestFree, FreeFrames);

    /// <summary>Frames taken from it so far.</summary>
    public long Taken { get; private set; }

    /// <summary>How often it was asked for a frame and had none.</summary>
    public long EmptyTakes { get; private set; }

    /// <summary>Counts the fewest free frames anew.</summary>
    public void StartPeriod() => _fewestFree = FreeFrames;

    /// <summary>Takes the frame that came last.</summary>
    public bool TryTake(out FrameId frame)
    {
        if (FreeFrames == 0)
        {
            EmptyTakes++;
            _fewestFree = 0;
            frame = FrameId.None;
            return false;
        }

        frame = _frames[--FreeFrames];
        if (FreeFrames < _fewestFree) _fewestFree = FreeFrames;
        Taken++;
        return true;
    }

    /// <summary>Puts a frame in.</summary>
    /// <returns>False if the pool is full; the frame stays the caller's.</returns>
    public bool TryPut(FrameId frame)
    {
        if (FreeFrames >= SizeFrames) return false;
        _frames[FreeFrames++] = frame;
        return true;
    }

    /// <summary>Changes the size. Frames beyond it must be removed by <see cref="RemoveSurplus"/>.</summary>
    public void Resize(int sizeFrames)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sizeFrames, 1);
        if (sizeFrames > _frames.Length) Array.Resize(ref _frames, Math.Max(sizeFrames, _frames.Length * 2));
        SizeFrames = sizeFrames;
    }

    /// <summary>Removes a frame that is one too many; a local one if there is one, because a remote one outside
    /// of the pool is what the pool is there to prevent.</summary>
    /// <param name="isLocal">Whether a frame is on the domain's own node.</param>
    /// <param name="surplus">The frame.</param>
    /// <returns>False if the pool holds no more than its size.</returns>
    public bool RemoveSurplus(Func<FrameId, bool> isLocal, out FrameId surplus)
    {
        ArgumentNullException.ThrowIfNull(isLocal);
        surplus = FrameId.None;
        if (FreeFrames <= SizeFrames) return false;
        int chosen = FreeFrames - 1;
        for (int i = chosen; i >= 0; i--)
        {
            if (!isLocal(_frames[i])) continue;
            chosen = i;
            break;
        }

        surplus = _frames[chosen];
        _frames[chosen] = _frames[--FreeFrames];
        _fewestFree = Math.Min(_fewestFree, FreeFrames);
        return true;
    }

    /// <summary>The frames in the pool, the next to be taken last.</summary>
    public ReadOnlySpan<FrameId> FreeList => _frames.AsSpan(0, FreeFrames);
}
