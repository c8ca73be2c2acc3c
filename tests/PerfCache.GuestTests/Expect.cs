// SPDX-License-Identifier: MIT
namespace PerfCache.GuestTests;

/// <summary>What checks say; a test framework would take the guest longer to start than all checks take to run.</summary>
internal static class Expect
{
    internal static void That(bool holds, string what)
    {
        if (!holds) throw new CheckException(what);
    }

    internal static void Equal<T>(T found, T expected, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(found, expected))
            throw new CheckException($"{what}: expected {expected}, found {found}");
    }

    internal static void Sequence<T>(IEnumerable<T> found, IEnumerable<T> expected, string what) =>
        Equal(string.Join(' ', found), string.Join(' ', expected), what);

    /// <summary>The first element that is not as expected is in the message: page by page.</summary>
    internal static void Each<T>(ReadOnlySpan<T> found, Func<int, T> expected, string what)
    {
        for (int i = 0; i < found.Length; i++)
        {
            if (!EqualityComparer<T>.Default.Equals(found[i], expected(i)))
                throw new CheckException($"{what}: page {i} of {found.Length}: expected {expected(i)}, found {found[i]}");
        }
    }

    internal static string Throws<TException>(Action action) where TException : Exception
    {
        try
        {
            action();
        }
        catch (TException expected)
        {
            return expected.Message;
        }

        throw new CheckException($"expected a {typeof(TException).Name}");
    }
}
