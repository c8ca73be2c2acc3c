// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Flipping;

/// <summary>How a payload gets from one domain to another.</summary>
public enum DeliveryKind : byte
{
    /// <summary>The bytes are copied into a frame of the receiver; no frame changes its owner.</summary>
    Copy,

    /// <summary>The frame changes its owner, and a free frame goes back; no byte is copied.</summary>
    Flip,

    /// <summary>Short payloads are copied, others flipped.</summary>
    Adaptive,
}

/// <summary>Decides for each payload whether it is copied or flipped.</summary>
/// <param name="Kind">How.</param>
/// <param name="CopyBreakBytes">For <see cref="DeliveryKind.Adaptive"/>: the longest payload that is copied. At
/// least 0.</param>
public readonly record struct DeliveryRule(DeliveryKind Kind, int CopyBreakBytes = DeliveryRule.DefaultCopyBreakBytes)
{
    /// <summary>The threshold where nothing was measured: a copy of a few cache lines is cheaper than any
    /// exchange.</summary>
    public const int DefaultCopyBreakBytes = 256;

    /// <summary>Whether a payload of so many bytes is copied.</summary>
    public bool Copies(int bytes) => Kind switch
    {
        DeliveryKind.Copy => true,
        DeliveryKind.Flip => false,
        _ => bytes <= CopyBreakBytes,
    };

    /// <summary>
    /// The copy-break threshold that measurements suggest: the largest measured size up to which copying was never
    /// slower than flipping.
    /// </summary>
    /// <param name="sizes">Payload sizes in bytes, ascending.</param>
    /// <param name="copyNanos">What a copy of that size took.</param>
    /// <param name="flipNanos">What a flip of that size took.</param>
    /// <returns>The threshold in bytes; 0 if the smallest size is faster flipped.</returns>
    /// <exception cref="ArgumentException">The lengths differ, or the sizes do not ascend.</exception>
    public static int CopyBreakOf(
        ReadOnlySpan<int> sizes, ReadOnlySpan<double> copyNanos, ReadOnlySpan<double> flipNanos)
    {
        if (copyNanos.Length != sizes.Length || flipNanos.Length != sizes.Length)
            throw new ArgumentException("each size needs a time for the copy and one for the flip");
        int threshold = 0;
        for (int i = 0; i < sizes.Length; i++)
        {
            if (i > 0 && sizes[i] <= sizes[i - 1]) throw new ArgumentException("the sizes must ascend");
            if (copyNanos[i] > flipNanos[i]) break;
            threshold = sizes[i];
        }

        return threshold;
    }
}

/// <summary>From which node the driver domain takes the frames that it receives into.</summary>
public enum ReceivePlacement : byte
{
    /// <summary>From its own node: what makes a flip move the receiver's memory there.</summary>
    DriverNode,

    /// <summary>From the receiver's node, so that a flipped frame is local from the start. The driver must know the
    /// receiver before a packet arrives, as with a queue for each receiver.</summary>
    ReceiverNode,
}

/// <summary>Which free frame a domain gives back for a flipped one.</summary>
public enum GiveBack : byte
{
    /// <summary>Whichever its allocator has.</summary>
    Any,

    /// <summary>The one freed last, often the one that came with an earlier flip.</summary>
    LastFreed,

    /// <summary>One from a dedicated pool of frames that came with earlier flips, which nobody else may
    /// use.</summary>
    Pool,
}
