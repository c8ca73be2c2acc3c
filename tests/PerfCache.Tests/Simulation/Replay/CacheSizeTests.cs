// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>Sizes as the command line writes them.</summary>
public sealed class CacheSizeTests
{
    [TestCase("0.1%", 48_974, 48)]
    [TestCase("10%", 7_075, 707)]
    [TestCase("0.1%", 7_000, 7)]
    [TestCase("0.7%", 1_000, 7)]
    [TestCase("1%", 20, 1, Description = "at least one frame")]
    [TestCase("100%", 4_294_967_295, 4_294_967_295)]
    [TestCase(" 12.5% ", 1_000, 125)]
    public void A_percentage_is_cut_to_whole_frames(string text, long distinctPages, long frames) =>
        Assert.That(CacheSize.ParsePercentages(text)[0].FramesFor(distinctPages), Is.EqualTo(frames));

    [Test]
    public void Frames_are_a_list_of_numbers() =>
        Assert.That(CacheSize.ParseFrames("1,20, 1_000_000").Select(size => size.FramesFor(5)),
            Is.EqualTo(new long[] { 1, 20, 1_000_000 }));

    [TestCase("10", "'10' is not a percentage such as 0.1% (for frames use --frames)")]
    [TestCase("0%", "'0%' is not a percentage above 0% and up to 100%")]
    [TestCase("101%", "'101%' is not a percentage above 0% and up to 100%")]
    [TestCase("1%,,2%", "'' is not a percentage such as 0.1% (for frames use --frames)")]
    [TestCase("-1%", "'-1%' is not a percentage above 0% and up to 100%")]
    public void A_wrong_percentage_is_named(string text, string message) =>
        Assert.That(() => CacheSize.ParsePercentages(text),
            Throws.TypeOf<FormatException>().With.Message.EqualTo(message));

    [TestCase("0")]
    [TestCase("x")]
    [TestCase("1,")]
    [TestCase("-5")]
    [TestCase("1073740801", Description = "one more than a cache can have")]
    [TestCase("99999999999999999999")]
    public void A_wrong_number_of_frames_is_named(string text) =>
        Assert.That(() => CacheSize.ParseFrames(text),
            Throws.TypeOf<FormatException>().With.Message.Contains("is not a number of frames (1 to 1073740800)"));
}
