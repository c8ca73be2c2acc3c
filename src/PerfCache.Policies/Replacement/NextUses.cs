// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Replacement;

/// <summary>What a rule that knows the future is told: for each request, when its page is requested next.</summary>
/// <remarks>
/// Whoever replays loads the next uses of the requests that it is about to serve; the rule takes one with each hit and
/// each miss, in the same order. One rule and one thread.
/// </remarks>
public sealed class NextUses
{
    /// <summary>The next use of a page that is not requested again.</summary>
    public const uint Never = uint.MaxValue;

    private uint[] _uses = [];
    private int _next;
    private int _count;

    /// <summary>The position, from 0, of the request whose next use <see cref="Take"/> gives next.</summary>
    public uint Position { get; private set; }

    /// <summary>Loads the next uses of the requests that follow those loaded before.</summary>
    /// <param name="uses">For each request the position, from 0, of the next request to its page, or
    /// <see cref="Never"/>.</param>
    /// <exception cref="InvalidOperationException">Not all that were loaded before have been taken.</exception>
    public void Load(ReadOnlySpan<uint> uses)
    {
        if (_next != _count) throw new InvalidOperationException($"{_count - _next} next uses have not been taken");
        if (_uses.Length < uses.Length) _uses = new uint[uses.Length];
        uses.CopyTo(_uses);
        _next = 0;
        _count = uses.Length;
    }

    /// <summary>The next use of the request that is being served.</summary>
    /// <exception cref="InvalidOperationException">More requests are served than were loaded.</exception>
    public uint Take()
    {
        if (_next == _count) throw new InvalidOperationException($"request {Position} has no next use loaded");
        Position++;
        return _uses[_next++];
    }
}
