// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace PerfCache.Frames;

/// <summary>
/// Tells which frames have memory behind them: how an owner of lazily free frames finds out what the system took.
/// </summary>
/// <remarks>
/// Reads the map that the system keeps of this process's pages, eight bytes a page, bit 63 "present" and bit 62
/// "swapped"; no right is needed for these two. A frame that was taken and then read is present again, as the system's
/// page of zeros: whoever read it has noticed. Not thread-safe.
/// </remarks>
public sealed class FramePresence : IDisposable
{
    private const int BatchPages = 4096;
    private const ulong PresentOrSwapped = 3UL << 62;

    private readonly PageMemory _pages;
    private readonly SafeFileHandle? _map;
    private readonly List<FrameId> _one = [];
    private readonly byte[] _entries = new byte[BatchPages * sizeof(ulong)];

    /// <summary>Opens the map.</summary>
    /// <param name="pages">The page data to look at; it must outlive this object.</param>
    public FramePresence(PageMemory pages)
    {
        ArgumentNullException.ThrowIfNull(pages);
        _pages = pages;
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            _map = File.OpenHandle("/proc/self/pagemap");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // A container may hide it; absent frames are then found when they are read.
        }
    }

    /// <summary>True where the system tells.</summary>
    public bool IsKnown => _map is not null;

    /// <summary>Finds frames without memory.</summary>
    /// <param name="first">The first frame to look at.</param>
    /// <param name="count">How many frames to look at.</param>
    /// <param name="absent">Gets those that have none, wholly or in part.</param>
    /// <returns>How many frames were looked at: fewer than <paramref name="count"/> at the end of the page data, and none where
    /// the system does not tell.</returns>
    public uint FindAbsent(FrameId first, uint count, ICollection<FrameId> absent)
    {
        ArgumentNullException.ThrowIfNull(absent);
        if (_map is null || first.IsNone || first.Value > _pages.FrameCount) return 0;
        count = Math.Min(count, _pages.FrameCount - first.Value + 1);
        int perFrame = Math.Max(1, _pages.PageBytes / Environment.SystemPageSize);
        uint done = 0;
        while (done < count)
        {
            int frames = (int)Math.Min(count - done, (uint)(BatchPages / perFrame));
            int bytes = frames * perFrame * sizeof(ulong);
            if (!TryRead(first.Value + done, _entries.AsSpan(0, bytes))) break;
            for (int frame = 0; frame < frames; frame++)
            {
                bool whole = true;
                for (int page = 0; page < perFrame; page++)
                {
                    int at = ((frame * perFrame) + page) * sizeof(ulong);
                    whole &= (BinaryPrimitives.ReadUInt64LittleEndian(_entries.AsSpan(at)) & PresentOrSwapped) != 0;
                }

                if (!whole) absent.Add(new FrameId(first.Value + done + (uint)frame));
            }

            done += (uint)frames;
        }

        return done;
    }

    /// <summary>True unless a frame is known to be without memory.</summary>
    public bool IsPresent(FrameId frame)
    {
        _one.Clear();
        return FindAbsent(frame, 1, _one) == 0 || _one.Count == 0;
    }

    /// <inheritdoc/>
    public void Dispose() => _map?.Dispose();

    private bool TryRead(uint frame, Span<byte> entries)
    {
        long at = _pages.PageNumberOf(new FrameId(frame)) * sizeof(ulong);
        while (!entries.IsEmpty)
        {
            int read = RandomAccess.Read(_map!, entries, at);
            if (read <= 0) return false;
            entries = entries[read..];
            at += read;
        }

        return true;
    }
}
