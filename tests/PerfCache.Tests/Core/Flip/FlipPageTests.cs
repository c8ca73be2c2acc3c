// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;

namespace PerfCache.Tests.Core.Flip;

/// <summary>Goal: the four parts of a page stand in their own bits: each is changed without touching the others.</summary>
[TestFixture]
internal sealed class FlipPageTests
{
    private static readonly FlipPage s_page = new(new FrameId(0xFFFF_FFFE), 0x8765_4321, 0xFEDC_BA98, 0xF00D);

    [Test]
    public void WhatIsPutInComesOut() => Check(s_page, 0xFFFF_FFFE, 0x8765_4321, 0xFEDC_BA98, 0xF00D);

    [Test]
    public void EachPartChangesAlone() => Assert.Multiple(() =>
    {
        Check(s_page with { Frame = new FrameId(5) }, 5, 0x8765_4321, 0xFEDC_BA98, 0xF00D);
        Check(s_page with { LengthBytes = 77 }, 0xFFFF_FFFE, 77, 0xFEDC_BA98, 0xF00D);
        Check(s_page with { UserBits = 3 }, 0xFFFF_FFFE, 0x8765_4321, 3, 0xF00D);
        Check(s_page with { Domain = 9 }, 0xFFFF_FFFE, 0x8765_4321, 0xFEDC_BA98, 9);
    });

    private static void Check(FlipPage page, uint frame, uint length, uint userBits, ushort domain) => Assert.That(
        (page.Frame.Value, page.LengthBytes, page.UserBits, page.Domain), Is.EqualTo((frame, length, userBits, domain)));
}
