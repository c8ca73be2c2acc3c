// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>What can be asked of a system with nodes: place memory, tell where it is, move it.</summary>
/// <remarks>
/// Two implementations: <see cref="NumaSystem.OfThisMachine"/> asks Linux, <see cref="ModelledNumaSystem"/> keeps a
/// table of pages. Whoever plans placement or migration takes the interface, so that it can be tested and studied
/// without such a machine. Failures are error numbers of Linux, never exceptions. Thread-safe.
/// <para>
/// A <em>status</em> is the number of the node where a page is, or a negative error number: -2 it was never touched,
/// -14 nothing is mapped there, -16 it is in use just now, -12 the target is full, -13 several processes map it;
/// <see cref="NumaStatus"/> has them in words. A status that the system left out is <see cref="NumaStatus.NotTold"/>.
/// </para>
/// </remarks>
public interface INumaSystem
{
    /// <summary>
    /// Why memory is plain here, that is, as near as it was, whatever is asked; null where placement is real.
    /// </summary>
    string? Reason { get; }

    /// <summary>Bytes of an ordinary page.</summary>
    int PageBytes { get; }

    /// <summary>
    /// Says where the pages of a range are to come from when they are touched for the first time. Pages that have been
    /// touched stay where they are.
    /// </summary>
    /// <param name="address">Where the range begins: a multiple of <see cref="PageBytes"/>.</param>
    /// <param name="bytes">Its size.</param>
    /// <param name="placement">Where from.</param>
    /// <returns>0, or the error number.</returns>
    int Bind(nint address, long bytes, NumaPlacement placement);

    /// <summary>Tells where pages are.</summary>
    /// <param name="process">The process's id; 0 is this one.</param>
    /// <param name="addresses">An address in each page, in any order.</param>
    /// <param name="statuses">A status for each.</param>
    /// <returns>0, or the error number of the whole: then no status means anything.</returns>
    int Query(int process, ReadOnlySpan<nint> addresses, Span<int> statuses);

    /// <summary>
    /// Moves pages of this process. Some, or all, may stay where they are, and the call succeeds all the same; a status
    /// may also be wrong for a part of a huge page. Who must know asks with <see cref="Query"/> afterwards.
    /// </summary>
    /// <param name="addresses">An address in each page; one for a huge page.</param>
    /// <param name="targets">The node for each.</param>
    /// <param name="statuses">A status for each.</param>
    /// <returns>0, or the error number of the whole.</returns>
    int Move(ReadOnlySpan<nint> addresses, ReadOnlySpan<int> targets, Span<int> statuses);
}
