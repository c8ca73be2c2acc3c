// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;

namespace PerfCache.Policies.Flipping;

/// <summary>What copies and flips cost in this process, and the copy-break threshold that follows.</summary>
/// <param name="Sizes">Payloads in bytes.</param>
/// <param name="CopyNanos">A page received by copying, its payload in the caches, the least of several rounds.</param>
/// <param name="FlipNanos">The same by flipping, whatever the payload.</param>
/// <param name="FenceNanos">Taking an extent's access away and giving it back, a page; NaN where the system cannot:
/// what enforced isolation adds to a flip.</param>
public sealed record CopyBreakMeasurement(
    IReadOnlyList<int> Sizes, IReadOnlyList<double> CopyNanos, IReadOnlyList<double> FlipNanos, double FenceNanos)
{
    private const int Rounds = 7;
    private const int PagesOfRound = 256;

    /// <summary>The largest payload up to which copying was never slower.</summary>
    public int CopyBreakBytes => DeliveryRule.CopyBreakOf([.. Sizes], [.. CopyNanos], [.. FlipNanos]);

    internal static CopyBreakMeasurement Take(FlipHost host, FlipChannel channel, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        DeliveryRule before = channel.Delivery;
        List<int> sizes = [];
        for (int bytes = 64; bytes <= host.Memory.PageBytes; bytes *= 2) sizes.Add(bytes);
        List<double> copies = [];
        List<double> flips = [];
        foreach (int bytes in sizes)
        {
            copies.Add(Measure(channel, new DeliveryRule(DeliveryKind.Copy), bytes, time));
            flips.Add(Measure(channel, new DeliveryRule(DeliveryKind.Flip), bytes, time));
        }

        channel.Delivery = before;
        channel.Collect();
        return new CopyBreakMeasurement(sizes, copies, flips, MeasureFence(host.Memory, time));
    }

    private static double Measure(FlipChannel channel, DeliveryRule rule, int bytes, TimeProvider time)
    {
        channel.Delivery = rule;
        double least = double.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            long start = time.GetTimestamp();
            for (int i = 0; i < PagesOfRound; i++)
            {
                if (!channel.TryAllocate(out FrameId frame) || !channel.TrySend(frame, bytes)
                    || !channel.TryReceive(out FlipPage page))
                    throw new InvalidOperationException("measuring needs an idle channel and free frames on both sides");
                channel.Free(page);
            }

            least = Math.Min(least, time.GetElapsedTime(start).TotalNanoseconds / PagesOfRound);
        }

        return least;
    }

    /// <summary>Fences whole extents, as enforced isolation would, while nobody uses them.</summary>
    private static double MeasureFence(FlipMemory memory, TimeProvider time)
    {
        uint frames = Math.Min(FlipMemory.ExtentFrames, memory.FrameCount);
        double least = double.NaN;
        for (int round = 0; round < Rounds; round++)
        {
            long start = time.GetTimestamp();
            if (!memory.TryFence(new FrameId(1), frames, fenced: true)) return double.NaN;
            if (!memory.TryFence(new FrameId(1), frames, fenced: false)) return double.NaN;
            double nanos = time.GetElapsedTime(start).TotalNanoseconds / frames;
            least = double.IsNaN(least) ? nanos : Math.Min(least, nanos);
        }

        return least;
    }
}
