// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>
/// A range of native memory that is committed from the front and whose parts can be given back one by one: what page
/// data lies in.
/// </summary>
/// <remarks>
/// <code>
///  guard | Address (aligned)   committed                  reserved        | guard
///  fault |  pages, and holes that were discarded | faults when touched    | fault
/// </code>
/// It differs from <see cref="NativeColumn{T}"/>, which only grows: a discarded part stays addressable, reads as zero,
/// and is not charged. Behind the range may stand a file in memory, which other processes can map. The guards exist in
/// all builds: they keep the system from merging the range with a neighbour, so that what it reports of the range is
/// the range's alone.
/// <para>R1: the meter is charged with <see cref="ChargedBytes"/> = <see cref="CommittedBytes"/> -
/// <see cref="DiscardedBytes"/>, from before the memory can be had until after it was given back.</para>
/// Not synchronised.
/// </remarks>
internal sealed unsafe partial class NativeRange : IDisposable
{
    private readonly string _purpose;
    private readonly MemoryMeter _meter;
    private readonly nuint _reservationBytes;
    private readonly List<RefusedAdvice> _refused = [];
    private byte* _reservation;
    private nuint _committedBytes;

    /// <summary>Reserves address space and commits none.</summary>
    /// <param name="purpose">What the memory is for, in the words of an error message.</param>
    /// <param name="bytesMax">The most bytes that will ever be committed.</param>
    /// <param name="alignmentBytes">The address is a multiple of this: a power of two, at least a system page.</param>
    /// <param name="shared">True for a file in memory behind the range.</param>
    /// <param name="meter">The meter to charge.</param>
    /// <exception cref="NativeMemoryException">The address space or the file cannot be had.</exception>
    internal NativeRange(string purpose, long bytesMax, nuint alignmentBytes, bool shared, MemoryMeter meter)
    {
        ArgumentNullException.ThrowIfNull(meter);
        ArgumentOutOfRangeException.ThrowIfLessThan(bytesMax, 1);
        _purpose = purpose;
        _meter = meter;
        ReservedBytes = (long)RoundUp((nuint)bytesMax);
        // The guard in front is as large as the alignment, so that the range behind it is aligned too.
        _reservationBytes = alignmentBytes + (nuint)ReservedBytes + OsMemory.PageBytes;
        int error = OsMemory.Reserve(_reservationBytes, alignmentBytes, out _reservation);
        if (error != 0) throw Failure("reserving", ReservedBytes, "address space", error);
        Address = _reservation + alignmentBytes;
        if (!shared) return;
        error = OsMemory.MapSharedFile(Address, (nuint)ReservedBytes, out int file);
        if (error != 0)
        {
            _ = OsMemory.Release(_reservation, _reservationBytes);
            throw Failure("mapping", ReservedBytes, "a file in memory", error);
        }

        File = file;
        Note("F_SEAL_SHRINK", OsMemory.SealFileAgainstShrinking(file));
    }

    /// <summary>Where the range begins.</summary>
    internal byte* Address { get; private set; }

    /// <summary>The descriptor of the file behind the range, or -1.</summary>
    internal int File { get; private set; } = -1;

    /// <summary>The most bytes that can be committed.</summary>
    internal long ReservedBytes { get; }

    /// <summary>Bytes from <see cref="Address"/> on that can be touched.</summary>
    internal long CommittedBytes => (long)_committedBytes;

    /// <summary>Bytes of these that were given back and not restored.</summary>
    internal long DiscardedBytes { get; private set; }

    /// <summary>Bytes that the meter counts.</summary>
    internal long ChargedBytes => CommittedBytes - DiscardedBytes;

    /// <summary>Advice that the system did not take, each kind once.</summary>
    internal IReadOnlyList<RefusedAdvice> Refused => _refused;

    /// <summary>Makes at least the first <paramref name="bytes"/> usable; new ones are zero.</summary>
    /// <exception cref="NativeMemoryException">The memory cannot be had; all is as before.</exception>
    internal void Commit(long bytes)
    {
        ObjectDisposedException.ThrowIf(_reservation is null, this);
        nuint wanted = RoundUp((nuint)bytes);
        if (wanted <= _committedBytes) return;
        if ((long)wanted > ReservedBytes)
        {
            throw new NativeMemoryException(
                $"{_purpose}: {wanted} bytes are more than the {ReservedBytes} for which address space is reserved");
        }

        nuint more = wanted - _committedBytes;
        Charge((long)more);
        int error = File < 0 ? 0 : OsMemory.SetFileLength(File, wanted);
        if (error == 0) error = OsMemory.Commit(Address + _committedBytes, more);
        if (error == 0 && UsesHugePool) error = CommitHugePool((long)_committedBytes, (long)wanted);
        if (error != 0)
        {
            // A file that grew in vain holds no memory, and is as long as the next attempt wants it.
            _meter.Uncharge((long)more);
            throw Failure("committing", (long)more, "memory", error);
        }

        _committedBytes = wanted;
    }

    /// <summary>Gives the memory of a committed part back; the part reads as zero from now on.</summary>
    /// <returns>False when the system did not take it: the part is as before, and is still charged.</returns>
    internal bool TryDiscard(long offset, long bytes)
    {
        CheckPart(offset, bytes);
        // Whole system pages only: where they are larger than what is asked, a neighbour's bytes would go too.
        if ((nuint)(offset | bytes) % OsMemory.PageBytes != 0) return false;
        // Huge pages that were set aside do not come back for sure, and a touch without one is fatal.
        if (OverlapsHugePool(offset, bytes)) return false;
        int error = OsMemory.Discard(Address + offset, (nuint)bytes, File, (nuint)offset);
        Note(File < 0 ? Name(MemoryAdvice.DontNeed) : "FALLOC_FL_PUNCH_HOLE", error);
        if (error != 0) return false;
        DiscardedBytes += bytes;
        _meter.Uncharge(bytes);
        return true;
    }

    /// <summary>Charges for parts that were discarded and are to be used again.</summary>
    /// <exception cref="NativeMemoryException">The meter refuses; all is as before.</exception>
    internal void Restore(long bytes)
    {
        ObjectDisposedException.ThrowIf(_reservation is null, this);
        Invariant.Assert(bytes <= DiscardedBytes, _purpose, $"R1: at most {DiscardedBytes} to restore", bytes);
        Charge(bytes);
        DiscardedBytes -= bytes;
    }

    /// <summary>Advises the whole reservation, so that what is committed later is advised too.</summary>
    internal bool TryAdviseAll(MemoryAdvice advice)
    {
        ObjectDisposedException.ThrowIf(_reservation is null, this);
        if (UsesHugePool) RememberAdvice(advice);
        return Note(Name(advice), OsMemory.Advise(Address, (nuint)ReservedBytes, advice)) == 0;
    }

    /// <summary>Advises a committed part.</summary>
    /// <returns>0, or the system's error number, which is noted.</returns>
    internal int Advise(long offset, long bytes, MemoryAdvice advice)
    {
        CheckPart(offset, bytes);
        return Note(Name(advice), OsMemory.Advise(Address + offset, (nuint)bytes, advice));
    }

    /// <summary>
    /// Says from which nodes a part of the reservation is to be backed when it is touched for the first time. What was
    /// touched before stays where it is, so bind before.
    /// </summary>
    /// <remarks>
    /// It may be a part that is not committed yet. A huge page is never shared by parts with different placements, so
    /// parts that begin and end at multiples of its size keep all of theirs.
    /// </remarks>
    /// <returns>0, or the system's error number, which is noted.</returns>
    internal int Bind(long offset, long bytes, NumaPlacement placement)
    {
        ObjectDisposedException.ThrowIf(_reservation is null, this);
        Invariant.Assert(
            offset >= 0 && bytes > 0 && offset + bytes <= ReservedBytes, _purpose,
            $"a part of {ReservedBytes} reserved bytes", offset + bytes);
        if (UsesHugePool) _placements.Add((offset, bytes, placement));
        // Whole system pages only: a neighbour's would be bound too.
        int error = (nuint)(offset | bytes) % OsMemory.PageBytes != 0
            ? OsMemory.InvalidArgument
            : NumaSystem.OfThisMachine.Bind((nint)Address + (nint)offset, bytes, placement);
        return Note($"mbind {placement}", error);
    }

    /// <summary>Gives all memory and address space back.</summary>
    public void Dispose()
    {
        if (_reservation is null) return;
        // Free first and subtract only on success: the meter must never read less than what is out.
        int error = OsMemory.Release(_reservation, _reservationBytes);
        Invariant.Check(error == 0, _purpose, "the release of a range to succeed", error);
        if (File >= 0) OsMemory.CloseFile(File);
        _meter.Uncharge(ChargedBytes);
        _reservation = null;
        Address = null;
        File = -1;
        _committedBytes = 0;
        DiscardedBytes = 0;
    }

    private void Charge(long bytes)
    {
        if (_meter.TryCharge(bytes)) return;
        throw new NativeMemoryException(
            $"{_purpose}: {bytes} more bytes would exceed the limit of {_meter.LimitBytes} bytes "
            + $"({_meter.OutstandingBytes} in use)");
    }

    private void CheckPart(long offset, long bytes)
    {
        ObjectDisposedException.ThrowIf(_reservation is null, this);
        Invariant.Assert(
            offset >= 0 && bytes > 0 && offset + bytes <= CommittedBytes, _purpose,
            $"a part of {CommittedBytes} committed bytes", offset + bytes);
    }

    private int Note(string advice, int error)
    {
        RefusedAdvice refused = new(advice, error);
        if (error != 0 && !_refused.Contains(refused)) _refused.Add(refused);
        return error;
    }

    private NativeMemoryException Failure(string doing, long bytes, string what, int error) =>
        new($"{_purpose}: {doing} {bytes} bytes of {what} failed (error {error})");

    private static string Name(MemoryAdvice advice) => advice switch
    {
        MemoryAdvice.DontNeed => "MADV_DONTNEED",
        MemoryAdvice.Free => "MADV_FREE",
        MemoryAdvice.DontFork => "MADV_DONTFORK",
        MemoryAdvice.HugePage => "MADV_HUGEPAGE",
        MemoryAdvice.NoHugePage => "MADV_NOHUGEPAGE",
        MemoryAdvice.DontDump => "MADV_DONTDUMP",
        MemoryAdvice.PopulateWrite => "MADV_POPULATE_WRITE",
        _ => throw new ArgumentOutOfRangeException(nameof(advice), advice, "not an advice"),
    };

    private static nuint RoundUp(nuint bytes) =>
        checked(bytes + OsMemory.PageBytes - 1) / OsMemory.PageBytes * OsMemory.PageBytes;
}
