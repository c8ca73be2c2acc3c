// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>Delivery of payloads of one size on one processor.</summary>
/// <param name="Bytes">The payload.</param>
/// <param name="CopyGigabits">Throughput by copies, in Gb/s.</param>
/// <param name="FlipGigabits">Throughput by flips.</param>
public readonly record struct DeliveryPoint(int Bytes, double CopyGigabits, double FlipGigabits);

/// <summary>
/// What a packet costs, copied or flipped. The sources disagree which is cheaper (Xen went back to copying, the slides
/// praise flipping), so all of it is parameters, and the study shows where each wins.
/// </summary>
public sealed class DeliveryCosts
{
    private readonly double _packet;
    private readonly double _flipPage;
    private readonly double _copyFixed;
    private readonly double _copyByte;

    /// <summary>Reads the costs.</summary>
    public DeliveryCosts(ParameterSet parameters)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        _packet = parameters.Value("packet-ns");
        _flipPage = parameters.Value("flip-driver-ns") + parameters.Value("flip-guest-ns");
        _copyFixed = parameters.Value("copy-fixed-ns");
        _copyByte = parameters.Value("copy-byte-ns");
    }

    /// <summary>The sizes at which <see cref="Points"/> looks.</summary>
    public static IReadOnlyList<int> Sizes { get; } =
        [64, 128, 256, 512, 1024, 1500, 2048, 4096, 8192, 16_384, 32_768, 65_536];

    /// <summary>Frames that a payload takes.</summary>
    public static int FramesOf(int bytes) => (bytes + FlipParameters.PageBytes - 1) / FlipParameters.PageBytes;

    /// <summary>Processor time for a copied packet, in nanoseconds.</summary>
    public double CopyNanos(int bytes) => _packet + _copyFixed + (bytes * _copyByte);

    /// <summary>Processor time for a flipped packet; a page moves however little is in it.</summary>
    public double FlipNanos(int bytes) => _packet + (FramesOf(bytes) * _flipPage);

    /// <summary>Throughput by size.</summary>
    public IReadOnlyList<DeliveryPoint> Points() =>
        [.. Sizes.Select(bytes => new DeliveryPoint(bytes, bytes * 8 / CopyNanos(bytes), bytes * 8 / FlipNanos(bytes)))];

    /// <summary>The least payload that is cheaper flipped, in bytes; 0 if none up to 64 KiB is. Just above each
    /// multiple of a page copying may win again, for that page's rest.</summary>
    public int CrossoverBytes()
    {
        for (int bytes = 1; bytes <= 65_536; bytes++)
            if (FlipNanos(bytes) < CopyNanos(bytes)) return bytes;
        return 0;
    }
}
