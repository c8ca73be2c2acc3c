// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Memory;

/// <summary>This machine as a system with nodes, by Linux's calls.</summary>
/// <remarks>
/// Where the calls do not exist (another system, a kernel without NUMA) or are refused (a container's seccomp filter),
/// memory is plain: <see cref="Bind"/> answers with an error number and changes nothing, and the first such refusal is
/// kept as <see cref="Reason"/>. The calls are tried once, without an effect, when the object is made, so the reason is
/// known before anybody relies on them. With one node the calls work and change nothing; that is a reason too.
/// </remarks>
public sealed class NumaSystem : INumaSystem
{
    private const int NotPermitted = 1;

    private static readonly Lazy<NumaSystem> s_machine = new(() => new NumaSystem(NumaTopology.Read()));

    private readonly bool _isRefused;
    private string? _reason;

    /// <summary>Tries the calls in the calling thread.</summary>
    internal NumaSystem(NumaTopology topology)
    {
        (string call, int error) = NumaCalls.AreKnown ? NumaCalls.Probe() : ("mbind", OsMemory.NotSupported);
        _isRefused = error != 0;
        _reason = ReasonOf(OperatingSystem.IsLinux(), NumaCalls.AreKnown, call, error, topology);
    }

    /// <summary>The machine that this program runs on.</summary>
    public static INumaSystem OfThisMachine => s_machine.Value;

    /// <summary>Tries the calls and says why memory is plain on a machine with these nodes; null when it is not.</summary>
    public static string? ReasonFor(NumaTopology topology)
    {
        ArgumentNullException.ThrowIfNull(topology);
        return new NumaSystem(topology).Reason;
    }

    /// <inheritdoc/>
    public string? Reason => Volatile.Read(ref _reason);

    /// <inheritdoc/>
    public int PageBytes => (int)OsMemory.PageBytes;

    /// <inheritdoc/>
    public int Bind(nint address, long bytes, NumaPlacement placement)
    {
        ArgumentNullException.ThrowIfNull(placement);
        if (_isRefused) return OsMemory.NotSupported;
        return Keep("mbind", NumaCalls.Bind(address, (nint)bytes, placement.KernelMode, placement.Nodes));
    }

    /// <inheritdoc/>
    public int Query(int process, ReadOnlySpan<nint> addresses, Span<int> statuses)
    {
        int error = NumaCalls.Query(process, addresses, statuses);
        // That another process is none of ours to look at says nothing of this one's memory.
        return process == 0 ? Keep("move_pages", error) : error;
    }

    /// <inheritdoc/>
    public int Move(ReadOnlySpan<nint> addresses, ReadOnlySpan<int> targets, Span<int> statuses)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(targets.Length, addresses.Length);
        return Keep("move_pages", NumaCalls.Move(addresses, targets, statuses));
    }

    /// <summary>Why memory is plain, from what was tried; null when it is not.</summary>
    internal static string? ReasonOf(bool isLinux, bool isKnown, string call, int error, NumaTopology topology)
    {
        if (!isLinux) return "only Linux's memory can be placed; this is another system";
        if (!isKnown)
        {
            return "the numbers of the system calls are known for x64 and arm64, not for "
                + $"{RuntimeInformation.ProcessArchitecture}";
        }

        if (error != 0) return Refusal(call, error);
        if (topology.Reason is string reason) return reason;
        return topology.MemoryNodes.Count > 1
            ? null : $"one node has memory ({topology.MemoryNodes}); there is no other to place it on";
    }

    private static string Refusal(string call, int error) => error switch
    {
        NotPermitted => $"{call} is refused (error {error}): a container's seccomp filter forbids it; allow mbind, "
            + "get_mempolicy and move_pages there, or grant CAP_SYS_NICE",
        OsMemory.NotSupported => $"{call} does not exist (error {error}): a kernel without NUMA, or a filter of system "
            + "calls that hides it",
        _ => $"{call} failed (error {error})",
    };

    // A filter may let an empty call pass and refuse a real one. The first refusal is the reason; later ones add
    // nothing.
    private int Keep(string call, int error)
    {
        if (error is NotPermitted or OsMemory.NotSupported)
            Interlocked.CompareExchange(ref _reason, Refusal(call, error), null);
        return error;
    }
}
