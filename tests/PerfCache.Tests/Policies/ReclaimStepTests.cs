// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Policies;

/// <summary>
/// Goal: a reclaim call frees what docs/policies.md says under "Small caches". Method: a cache filled by one scan, so that
/// all pages are inactive, is asked once.
/// </summary>
[TestFixture]
internal sealed class ReclaimStepTests
{
    [TestCase(16, 16)]
    [TestCase(32, 32)]
    [TestCase(46, 46)]
    [TestCase(47, 32)]
    [TestCase(64, 44)]
    [TestCase(128, 51)]
    [TestCase(1_000, 56)]
    [TestCase(16_000, 56, Description = "3 + 7 + 15 + 31")]
    public void ACallFreesAtLeastItsBatchInDoublingSteps(int inactive, int freed)
    {
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> cache = new((uint)inactive, new LinuxRules<Linux6>());
        ObjectId file = cache.AddObject((ulong)inactive, dense: true);
        PageReader reader = default;
        for (ulong page = 0; page < (ulong)inactive; page++) cache.Access(file, page, ref reader);

        Assert.That(cache.Reclaim(), Is.EqualTo(freed));
        Assert.That(cache.ResidentCount, Is.EqualTo(inactive - freed));
        Assert.That(cache.Rules.Lists.Active.Count, Is.Zero);
    }
}
