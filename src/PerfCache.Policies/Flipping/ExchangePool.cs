// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Policies.Flipping;

/// <summary>
/// The dedicated pool: frames that came with earlier flips and wait to go back with later ones. They sit on the
/// giver's node, so what goes there came from there; and nobody else may use them, so that they do not seep into
/// the rest of the domain's memory.
/// </summary>
/// <remarks>
/// A stack, because the frame used last is the one whose lines are still in the caches. The size counts the frames
/// that are out (given, and not yet come back for) as well as those that are in: a ring full of posted frames is use.
/// I1: free + out = size, unless more is out than the size (takes from an empty pool); then nothing is put in until
/// enough has come back.
/// </remarks>
public sealed class ExchangePool
{
    private FrameId[] _frames;
    private int _fewestFree;

    /// <summary>Makes an empty pool.</summary>
    /// <param name="sizeFrames">Frames in it and out together.</param>
    public ExchangePool(int sizeFrames)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sizeFrames, 1);
        _frames = new FrameId[sizeFrames];
        SizeFrames = sizeFrames;
    }

    /// <summary>Frames in it and out together.</summary>
    public int SizeFrames { get; private set; }

    /// <summary>Frames in it.</summary>
    public int FreeFrames { get; private set; }

    /// <summary>Frames given that have not come back, those included that an empty pool could not give.</summary>
    public int OutFrames { get; private set; }

    /// <summary>The fewest frames that were in it since <see cref="StartPeriod"/>.</summary>
    public int FewestFree => Math.Min(_fewestFree, FreeFrames);

    /// <summary>Frames taken from it so far.</summary>
    public long Taken { get; private set; }

    /// <summary>How often it was asked for a frame and had none.</summary>
    public long EmptyTakes { get; private set; }

    /// <summary>Counts the fewest free frames anew.</summary>
    public void StartPeriod() => _fewestFree = FreeFrames;

    /// <summary>Takes the frame that came last. A frame counts as out either way: where the pool has none, the caller
    /// allocates one, or says <see cref="TakeFailed"/>.</summary>
    public bool TryTake(out FrameId frame)
    {
        OutFrames++;
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

    /// <summary>A frame is out that was never in: it comes back as the others do.</summary>
    public void NoteOut() => OutFrames++;

    /// <summary>No frame was given after all.</summary>
    public void TakeFailed() => OutFrames--;

    /// <summary>Puts a frame in that has come back.</summary>
    /// <returns>False if the pool is full; the frame stays the caller's.</returns>
    public bool TryPut(FrameId frame)
    {
        OutFrames--;
        return TryAdd(frame);
    }

    /// <summary>Puts a frame in that was never out.</summary>
    /// <returns>False if the pool is full; the frame stays the caller's.</returns>
    public bool TryAdd(FrameId frame)
    {
        if (FreeFrames + OutFrames >= SizeFrames) return false;
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
    /// <returns>False if there is none too many, or all that are too many are out.</returns>
    public bool RemoveSurplus(Func<FrameId, bool> isLocal, out FrameId surplus)
    {
        ArgumentNullException.ThrowIfNull(isLocal);
        surplus = FrameId.None;
        if (FreeFrames == 0 || FreeFrames + OutFrames <= SizeFrames) return false;
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
    public ReadOnlySpan<FrameId> Free => _frames.AsSpan(0, FreeFrames);
}
