// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// A growing column of values in chunks of 1,024. A list that doubles holds twice its contents just after it
/// grew and three times while it copies; a column of a hundred million keys cannot afford either. Here
/// growth never copies a full chunk, and what is allocated but unused stays below a sixteenth of the column:
/// small columns grow their last chunk by 64 entries, large ones by a whole chunk.
/// </summary>
internal sealed class ChunkedColumn<TValue> where TValue : unmanaged
{
    private const int ChunkBits = 10;
    private const int ChunkLength = 1 << ChunkBits;
    private const int SmallStep = 64;
    private const int SmallChunks = ChunkLength / SmallStep;
    private const int ArrayHeaderBytes = 24;

    private TValue[][] _chunks = new TValue[4][];
    private int _chunkCount;
    private long _allocated;

    /// <summary>The number of values.</summary>
    public long Count { get; private set; }

    /// <summary>Bytes in use, the unused rest of the last chunk and the list of chunks included.</summary>
    public long Bytes => (_allocated * Unsafe.SizeOf<TValue>())
        + ((long)_chunkCount * ArrayHeaderBytes) + ArrayHeaderBytes + (8L * _chunks.Length);

    /// <summary>The value at <paramref name="index"/>, which must be below <see cref="Count"/>.</summary>
    public ref TValue this[uint index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _chunks[index >> ChunkBits][index & (ChunkLength - 1)];
    }

    /// <summary>Adds a value at the end.</summary>
    public void Append(TValue value)
    {
        if (Count == _allocated) Grow();
        long index = Count++;
        _chunks[index >> ChunkBits][index & (ChunkLength - 1)] = value;
    }

    /// <summary>
    /// Reads many values in one tight loop, so that their cache misses overlap. What is not an index of the
    /// column reads as the default.
    /// </summary>
    public void Gather(ReadOnlySpan<uint> indices, Span<TValue> values)
    {
        TValue[][] chunks = _chunks;
        uint count = (uint)Count;
        for (int i = 0; i < indices.Length; i++)
        {
            uint index = indices[i];
            values[i] = index < count ? chunks[index >> ChunkBits][index & (ChunkLength - 1)] : default;
        }
    }

    /// <summary>Sets every value back to its default.</summary>
    public void Clear()
    {
        for (int i = 0; i < _chunkCount; i++) Array.Clear(_chunks[i]);
    }

    private void Grow()
    {
        int length = (int)(_allocated & (ChunkLength - 1));
        if (length == 0)
        {
            if (_chunkCount == _chunks.Length) Array.Resize(ref _chunks, _chunks.Length * 2);
            _chunks[_chunkCount++] = [];
        }

        int grown = _chunkCount > SmallChunks ? ChunkLength : length + SmallStep;
        Array.Resize(ref _chunks[_chunkCount - 1], grown);
        _allocated += grown - length;
    }
}
