// SPDX-License-Identifier: MIT
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Cache.Sources;

/// <summary>Neighbouring pages of native memory, as a cache hands them to a source.</summary>
internal sealed unsafe class SourcePages : IDisposable
{
    private readonly PageMemory _memory;
    private readonly NativePage[] _views;

    internal SourcePages(int count, int pageBytes, MemoryMeter? meter = null)
    {
        _memory = new PageMemory((uint)count, pageBytes, meter ?? new MemoryMeter());
        _memory.EnsureFrames((uint)count);
        _views = new NativePage[count];
        for (int i = 0; i < count; i++) _views[i] = NativePage.Rent(_memory.Address(new FrameId((uint)i + 1)), pageBytes);
        ToRead = Array.ConvertAll(_views, view => view.Memory);
        ToWrite = Array.ConvertAll(_views, view => (ReadOnlyMemory<byte>)view.Memory);
    }

    /// <summary>The pages as the destinations of a read.</summary>
    internal Memory<byte>[] ToRead { get; }

    /// <summary>The pages as the data of a write.</summary>
    internal ReadOnlyMemory<byte>[] ToWrite { get; }

    internal Span<byte> this[int index] => _memory.Page(new FrameId((uint)index + 1));

    /// <summary>Fills the pages with the pattern of <paramref name="seed"/>, from <paramref
    /// name="firstPage"/> on.</summary>
    internal SourcePages Filled(ulong seed, ulong firstPage = 0)
    {
        for (int i = 0; i < ToRead.Length; i++) ModelledPageSource.Fill(seed, firstPage + (ulong)i, this[i]);
        return this;
    }

    /// <summary>Fills the pages with a byte that no test expects to read.</summary>
    internal SourcePages Soiled()
    {
        for (int i = 0; i < ToRead.Length; i++) this[i].Fill(0xEE);
        return this;
    }

    /// <summary>Says whether the first <paramref name="valid"/> bytes are the pattern.</summary>
    internal bool Hold(ulong seed, ulong firstPage, long valid)
    {
        for (int i = 0; i < ToRead.Length && valid > 0; i++)
        {
            int length = (int)Math.Min(valid, this[i].Length);
            if (!ModelledPageSource.Verify(seed, firstPage + (ulong)i, this[i][..length])) return false;
            valid -= length;
        }

        return true;
    }

    /// <summary>Makes a file of the pattern with the source under test out of the way.</summary>
    internal static void WriteFile(string path, ulong seed, int pageBytes, long lengthBytes)
    {
        byte[] page = new byte[pageBytes];
        using FileStream stream = new(path, FileMode.Create, FileAccess.Write, FileShare.ReadWrite);
        for (long written = 0; written < lengthBytes; written += pageBytes)
        {
            ModelledPageSource.Fill(seed, (ulong)(written / pageBytes), page);
            stream.Write(page, 0, (int)Math.Min(pageBytes, lengthBytes - written));
        }
    }

    /// <summary>Says whether a file is the pattern and nothing else.</summary>
    internal static bool FileHolds(string path, ulong seed, int pageBytes, long lengthBytes)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bool holds = bytes.Length == lengthBytes;
        for (int at = 0; holds && at < bytes.Length; at += pageBytes)
        {
            holds = ModelledPageSource.Verify(
                seed, (ulong)(at / pageBytes), bytes.AsSpan(at, Math.Min(pageBytes, bytes.Length - at)));
        }

        return holds;
    }

    public void Dispose()
    {
        foreach (NativePage view in _views) view.Return();
        _memory.Dispose();
    }
}
