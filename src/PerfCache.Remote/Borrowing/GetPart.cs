// SPDX-License-Identifier: MIT
using System.Diagnostics;

namespace PerfCache.Remote.Borrowing;

/// <summary>What one call asks of one server: leases a connection, asks, copies what comes to where it is wanted.</summary>
internal sealed class GetPart(ServerLink link)
{
    private GetConnection? _connection;
    private int _from;
    private int _end;
    private int _asked;
    private int _answered;
    private int _hits;
    private int _misses;
    private long _begun;
    private int _place;

    /// <summary>True when nothing more will come of it.</summary>
    internal bool IsDone { get; private set; } = true;

    /// <summary>True while it waits for a connection.</summary>
    internal bool WantsConnection => !IsDone && _connection is null;

    /// <summary>Pages that are asked of this server; counted by the call before it begins.</summary>
    internal int Count { get; set; }

    /// <summary>Begins.</summary>
    /// <param name="from">Where its pages begin in the call's order.</param>
    internal void Begin(int from)
    {
        _from = _asked = _answered = from;
        _end = from + Count;
        _hits = _misses = 0;
        _begun = Stopwatch.GetTimestamp();
        _place = -1;
        IsDone = Count == 0;
    }

    /// <summary>Adds what it waits for, if it has something to wait for.</summary>
    internal void AddTo(SocketWait wait) =>
        _place = IsDone || _connection is null ? -1 : wait.Add(_connection.Descriptor, _connection.HasUnsent);

    /// <summary>Does what can be done without waiting.</summary>
    /// <param name="gets">The call's pages.</param>
    /// <param name="order">Their order by server.</param>
    /// <param name="wait">What was waited with; null at the beginning.</param>
    internal void Advance(Span<FleetGet> gets, int[] order, SocketWait? wait)
    {
        if (IsDone) return;
        if (_connection is null)
        {
            if (!link.CanGet)
            {
                End();
                return;
            }

            _connection = link.TryLease();
            if (_connection is null) return;
        }
        else
        {
            if (_place < 0 || wait is null || !wait.IsReady(_place)) return;
            _connection.Receive(out bool closed);
            if (!TakeReplies(gets, order)) return;
            if (closed)
            {
                Break(isOutOfStep: false);
                return;
            }
        }

        Ask(gets, order);
        if (!_connection.TrySend()) Break(isOutOfStep: false);
    }

    /// <summary>The deadline is there: whoever has not answered is not waited for.</summary>
    internal void Expire()
    {
        if (IsDone) return;
        if (_connection is not null)
        {
            link.Health.Expired(Stopwatch.GetTimestamp() - _begun);
            link.Return(_connection);
            _connection = null;
        }

        End();
    }

    private void Ask(Span<FleetGet> gets, int[] order)
    {
        GetConnection connection = _connection!;
        if (_asked == _end || connection.Owed > GetConnection.WindowMax / 2) return;
        int epoch = link.Epoch;
        for (; _asked < _end && connection.CanAsk; _asked++)
        {
            ref FleetGet get = ref gets[order[_asked]];
            connection.Ask(link.Keys, epoch, get.Key, get.ValueBytes);
        }
    }

    /// <summary>Takes the answers that are there.</summary>
    /// <returns>False when it is done with.</returns>
    private bool TakeReplies(Span<FleetGet> gets, int[] order)
    {
        while (true)
        {
            ReplyStatus status = _connection!.Next(out ReadOnlySpan<byte> value);
            switch (status)
            {
                case ReplyStatus.Incomplete:
                    return true;
                case ReplyStatus.Found:
                    ref FleetGet get = ref gets[order[_answered]];
                    value.CopyTo(get.Destination.Span);
                    get.Outcome = FleetOutcome.Found;
                    _hits++;
                    break;
                case ReplyStatus.Missing:
                    gets[order[_answered]].Outcome = FleetOutcome.Missing;
                    _misses++;
                    break;
                case ReplyStatus.WrongLength:
                    gets[order[_answered]].Outcome = FleetOutcome.Missing;
                    _misses++;
                    Break(isOutOfStep: true);
                    return false;
                default:
                    Break(isOutOfStep: true);
                    return false;
            }

            if (++_answered < _end) continue;
            link.Health.Answered(Stopwatch.GetTimestamp() - _begun);
            link.Return(_connection);
            _connection = null;
            End();
            return false;
        }
    }

    private void Break(bool isOutOfStep)
    {
        link.Discard(_connection!, isOutOfStep);
        _connection = null;
        End();
    }

    private void End()
    {
        IsDone = true;
        link.Count(_end - _from, _hits, _misses);
    }
}
