// SPDX-License-Identifier: MIT
namespace PerfCache.Cache.Sources;

/// <summary>Parts of a list of buffers, for the rare request that does not end where its list does.</summary>
internal static class PageBuffers
{
    /// <summary>The buffers without their first <paramref name="bytes"/>, which are fewer than all.</summary>
    internal static Memory<byte>[] Behind(IReadOnlyList<Memory<byte>> buffers, long bytes)
    {
        int first = 0;
        while (bytes >= buffers[first].Length) bytes -= buffers[first++].Length;
        var rest = new Memory<byte>[buffers.Count - first];
        for (int i = 0; i < rest.Length; i++) rest[i] = buffers[first + i];
        rest[0] = rest[0][(int)bytes..];
        return rest;
    }

    /// <summary>The first <paramref name="bytes"/> of the buffers, at least one and at most all.</summary>
    internal static IReadOnlyList<ReadOnlyMemory<byte>> Before(
        IReadOnlyList<ReadOnlyMemory<byte>> buffers, long bytes)
    {
        int count = 0;
        while (bytes > 0) bytes -= buffers[count++].Length;
        if (bytes == 0 && count == buffers.Count) return buffers;
        var part = new ReadOnlyMemory<byte>[count];
        for (int i = 0; i < count; i++) part[i] = buffers[i];
        part[^1] = part[^1][..(part[^1].Length + (int)bytes)];
        return part;
    }
}
