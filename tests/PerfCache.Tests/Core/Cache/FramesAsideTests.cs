// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: frames that the owner of the memory sets aside are out of use until they are brought back.</summary>
[TestFixture]
public sealed class FramesAsideTests
{
    [Test]
    public void FramesSetAsideAreNeitherFreeNorResident()
    {
        using MetadataCache<LinuxRules<Linux315>, ReplayMode> cache = new(100, new LinuxRules<Linux315>());
        ObjectId file = cache.AddObject(1000, true);
        PageReader reader = default;
        for (ulong page = 0; page < 30; page++) cache.Access(file, page, ref reader);
        Assert.That(cache.SetAside(50), Is.EqualTo(50));
        Assert.That((cache.FreeCount, cache.AsideCount, cache.ResidentCount), Is.EqualTo((20u, 50u, 30u)));
        Assert.That(cache.SetAside(50), Is.EqualTo(20), "it evicts nothing");
        for (ulong page = 100; page < 500; page++) cache.Access(file, page, ref reader);
        Assert.That(cache.FreeCount + cache.ResidentCount, Is.EqualTo(30));
        cache.Validate();
        Assert.That(cache.BringBack(1000), Is.EqualTo(70));
        Assert.That(cache.AsideCount, Is.Zero);
        for (ulong page = 0; page < 1000; page++) cache.Access(file, page, ref reader);
        Assert.That(cache.FreeCount + cache.ResidentCount, Is.EqualTo(100));
        cache.Validate();
    }
}
