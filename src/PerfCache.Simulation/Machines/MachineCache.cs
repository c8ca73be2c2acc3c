// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Simulation.Machines;

/// <summary>The kernel whose page cache a machine has.</summary>
public enum KernelProfile
{
    /// <summary>linux-3.15, the kernel that PUMA was built on.</summary>
    Linux315,

    /// <summary>linux-6: the classic lists of a 6.x kernel.</summary>
    Linux6,
}

/// <summary>
/// The page cache of a machine, whatever its kernel: the production cache, metadata only, with a watched rule.
/// </summary>
/// <remarks>All frames of the machine are frames of its cache; those that programs or a balloon have are set aside.</remarks>
internal abstract class MachineCache : IDisposable
{
    /// <summary>What reclaim tells.</summary>
    internal CacheWatch Watch { get; } = new();

    internal abstract uint FrameCount { get; }

    internal abstract uint FreeCount { get; }

    internal abstract uint ResidentCount { get; }

    /// <summary>Lengths of the two lists, in frames.</summary>
    internal abstract (uint Inactive, uint Active) Lengths { get; }

    internal abstract CacheStatistics Statistics { get; }

    internal abstract CacheMemory Memory { get; }

    /// <summary>Makes a cache.</summary>
    /// <param name="profile">The kernel.</param>
    /// <param name="frames">All frames of the machine.</param>
    /// <param name="scale">How many times as large the machine is that it stands for.</param>
    internal static MachineCache Create(KernelProfile profile, uint frames, double scale) =>
        profile == KernelProfile.Linux315 ? new MachineCache<Linux315>(frames) : ScaledCache.Linux6(frames, scale);

    internal abstract ObjectId AddObject(ulong pages);

    internal abstract bool Access(ObjectId owner, ulong page, ref PageReader reader);

    internal abstract bool Insert(ObjectId owner, ulong page);

    internal abstract bool Contains(ObjectId owner, ulong page);

    internal abstract bool Remove(ObjectId owner, ulong page);

    internal abstract bool IsDirty(ObjectId owner, ulong page);

    internal abstract void SetDirty(ObjectId owner, ulong page, bool isDirty);

    internal abstract int Reclaim();

    internal abstract uint SetAside(uint count);

    internal abstract uint BringBack(uint count);

    internal abstract void Validate();

    public abstract void Dispose();
}

/// <summary>The same, compiled for one kernel.</summary>
internal sealed class MachineCache<TProfile> : MachineCache where TProfile : struct, ILinuxProfile
{
    private readonly MetadataCache<LinuxRules<Watched<TProfile>>, ReplayMode> _cache;

    internal MachineCache(uint frames) =>
        _cache = new MetadataCache<LinuxRules<Watched<TProfile>>, ReplayMode>(
            frames, new LinuxRules<Watched<TProfile>>(Watch));

    internal override uint FrameCount => _cache.FrameCount;

    internal override uint FreeCount => _cache.FreeCount;

    internal override uint ResidentCount => _cache.ResidentCount;

    internal override (uint Inactive, uint Active) Lengths =>
        (_cache.Rules.Lists.Inactive.Count, _cache.Rules.Lists.Active.Count);

    internal override CacheStatistics Statistics => _cache.Statistics;

    internal override CacheMemory Memory => _cache.Memory;

    internal override ObjectId AddObject(ulong pages) => _cache.AddObject(pages, dense: true);

    internal override bool Access(ObjectId owner, ulong page, ref PageReader reader) =>
        _cache.Access(owner, page, ref reader) == AccessOutcome.Hit;

    internal override bool Insert(ObjectId owner, ulong page) => _cache.Insert(owner, page);

    internal override bool Contains(ObjectId owner, ulong page) => _cache.Contains(owner, page);

    internal override bool Remove(ObjectId owner, ulong page) => _cache.Remove(owner, page);

    internal override bool IsDirty(ObjectId owner, ulong page)
    {
        FrameId frame = _cache.Find(owner, page);
        return !frame.IsNone && _cache.Frames.State(frame).Has(FrameState.Dirty);
    }

    internal override void SetDirty(ObjectId owner, ulong page, bool isDirty)
    {
        FrameId frame = _cache.Find(owner, page);
        if (frame.IsNone) return;
        if (isDirty) _cache.Frames.SetFlags(frame, FrameState.Dirty);
        else _cache.Frames.ClearFlags(frame, FrameState.Dirty);
    }

    internal override int Reclaim() => _cache.Reclaim();

    internal override uint SetAside(uint count) => _cache.SetAside(count);

    internal override uint BringBack(uint count) => _cache.BringBack(count);

    internal override void Validate() => _cache.Validate();

    public override void Dispose() => _cache.Dispose();
}
