// SPDX-License-Identifier: MIT
using PerfCache.GuestTests;

namespace PerfCache.Tests.Guests;

/// <summary>
/// Goal: binding, moving and finding pages, and the reader of the topology, are right on a real kernel with several
/// nodes. Method: two emulated machines run tests/PerfCache.GuestTests inside; each of its checks is a test here. They
/// assert placement, statuses and contents, never time.
/// </summary>
[Category("Guest")]
internal sealed class GuestTests
{
    // To boot one takes longer than its checks.
    private static readonly GuestKind[] s_kinds = TestScale.Few([GuestKind.Two, GuestKind.Four], 1);

    private static IEnumerable<TestCaseData> Checks =>
        from kind in s_kinds
        from check in GuestCheck.All
        where (check.Guests & kind) != 0
        select new TestCaseData(kind, check.Name).SetArgDisplayNames(kind.ToString(), check.Name);

    [TestCaseSource(nameof(Checks))]
    public void A_check_holds_on_a_machine_with_several_nodes(GuestKind kind, string check)
    {
        GuestMachine machine = GuestMachine.Of(kind);
        string? outcome = machine.Outcome(check);
        Assert.That(outcome, Is.Not.Null, $"the machine said nothing of it:\n{machine.Console}");
        if (outcome!.StartsWith("skipped ", StringComparison.Ordinal)) Assert.Ignore(outcome);
        Assert.That(outcome, Is.EqualTo("ok"));
    }

    [TestCaseSource(nameof(s_kinds))]
    public void The_machine_ends_by_itself_and_says_so(GuestKind kind) =>
        Assert.That(GuestMachine.Of(kind).Console, Does.Match("checks done after [0-9.]+ s\nguest exit code [01]\n"));
}
