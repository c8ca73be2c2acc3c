// SPDX-License-Identifier: MIT
using System.Buffers;

namespace PerfCache.Remote.Protocol;

/// <summary>
/// The replies of a batch of commands, gathered so that they go out in one call. Grows to hold the longest reply beyond
/// <see cref="FlushAt"/>, and no further.
/// </summary>
internal sealed class ReplyBuffer(int capacity) : IDisposable
{
    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(capacity);

    /// <summary>Bytes that wait to be sent.</summary>
    internal int Length { get; private set; }

    /// <summary>So many bytes are enough: no further command is begun until they are sent.</summary>
    internal int FlushAt { get; set; } = int.MaxValue;

    /// <summary>True when there is enough to send.</summary>
    internal bool IsFull => Length >= FlushAt;

    /// <summary>What waits to be sent.</summary>
    internal ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>As <see cref="Written"/>, for asynchronous calls.</summary>
    internal ReadOnlyMemory<byte> WrittenMemory => _bytes.AsMemory(0, Length);

    /// <summary>Room behind what is there; all of it, at least <paramref name="bytes"/>.</summary>
    internal Span<byte> Room(int bytes)
    {
        if (_bytes.Length - Length < bytes) Grow(bytes);
        return _bytes.AsSpan(Length);
    }

    /// <summary>Counts bytes that were put into the room.</summary>
    internal void Advance(int bytes) => Length += bytes;

    /// <summary>Adds a line and its end.</summary>
    internal void AppendLine(ReadOnlySpan<byte> text)
    {
        Span<byte> room = Room(text.Length + 2);
        text.CopyTo(room);
        room[text.Length] = (byte)'\r';
        room[text.Length + 1] = (byte)'\n';
        Length += text.Length + 2;
    }

    /// <summary>Forgets everything.</summary>
    internal void Clear() => Length = 0;

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        byte[] bytes = _bytes;
        _bytes = [];
        Length = 0;
        if (bytes.Length > 0) ArrayPool<byte>.Shared.Return(bytes);
    }

    private void Grow(int bytes)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(checked(Length + bytes), Length * 2));
        Written.CopyTo(larger);
        if (_bytes.Length > 0) ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
