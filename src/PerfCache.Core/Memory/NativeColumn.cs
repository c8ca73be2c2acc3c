// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace PerfCache.Memory;

/// <summary>
/// A growing array in native memory whose elements never move: address space for the most it may hold is reserved
/// once, and memory is committed from the front as it is needed.
/// </summary>
/// <remarks>
/// <code>
/// first                     committed                    reserved          guard
///   |  readable, writable, zero |  faults when touched      | faults (debug) |
/// </code>
/// Where the system gives huge pages to who asks, a column asks: its elements are met in no order, so of a large one
/// with pages of 4 KiB most accesses miss the processor's table of translations too. A block of 2 MiB gets one when all
/// of it is committed, so nothing more is backed than what the meter was charged with. Growth goes up to the next whole
/// block where that is near.
/// <para/>
/// Elements are zero until written, so zeroed memory must mean "empty" in every structure above. What is reserved but
/// not committed faults when touched, and in a debug build a guard page behind the reservation does too, so that
/// running off a column is caught at the first byte.
/// </remarks>
/// <typeparam name="T">An unmanaged element.</typeparam>
public sealed unsafe class NativeColumn<T> : IDisposable where T : unmanaged
{
    private const long GrowthBytesMin = 16 * 1024;

#if DEBUG
    private static readonly nuint s_guardBytes = OsMemory.PageBytes;
#else
    private static readonly nuint s_guardBytes = 0;
#endif

    private const nuint BlockBytes = OsMemory.HugePageBytes;

    private readonly bool _asksForHugePages;
    private readonly string _purpose;
    private readonly MemoryMeter _meter;
    private readonly nuint _reservedBytes;
    private byte* _address;
    private nuint _committedBytes;

    /// <summary>Reserves address space for <paramref name="lengthMax"/> elements and commits none.</summary>
    /// <param name="purpose">What the memory is for, in the words of an error message.</param>
    /// <param name="lengthMax">The most elements the column will ever hold.</param>
    /// <param name="meter">The meter to charge.</param>
    /// <exception cref="NativeMemoryException">The address space cannot be had.</exception>
    public NativeColumn(string purpose, long lengthMax, MemoryMeter meter)
    {
        ArgumentNullException.ThrowIfNull(meter);
        ArgumentOutOfRangeException.ThrowIfLessThan(lengthMax, 1);
        _purpose = purpose;
        _meter = meter;
        LengthMax = lengthMax;
        _reservedBytes = RoundUp(checked((nuint)lengthMax * (nuint)sizeof(T)));
        _asksForHugePages = _reservedBytes >= BlockBytes && RangeUsage.GivesHugePages;
        int error = OsMemory.Reserve(
            _reservedBytes + s_guardBytes, _asksForHugePages ? BlockBytes : OsMemory.PageBytes, out _address);
        if (error != 0)
        {
            throw new NativeMemoryException(
                $"{purpose}: reserving {_reservedBytes} bytes of address space failed (error {error})");
        }

        // Refused, it is as before: slower.
        if (_asksForHugePages) _ = OsMemory.Advise(_address, _reservedBytes, MemoryAdvice.HugePage);
        View = new NativeArray<T>(_address, lengthMax);
    }

    /// <summary>A column whose elements are all usable.</summary>
    /// <param name="purpose">What the memory is for, in the words of an error message.</param>
    /// <param name="length">How many elements it has.</param>
    /// <param name="meter">The meter to charge.</param>
    /// <exception cref="NativeMemoryException">The memory cannot be had; nothing is kept of it.</exception>
    internal static NativeColumn<T> Whole(string purpose, long length, MemoryMeter meter)
    {
        NativeColumn<T> column = new(purpose, length, meter);
        try
        {
            column.EnsureLengthExact(length);
            return column;
        }
        catch
        {
            column.Dispose();
            throw;
        }
    }

    /// <summary>The elements. Only those below <see cref="Length"/> may be touched.</summary>
    public NativeArray<T> View { get; private set; }

    /// <summary>The number of elements that are committed.</summary>
    public long Length { get; private set; }

    /// <summary>The most elements the column will ever hold.</summary>
    public long LengthMax { get; }

    /// <summary>The bytes that are committed.</summary>
    public long CommittedBytes => (long)_committedBytes;

    /// <summary>
    /// Makes at least <paramref name="length"/> elements usable. Grows by an eighth of what there is, at least 16 KiB,
    /// so that growing costs little and wastes little.
    /// </summary>
    /// <exception cref="NativeMemoryException">The memory cannot be had; the column is as before.</exception>
    public void EnsureLength(long length)
    {
        if (length > Length) Grow(length, exact: false);
    }

    /// <summary>As <see cref="EnsureLength"/>, but commits no more than the rounding to whole pages asks for.</summary>
    /// <exception cref="NativeMemoryException">The memory cannot be had; the column is as before.</exception>
    public void EnsureLengthExact(long length)
    {
        if (length > Length) Grow(length, exact: true);
    }

    /// <summary>
    /// Gives the memory back and keeps the addresses: whoever still reads finds zeros. Where the system does not take it,
    /// the column is as before.
    /// </summary>
    /// <remarks>All elements must be zero, so that the two cases look the same.</remarks>
    /// <returns>True when the memory is gone and <see cref="Length"/> is 0.</returns>
    internal bool TryDiscard()
    {
        if (_committedBytes == 0) return true;
        if (OsMemory.Discard(_address, _committedBytes, file: -1, fileOffset: 0) != 0) return false;
        _meter.Uncharge((long)_committedBytes);
        _committedBytes = 0;
        Length = 0;
        return true;
    }

    /// <summary>Gives all memory and address space back. Views of the column must not be used any more.</summary>
    public void Dispose()
    {
        if (_address is null) return;
        // Free first and subtract only on success: the meter must never read less than what is out.
        int error = OsMemory.Release(_address, _reservedBytes + s_guardBytes);
        Invariant.Check(error == 0, _purpose, "the release of a block to succeed", error);
        _meter.Uncharge((long)_committedBytes);
        _address = null;
        _committedBytes = 0;
        Length = 0;
        View = default;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Grow(long length, bool exact)
    {
        ObjectDisposedException.ThrowIf(_address is null, this);
        if (length > LengthMax)
        {
            throw new NativeMemoryException(
                $"{_purpose}: {length} elements are more than the {LengthMax} for which address space is reserved");
        }

        nuint wanted = RoundUp((nuint)length * (nuint)sizeof(T));
        if (!exact)
        {
            nuint step = Math.Max((nuint)GrowthBytesMin, RoundUp(_committedBytes / 8));
            wanted = Math.Min(ToWholeBlocks(Math.Max(wanted, _committedBytes + step)), _reservedBytes);
        }

        nuint more = wanted - _committedBytes;
        if (!_meter.TryCharge((long)more))
        {
            throw new NativeMemoryException(
                $"{_purpose}: {more} more bytes would exceed the limit of {_meter.LimitBytes} bytes "
                + $"({_meter.OutstandingBytes} in use)");
        }

        int error = OsMemory.Commit(_address + _committedBytes, more);
        if (error != 0)
        {
            _meter.Uncharge((long)more);
            throw new NativeMemoryException($"{_purpose}: committing {more} bytes failed (error {error})");
        }

        CollapseBlockAt(_committedBytes, wanted);
        _committedBytes = wanted;
        Length = Math.Min(LengthMax, (long)(wanted / (nuint)sizeof(T)));
    }

    /// <summary>The next whole number of blocks, where the way there is at most a fifth of it.</summary>
    private nuint ToWholeBlocks(nuint bytes)
    {
        if (!_asksForHugePages) return bytes;
        nuint whole = (bytes + BlockBytes - 1) / BlockBytes * BlockBytes;
        return whole - bytes <= whole / 5 ? whole : bytes;
    }

    /// <summary>A block that was in use before all of it was committed has small pages: they are put together once it is
    /// whole.</summary>
    private void CollapseBlockAt(nuint committed, nuint wanted)
    {
        if (!_asksForHugePages || committed % BlockBytes == 0) return;
        nuint start = committed / BlockBytes * BlockBytes;
        if (start + BlockBytes <= wanted) _ = OsMemory.Advise(_address + start, BlockBytes, MemoryAdvice.Collapse);
    }

    private static nuint RoundUp(nuint bytes) =>
        checked(bytes + OsMemory.PageBytes - 1) / OsMemory.PageBytes * OsMemory.PageBytes;
}
