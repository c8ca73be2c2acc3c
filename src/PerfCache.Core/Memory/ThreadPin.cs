// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>
/// Keeps the calling thread on some CPUs until it is disposed; then the thread may run where it might before.
/// </summary>
/// <remarks>
/// Memory that a thread touches first comes from its own node, so a thread that is pinned to a node also has its stack
/// and buffers there. Threads of the pool go on to other work when a task ends or waits: dispose before that, or pin
/// threads of your own. A thread that the pinned one starts inherits its CPUs.
/// </remarks>
public sealed class ThreadPin : IDisposable
{
    private readonly NumberList _before;
    private readonly int _thread;
    private bool _isPinned = true;

    private ThreadPin(NumberList cpus, NumberList before)
    {
        Cpus = cpus;
        _before = before;
        _thread = NumaCalls.ThreadId();
    }

    /// <summary>The CPUs that the thread may run on meanwhile.</summary>
    public NumberList Cpus { get; }

    /// <summary>Pins the calling thread to the CPUs of a node that this process may use.</summary>
    /// <exception cref="ArgumentException">There is no such node, or none of its CPUs may be used.</exception>
    /// <exception cref="InvalidOperationException">The system has no such call, or refuses.</exception>
    public static ThreadPin ToNode(NumaTopology topology, int node)
    {
        ArgumentNullException.ThrowIfNull(topology);
        NumaNode found = topology.Node(node);
        if (found.AllowedCpus.Count == 0)
        {
            string why = found.Cpus.Count == 0 ? "has memory only" : "has no CPU that this process may run on";
            throw new ArgumentException($"node {node} {why}; nodes with CPUs are {topology.CpuNodes}", nameof(node));
        }

        return ToCpus(found.AllowedCpus.Numbers.ToArray());
    }

    /// <summary>Pins the calling thread to CPUs by their numbers.</summary>
    /// <exception cref="ArgumentException">No CPU, or none that this process may run on.</exception>
    /// <exception cref="InvalidOperationException">The system has no such call, or refuses.</exception>
    public static ThreadPin ToCpus(params ReadOnlySpan<int> cpus)
    {
        if (cpus.IsEmpty) throw new ArgumentException("a thread needs a CPU", nameof(cpus));
        foreach (int cpu in cpus)
        {
            if (cpu is < 0 or > NumaCalls.CpuMax)
                throw new ArgumentException($"{cpu} is not a CPU's number (0 to {NumaCalls.CpuMax})", nameof(cpus));
        }

        NumberList wanted = new(cpus.ToArray());
        int error = NumaCalls.GetAffinity(thread: 0, out NumberList before);
        if (error == 0)
        {
            ThreadPin pin = new(wanted, before);
            error = NumaCalls.SetAffinity(thread: 0, wanted);
            if (error == 0) return pin;
        }

        if (error == OsMemory.InvalidArgument)
            throw new ArgumentException($"this process may run on none of the CPUs {wanted}; its CPUs are {before}");
        throw new InvalidOperationException($"the thread cannot be pinned to CPUs {wanted} (error {error})");
    }

    /// <summary>Lets the thread run where it might before. Another thread may do it while the pinned one lives.</summary>
    public void Dispose()
    {
        if (!_isPinned) return;
        _isPinned = false;
        // Nothing to be done about a failure: the CPUs of before may be gone by now.
        _ = NumaCalls.SetAffinity(_thread, _before);
    }
}
