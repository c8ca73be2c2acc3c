// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace PerfCache.Native;

/// <summary>Reads what callers pass by pointer, and refuses what makes no sense.</summary>
internal static unsafe class AbiArguments
{
    // A struct of options that is longer than this was not meant.
    private const uint StructBytesMax = 4096;

    /// <summary>The struct of options that a caller passed, whichever version it was compiled with.</summary>
    /// <param name="source">The struct, or null for all defaults.</param>
    /// <param name="name">Its name, for messages.</param>
    internal static T Options<T>(T* source, string name) where T : unmanaged
    {
        if (source is null) return default;
        uint size = CheckSize(source, name);
        for (uint i = (uint)sizeof(T); i < size; i++)
        {
            if (((byte*)source)[i] == 0) continue;
            throw AbiException.BadArgument(
                $"{name}: byte {i} is set, and this library knows {sizeof(T)}: it is older than the program's header");
        }

        return *source;
    }

    /// <summary>Refuses a struct to be filled in that is null or too short.</summary>
    /// <returns>Its size.</returns>
    internal static uint CheckSize<T>(T* target, string name) where T : unmanaged
    {
        if (target is null) throw AbiException.NullPointer(name);
        // Each begins with its size.
        uint size = *(uint*)target;
        if (size >= sizeof(T) && size <= StructBytesMax) return size;
        throw AbiException.BadArgument(
            $"{name}.size is {size}; set it to sizeof({name}), which is {sizeof(T)} in this version, before the call");
    }

    /// <summary>As <see cref="CheckSize"/>, for the hot calls.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void CheckLease(AbiLease* target)
    {
        if (target is null || target->Size != sizeof(AbiLease)) CheckSize(target, "pc_lease");
    }

    /// <summary>Fills a struct in; what the caller knows beyond stays as it is.</summary>
    internal static void Fill<T>(T* target, T value) where T : unmanaged
    {
        uint size = *(uint*)target;
        *target = value;
        *(uint*)target = size;
    }

    /// <summary>The text at a pointer.</summary>
    internal static string Text(byte* text, string name)
    {
        if (text is null) throw AbiException.NullPointer(name);
        return Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(text));
    }

    /// <summary>An array of a caller.</summary>
    internal static Span<T> Array<T>(T* first, uint count, string name) where T : unmanaged
    {
        if (first is null && count > 0) throw AbiException.NullPointer(name);
        if (count > int.MaxValue / sizeof(T)) throw AbiException.BadArgument($"{name}: {count} elements are too many");
        return new Span<T>(first, (int)count);
    }

    /// <summary>Refuses a null pointer.</summary>
    internal static void Require(void* pointer, string name)
    {
        if (pointer is null) throw AbiException.NullPointer(name);
    }

    /// <summary>A domain's number.</summary>
    internal static ushort Domain(uint domain, string name) =>
        domain is > 0 and <= ushort.MaxValue
            ? (ushort)domain : throw AbiException.BadArgument($"{name} is {domain}; a domain is 1 to {ushort.MaxValue}");

    /// <summary>Refuses bits that mean nothing.</summary>
    internal static void CheckFlags(uint flags, uint known, string name)
    {
        if ((flags & ~known) != 0) throw AbiException.BadArgument($"{name} is 0x{flags:x}; known is 0x{known:x}");
    }

    /// <summary>Milliseconds, or what is usual for 0.</summary>
    internal static TimeSpan Millis(uint millis, TimeSpan usual) =>
        millis == 0 ? usual : TimeSpan.FromMilliseconds(millis);
}
