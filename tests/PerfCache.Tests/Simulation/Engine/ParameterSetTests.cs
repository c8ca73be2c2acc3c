// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Reports;

namespace PerfCache.Tests.Simulation.Engine;

/// <summary>Parameters: what they refuse, and how reports see them.</summary>
[TestFixture]
public sealed class ParameterSetTests
{
    private static readonly ParameterSet s_set = new(
    [
        new Parameter("latency-ratio", 2, "1", 1, 10, ParameterOrigin.Calibrated, "the slides' 18 %"),
        new Parameter("burst-pages", 100, "pages", 1, 150, ParameterOrigin.Assumed, "a burst") { IsWhole = true },
        new Parameter("memory", 16, "GiB", 1, 64, ParameterOrigin.Published, "the slides") { IsVaried = false },
    ]);

    [Test]
    public void Assignments_give_a_new_set_and_leave_the_old_one()
    {
        ParameterSet changed = s_set.WithAssignments(["latency-ratio=1.5", "burst-pages = 7"]);
        Assert.That(changed.Value("latency-ratio"), Is.EqualTo(1.5));
        Assert.That(changed.Whole("burst-pages"), Is.EqualTo(7));
        Assert.That(changed["burst-pages"].OriginText, Is.EqualTo("given"));
        Assert.That(s_set["burst-pages"].OriginText, Is.EqualTo("assumed"));
        Assert.That(s_set.Whole("burst-pages"), Is.EqualTo(100));
    }

    [TestCase("ratio=2", "there is no parameter 'ratio'; there are latency-ratio, burst-pages, memory")]
    [TestCase("latency-ratio", "'latency-ratio' is not NAME=VALUE")]
    [TestCase("=3", "'=3' is not NAME=VALUE")]
    [TestCase("latency-ratio=two", "'latency-ratio=two': 'two' is not a number; it is from 1 to 10")]
    [TestCase("latency-ratio=0.5", "latency-ratio=0.5 is out of range; it is from 1 to 10")]
    [TestCase("latency-ratio=NaN", "latency-ratio=NaN is out of range; it is from 1 to 10")]
    [TestCase("burst-pages=1.5", "burst-pages=1.5 is not a whole number; it is from 1 to 150 pages")]
    public void A_mistake_is_one_clear_line(string assignment, string message) =>
        Assert.That(() => s_set.WithAssignments([assignment]),
            Throws.TypeOf<ParameterException>().With.Message.EqualTo(message));

    [Test]
    public void A_name_given_twice_is_refused() =>
        Assert.That(() => s_set.WithAssignments(["memory=2", "memory=3"]),
            Throws.TypeOf<ParameterException>().With.Message.EqualTo("parameter 'memory' is given twice"));

    [Test]
    public void Variants_halve_and_double_within_the_range()
    {
        var variants = s_set.Variants().Select(one => (one.Parameter.Name, one.Value, one.Set.Value(one.Parameter.Name)));
        Assert.That(variants, Is.EqualTo(new[]
        {
            ("latency-ratio", 1.0, 1.0), ("latency-ratio", 4, 4), ("burst-pages", 50, 50), ("burst-pages", 150, 150),
        }));
    }

    [Test]
    public void The_text_and_the_json_name_value_unit_origin_and_source()
    {
        using StringWriter writer = new() { NewLine = "\n" };
        ParameterTable.WriteText(writer, s_set);
        Assert.That(writer.ToString(), Is.EqualTo(
            "latency-ratio    2        calibrated  the slides' 18 %\n"
            + "burst-pages    100 pages  assumed     a burst\n"
            + "memory          16 GiB    published   the slides\n"));
        Assert.That(ParameterTable.Json(s_set["burst-pages"]), Is.EqualTo(
            """{"kind":"parameter","name":"burst-pages","value":100,"unit":"pages","origin":"assumed","source":"a burst"}"""));
    }
}
