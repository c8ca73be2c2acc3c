// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Policies;

/// <summary>
/// Goal: the state by which a cache recognises a usual hit in one compare is one in which the rule would do nothing.
/// Method: all states of flags and mark are asked.
/// </summary>
internal sealed class SettledStateTests
{
    [Test]
    public void AHitOnASettledFrameChangesNothingForLinux6() => Check<LinuxRules<Linux6>>(expectsSome: true);

    [Test]
    public void AHitOnASettledFrameChangesNothingForLinux315() => Check<LinuxRules<Linux315>>(expectsSome: true);

    [Test]
    public void AHitOnASettledFrameChangesNothingForClock() => Check<Clock>(expectsSome: true);

    [Test]
    public void AHitOnASettledFrameChangesNothingForSieve() => Check<Sieve>(expectsSome: true);

    [Test]
    public void AHitOnASettledFrameChangesNothingForS3Fifo() => Check<S3Fifo>(expectsSome: true);

    [Test]
    public void ARuleThatNamesNoSettledStateIsAlwaysAsked() => Check<Fifo>(expectsSome: false);

    private static void Check<TRules>(bool expectsSome) where TRules : struct, IFlagRules
    {
        Assert.That(TRules.SettledMask != 0, Is.EqualTo(expectsSome));
        Assert.That(TRules.SettledState & ~TRules.SettledMask, Is.Zero, "the state within the mask");
        int settled = 0;
        for (ulong word = 0; word <= FrameState.FlagsMask; word++)
        {
            if (TRules.SettledMask == 0 || (word & TRules.SettledMask) != TRules.SettledState) continue;
            settled++;
            HitEffect effect = TRules.OnHit(new FrameState(word));
            Assert.That(effect.IsNone || effect.LeavesAsIs(word), $"state {word:x}");
        }

        Assert.That(settled > 0, Is.EqualTo(expectsSome));
    }
}
