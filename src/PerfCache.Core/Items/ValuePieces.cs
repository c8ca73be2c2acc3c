// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>Walks the pieces of an item's value in their order: whole frames, first slot, second slot.</summary>
internal ref struct ValuePieces
{
    private readonly ShardFrames _shard;
    private readonly ItemFrames _frames;
    private readonly uint _firstSlot;
    private uint _chain;
    private uint _slot;
    private uint _secondSlot;
    private int _left;

    internal ValuePieces(ItemRows rows, ShardFrames shard, ItemFrames frames, ref ItemHead head)
    {
        _shard = shard;
        _frames = frames;
        _left = head.Length;
        _firstSlot = _slot = head.Place;
        _chain = head.Rest;
        if (!head.Has(RowMarks.Split)) return;
        ref ItemHead continuation = ref rows.Heads[head.Rest];
        _secondSlot = continuation.Place;
        _chain = continuation.Rest;
    }

    /// <summary>The frame in which the last piece lies.</summary>
    internal uint Frame { get; private set; }

    /// <summary>The next piece, as long as the bytes of the value in it.</summary>
    internal bool Next(out Span<byte> piece)
    {
        piece = default;
        if (_left == 0) return false;
        if (_chain != 0)
        {
            Frame = _chain;
            piece = _frames.Pages.Page(new FrameId(_chain));
            // The row of the last frame is not looked at: a value of one page costs one cold line less.
            if (_left > piece.Length) _chain = _frames.Rows[_chain].Next;
        }
        else
        {
            Invariant.Assert(_slot != 0, nameof(ValuePieces), "a piece for every byte of the value", _firstSlot);
            Frame = _shard.FrameOf(_slot);
            piece = _shard.Slot(_slot);
            _slot = _secondSlot;
            _secondSlot = 0;
        }

        if (piece.Length > _left) piece = piece[.._left];
        _left -= piece.Length;
        return true;
    }
}
