// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace PerfCache.Remote.Borrowing;

/// <summary>
/// One call for pages: sorted by server, a part for each, all asked before any is waited for. Driven by the thread that
/// made it, or by the fleet's; the same steps either way. Used again for other calls.
/// </summary>
internal sealed class FleetCall : IValueTaskSource
{
    // A part that waits for a connection looks for one so often.
    private static readonly long s_leaseTicks = Stopwatch.Frequency / 5000;

    private readonly PageFleet _fleet;
    private readonly GetPart[] _parts;
    private readonly SocketWait _wait = new();
    private ManualResetValueTaskSourceCore<bool> _source = new() { RunContinuationsAsynchronously = true };
    private Memory<FleetGet> _gets;
    private int[] _order = new int[64];

    internal FleetCall(PageFleet fleet, IEnumerable<ServerLink> links)
    {
        _fleet = fleet;
        _parts = [.. links.Select(link => new GetPart(link))];
    }

    /// <summary>The deadline, by <see cref="Stopwatch.GetTimestamp"/>.</summary>
    internal long Until { get; private set; }

    /// <summary>True when all is answered or given up.</summary>
    internal bool IsDone
    {
        get
        {
            foreach (GetPart part in _parts)
            {
                if (!part.IsDone) return false;
            }

            return true;
        }
    }

    /// <summary>When to look again at the latest.</summary>
    internal long NextLook
    {
        get
        {
            foreach (GetPart part in _parts)
            {
                if (part.WantsConnection) return Math.Min(Until, Stopwatch.GetTimestamp() + s_leaseTicks);
            }

            return Until;
        }
    }

    /// <summary>The call as something to await; once.</summary>
    internal ValueTask Task => new(this, _source.Version);

    /// <summary>Asks all servers.</summary>
    internal void Begin(Memory<FleetGet> gets, long until)
    {
        _gets = gets;
        Until = until;
        Sort(gets.Span);
        int from = 0;
        foreach (GetPart part in _parts)
        {
            part.Begin(from);
            from += part.Count;
        }

        Advance(null);
    }

    /// <summary>Waits on this thread until all is done or the deadline is there.</summary>
    internal void Run()
    {
        while (!IsDone)
        {
            _wait.Clear();
            AddTo(_wait);
            _wait.WaitUntil(NextLook);
            Advance(_wait);
            if (Stopwatch.GetTimestamp() >= Until) Expire();
        }
    }

    /// <summary>Adds what it waits for.</summary>
    internal void AddTo(SocketWait wait)
    {
        foreach (GetPart part in _parts) part.AddTo(wait);
    }

    /// <summary>Does what can be done without waiting.</summary>
    internal void Advance(SocketWait? wait)
    {
        Span<FleetGet> gets = _gets.Span;
        foreach (GetPart part in _parts) part.Advance(gets, _order, wait);
    }

    /// <summary>Gives up what has not been answered.</summary>
    internal void Expire()
    {
        foreach (GetPart part in _parts) part.Expire();
    }

    /// <summary>Wakes whoever awaits the call.</summary>
    internal void Complete() => _source.SetResult(true);

    /// <summary>Forgets the caller's memory, before it is used again.</summary>
    internal void Clear() => _gets = default;

    /// <inheritdoc/>
    public void GetResult(short token)
    {
        _source.GetResult(token);
        _source.Reset();
        _fleet.Return(this);
    }

    /// <inheritdoc/>
    public ValueTaskSourceStatus GetStatus(short token) => _source.GetStatus(token);

    /// <inheritdoc/>
    public void OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    /// <summary>Sorts places by server, in their own order within each; who names no server is left out.</summary>
    private void Sort(Span<FleetGet> gets)
    {
        if (_order.Length < gets.Length) _order = new int[Math.Max(gets.Length, 2 * _order.Length)];
        foreach (GetPart part in _parts) part.Count = 0;
        int placed = 0;
        for (int i = 0; i < gets.Length; i++) gets[i].Outcome = FleetOutcome.NoAnswer;
        for (int server = 0; server < _parts.Length; server++)
        {
            int first = placed;
            for (int i = 0; i < gets.Length; i++)
            {
                if (gets[i].Server == server) _order[placed++] = i;
            }

            _parts[server].Count = placed - first;
        }
    }
}
