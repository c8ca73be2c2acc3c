// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Frames;

/// <summary>Backing pages before they are needed, and saying what was got.</summary>
public sealed unsafe partial class PageMemory
{
    // A step takes about a millisecond; others wait for it, and a cancellation does.
    private const int PrefaultStepBytes = 2 * OsMemory.HugePageBytes;

    /// <summary>
    /// Backs the pages of frames with memory now, so that no access to them waits for the system later. It changes no
    /// byte, so the frames may be in use; discarded ones are skipped.
    /// </summary>
    /// <param name="firstFrame">The first frame.</param>
    /// <param name="count">The number of frames.</param>
    /// <param name="progress">Told after each step how many bytes are done, skipped ones included.</param>
    /// <param name="cancellationToken">Stops between two steps; what is backed stays so.</param>
    /// <exception cref="NativeMemoryException">The system has no memory to back a page.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public void Prefault(
        FrameId firstFrame, uint count, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        uint stepFrames = (uint)(PrefaultStepBytes >> _shift);
        uint end = firstFrame.Value + count;
        lock (_change) CheckFrames(firstFrame.Value, count);
        for (uint first = firstFrame.Value; first < end; first += Math.Min(stepFrames, end - first))
        {
            cancellationToken.ThrowIfCancellationRequested();
            uint next = first + Math.Min(stepFrames, end - first);
            lock (_change)
            {
                CheckFrames(first, next - first);
                PrefaultStep(first, next);
            }

            progress?.Report((long)(next - firstFrame.Value) << _shift);
        }
    }

    /// <summary>
    /// Backs the pages of frames with memory of the wanted nodes now, and asks the system where they really are.
    /// </summary>
    /// <remarks>
    /// The frames must be usable and should not have been touched: pages that were stay where they are, and count as
    /// fallen back when that is elsewhere. The system is asked to prefer the nodes, never to insist, because it kills
    /// a process that insists on a full node; insisting is done here, by looking.
    /// </remarks>
    /// <param name="firstFrame">The first frame.</param>
    /// <param name="count">The number of frames.</param>
    /// <param name="placement">Where the memory is wanted; the nodes of <see cref="NumaMode.Bind"/> are preferred.</param>
    /// <param name="whenFull">What to do when a page is elsewhere.</param>
    /// <param name="cancellationToken">Stops between two steps; what is backed stays so.</param>
    /// <returns>Where each page is. Where the system does not tell, the report says so and nothing has failed.</returns>
    /// <exception cref="NativeMemoryException">A page is elsewhere and that is to fail, or there is no memory at all:
    /// in the first case the frames are discarded.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public PlacementReport Place(
        FrameId firstFrame, uint count, NumaPlacement placement, NodeFullPolicy whenFull = NodeFullPolicy.FallBack,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(placement);
        NumaPlacement preferred = placement.Mode == NumaMode.Bind
            ? NumaPlacement.Preferred(placement.Nodes.Numbers.ToArray()) : placement;
        _ = Bind(firstFrame, count, preferred);
        Prefault(firstFrame, count, progress: null, cancellationToken);
        PlacementReport report = Residency(firstFrame, count, placement, sampleMax: int.MaxValue);
        if (whenFull != NodeFullPolicy.Fail || report.FallbackPages == 0) return report;
        var frames = new FrameId[count];
        for (uint i = 0; i < count; i++) frames[i] = new FrameId(firstFrame.Value + i);
        Discard(frames);
        throw new NativeMemoryException($"page data: not all of it fits on {placement}: {report}");
    }

    /// <summary>Asks the system where the pages of frames are.</summary>
    /// <param name="firstFrame">The first frame.</param>
    /// <param name="count">The number of frames.</param>
    /// <param name="wanted">Where they were wanted; null: anywhere.</param>
    /// <param name="sampleMax">The most pages to ask for.</param>
    public PlacementReport Residency(
        FrameId firstFrame, uint count, NumaPlacement? wanted = null, int sampleMax = PlacementReport.DefaultSampleMax)
    {
        lock (_change) CheckFrames(firstFrame.Value, count);
        return PlacementReport.Measure(
            NumaSystem.OfThisMachine, (nint)Address(firstFrame), (long)count << _shift, wanted, sampleMax);
    }

    /// <summary>
    /// Tells what was asked of the system and what it gave. Reads the system's map of the process: milliseconds.
    /// </summary>
    public PageMemoryReport Describe()
    {
        lock (_change)
        {
            ObjectDisposedException.ThrowIf(_range.Address is null, this);
            RangeUsage? usage = RangeUsage.TryMeasure((nuint)_range.Address, (nuint)_range.ReservedBytes);
            return new PageMemoryReport
            {
                Kind = Kind,
                PageBytes = PageBytes,
                ReservedBytes = _range.ReservedBytes,
                CommittedBytes = CommittedBytes,
                DiscardedFrames = DiscardedFrames,
                ResidentBytes = usage?.ResidentBytes,
                HugePageBytes = usage?.HugePageBytes,
                LazyFreeBytes = usage?.LazyFreeBytes,
                HugePoolBytes = _range.HugePoolBytes,
                HugePagesAdvised = _options.AdviseHugePages,
                SystemHugePages = RangeUsage.HugePageSetting(Kind == PageMemoryKind.Shared),
                Refused = [.. _range.Refused],
            };
        }
    }

    private void PrefaultStep(uint first, uint end)
    {
        while (first < end)
        {
            if (HasBit(first))
            {
                first++;
                continue;
            }

            uint next = first + 1;
            while (next < end && !HasBit(next)) next++;
            PrefaultRun(Offset(first), (long)(next - first) << _shift);
            first = next;
        }
    }

    private void PrefaultRun(long offset, long bytes)
    {
        // Where the system's page is larger than ours, its neighbours are backed too: round to whole ones.
        long first = offset / (long)OsMemory.PageBytes * (long)OsMemory.PageBytes;
        long end = RoundUp(offset + bytes);
        int error = _range.Advise(first, end - first, MemoryAdvice.PopulateWrite);
        if (error is OsMemory.InvalidArgument or OsMemory.NotSupported or OsMemory.NotPermitted)
        {
            for (long at = first; at < end; at += (long)OsMemory.PageBytes) TouchWithoutChange(_range.Address + at);
        }
        else if (error != 0)
        {
            throw new NativeMemoryException($"page data: backing {bytes} bytes failed (error {error})");
        }
    }

    /// <summary>Writes a word of the page with what it holds, in one step: the page may be in use.</summary>
    internal static void TouchWithoutChange(byte* page) => Interlocked.Add(ref *(int*)page, 0);
}
