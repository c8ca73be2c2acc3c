// SPDX-License-Identifier: MIT
using PerfCache.Items;

namespace PerfCache.Tests.Core.Items;

/// <summary>Goal: a value gets the bytes it needs and few more. Method: every length of one page, all page sizes.</summary>
[TestFixture]
public sealed class SizeClassesTests
{
    [Test]
    public void APageOf4096IsCutLikeThis()
    {
        SizeClasses classes = new(4096);
        Assert.That(
            Enumerable.Range(0, classes.Count).Select(classes.Bytes),
            Is.EqualTo(new[] { 0, 4096, 2048, 1360, 1024, 816, 680, 584, 512, 408, 336, 272, 224, 184, 144, 128 }));
    }

    [TestCase(0, 0, 0, 0)]
    [TestCase(1, 0, 128, 0)]
    [TestCase(128, 0, 128, 0)]
    [TestCase(129, 0, 144, 0)]
    [TestCase(2048, 0, 2048, 0)]
    [TestCase(3000, 0, 2048, 1024)]
    [TestCase(4000, 1, 0, 0)]
    [TestCase(4096, 1, 0, 0)]
    [TestCase(4097, 1, 128, 0)]
    [TestCase(8192 + 3000, 2, 2048, 1024)]
    public void AValueGoesThere(int length, int wholeFrames, int first, int second)
    {
        SizeClasses classes = new(4096);
        ValueShape shape = classes.ShapeOf(length);
        Assert.That(
            (shape.WholeFrames, classes.Bytes(shape.First), classes.Bytes(shape.Second)),
            Is.EqualTo((wholeFrames, first, second)));
    }

    [Test]
    public void EveryShapeHoldsItsValue([Values(4096, 8192, 16_384, 65_536)] int pageBytes)
    {
        SizeClasses classes = new(pageBytes);
        for (int length = 0; length <= (2 * pageBytes) + 8; length++)
        {
            ValueShape shape = classes.ShapeOf(length);
            long bytes = classes.BytesOf(shape);
            Assert.That(bytes, Is.GreaterThanOrEqualTo(length));
            // All but the last piece are full, or the walk over the pieces would end early.
            if (shape.Second != 0)
                Assert.That(length, Is.GreaterThan(bytes - classes.Bytes(shape.Second)), $"split of {length}");
            for (int sizeClass = 2; sizeClass < classes.Count; sizeClass++)
                Assert.That(classes.Bytes(sizeClass) * classes.Slots(sizeClass), Is.LessThanOrEqualTo(pageBytes));
        }
    }

    [Test]
    public void TheWasteIsWhatTheDecisionSays()
    {
        // Slots, the ends of pages, and the second row of a split value: all that is not value.
        SizeClasses classes = new(4096);
        double sum = 0;
        double worst = 0;
        int worstAt = 0;
        for (int length = 128; length <= 4096; length++)
        {
            ValueShape shape = classes.ShapeOf(length);
            double taken = (shape.WholeFrames * 4096) + Share(shape.First) + Share(shape.Second)
                + (shape.Second != 0 ? ItemRows.RowBytes : 0);
            double waste = (taken - length) / taken;
            sum += waste;
            if (waste > worst) (worst, worstAt) = (waste, length);
        }

        double mean = sum / (4096 - 128 + 1);
        TestContext.Out.WriteLine($"mean {mean:0.0000}, worst {worst:0.0000} at {worstAt}");
        Assert.That(mean, Is.EqualTo(0.075).Within(0.001));
        Assert.That(worst, Is.EqualTo(0.221).Within(0.001));

        double Share(int sizeClass) => sizeClass == 0 ? 0 : 4096.0 / classes.Slots(sizeClass);
    }
}
