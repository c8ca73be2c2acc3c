// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Items;

/// <summary>The verbs of whoever owns the page memory: frames go, vanish, and come back.</summary>
public sealed partial class ItemStore<TRule>
{
    /// <summary>
    /// Takes a frame out of the store at once. Every item with bytes in it is gone, in time that grows with their
    /// number.
    /// </summary>
    /// <returns>Items dropped; -1 when the frame is not in the store.</returns>
    public int Withdraw(FrameId frame)
    {
        int shard = _frames.ShardOf(frame);
        return shard < 0 ? -1 : _shards[shard].Clear(frame, withdraw: true);
    }

    /// <summary>
    /// Drops every item with bytes in a frame whose memory the system has taken; the frame stays in the store.
    /// </summary>
    /// <returns>Items dropped; -1 when the frame is not in the store.</returns>
    public int Forget(FrameId frame)
    {
        int shard = _frames.ShardOf(frame);
        return shard < 0 ? -1 : _shards[shard].Clear(frame, withdraw: false);
    }

    /// <summary>
    /// Drops every item with bytes in a frame if its memory is gone, which is looked at again while nobody can write to
    /// the frame: one that was just written is kept.
    /// </summary>
    /// <param name="frame">A frame that seemed to be without memory.</param>
    /// <param name="presence">Who knows; of the store's own pages.</param>
    /// <returns>Items dropped; -1 when the frame is not in the store.</returns>
    public int ForgetTaken(FrameId frame, FramePresence presence)
    {
        ArgumentNullException.ThrowIfNull(presence);
        int shard = _frames.ShardOf(frame);
        return shard < 0 ? -1 : _shards[shard].ClearTaken(frame, presence);
    }

    /// <summary>
    /// Takes the next run of neighbouring frames that were written since they were last taken, for whoever tells the
    /// system that it may have them. What is written while the run is being dealt with counts as written again.
    /// </summary>
    /// <param name="from">Where to begin to look; <see cref="FrameId.None"/> for the first frame.</param>
    /// <param name="first">The first frame of the run.</param>
    /// <param name="count">Its length; 0 when there is none from there on.</param>
    /// <returns>True when there is a run.</returns>
    public bool TryTakeWritten(FrameId from, out FrameId first, out uint count) =>
        _frames.TryTakeWritten(from, out first, out count);

    /// <summary>Puts a frame back that was withdrawn or trimmed; its memory must be usable again.</summary>
    /// <returns>False when it was not out.</returns>
    public bool Return(FrameId frame)
    {
        int shard = _frames.ShardOf(frame);
        return shard >= 0 && _shards[shard].TryReturn(frame);
    }

    /// <summary>
    /// Takes frames out of the store, free ones first, then what the rule gives up. The bound falls with them.
    /// </summary>
    /// <param name="taken">Gets the frames; as many are wanted as it has room for, an even share from each
    /// shard.</param>
    /// <returns>The number taken: fewer only when there are no more. Frames that the store has not begun to use
    /// are not among them, and it may still begin to, within what is left of its bound.</returns>
    public int Trim(Span<FrameId> taken)
    {
        int count = 0;
        for (int shard = 0; shard < _shards.Length; shard++)
        {
            int share = (taken.Length - count + _shards.Length - shard - 1) / (_shards.Length - shard);
            count += _shards[shard].Trim(taken.Slice(count, share));
        }

        // Some shards had less than their share.
        for (int shard = 0; shard < _shards.Length && count < taken.Length; shard++)
            count += _shards[shard].Trim(taken[count..]);
        return count;
    }
}
