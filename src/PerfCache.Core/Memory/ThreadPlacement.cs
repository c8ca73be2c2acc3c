// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>
/// Where memory of the calling thread comes from until this is disposed, for ranges that have no placement of their
/// own; then it comes from where it did before.
/// </summary>
/// <remarks>
/// For memory that somebody else allocates: a library's buffers, a runtime's. It concerns pages that the thread
/// touches first, whoever allocated them, the garbage collector's among them if that thread is the first.
/// </remarks>
public sealed class ThreadPlacement : IDisposable
{
    private readonly int _modeBefore;
    private readonly NumberList _nodesBefore;
    private readonly int _thread;
    private bool _isSet = true;

    private ThreadPlacement(NumaPlacement placement, int modeBefore, NumberList nodesBefore)
    {
        Placement = placement;
        _modeBefore = modeBefore;
        _nodesBefore = nodesBefore;
        _thread = Environment.CurrentManagedThreadId;
    }

    /// <summary>Where memory comes from meanwhile.</summary>
    public NumaPlacement Placement { get; }

    /// <summary>Sets it for the calling thread.</summary>
    /// <exception cref="InvalidOperationException">The system has no such call, or refuses.</exception>
    public static ThreadPlacement Set(NumaPlacement placement)
    {
        ArgumentNullException.ThrowIfNull(placement);
        int error = NumaCalls.GetPolicy(out int mode, out NumberList nodes);
        if (error == 0) error = NumaCalls.SetPolicy(placement.KernelMode, placement.Nodes);
        if (error != 0)
        {
            throw new InvalidOperationException(
                $"the thread's memory cannot come by {placement} (error {error}); "
                + "'perfcache numa' tells the nodes, and whether the system lets memory be placed");
        }

        return new ThreadPlacement(placement, mode, nodes);
    }

    /// <summary>Restores what was before.</summary>
    /// <exception cref="InvalidOperationException">Another thread than the one it was set for calls.</exception>
    public void Dispose()
    {
        if (!_isSet) return;
        if (Environment.CurrentManagedThreadId != _thread)
            throw new InvalidOperationException("a thread's placement can be restored by that thread only");
        _isSet = false;
        _ = NumaCalls.SetPolicy(_modeBefore, _nodesBefore);
    }
}
