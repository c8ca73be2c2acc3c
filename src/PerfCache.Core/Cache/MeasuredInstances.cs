// SPDX-License-Identifier: MIT
namespace PerfCache.Cache;

/// <summary>
/// Those that a meter asks when somebody collects: known from when they are made until they are disposed, and not kept
/// alive if they are forgotten instead.
/// </summary>
/// <remarks>The source is linked into each assembly that has a meter. Thread-safe.</remarks>
/// <typeparam name="T">What is measured.</typeparam>
internal sealed class MeasuredInstances<T> where T : class
{
    private readonly List<WeakReference<T>> _known = [];

    /// <summary>From now on it is asked.</summary>
    public void Add(T instance)
    {
        lock (_known) _known.Add(new WeakReference<T>(instance));
    }

    /// <summary>Forgets it, and those that were garbage-collected.</summary>
    public void Remove(T instance)
    {
        lock (_known) _known.RemoveAll(known => !known.TryGetTarget(out T? target) || ReferenceEquals(target, instance));
    }

    /// <summary>Those of the moment; whatever locks they take are taken after this one is left.</summary>
    public List<T> All()
    {
        List<T> all = [];
        lock (_known)
        {
            foreach (WeakReference<T> known in _known)
                if (known.TryGetTarget(out T? instance)) all.Add(instance);
        }

        return all;
    }
}
