// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Net.Sockets;

namespace PerfCache.Remote.Borrowing;

/// <summary>Connections for gets: idle ones are leased, late ones are drained, more are opened where they are wanted.</summary>
internal sealed partial class ServerLink
{
    // An answer that is so late does not come.
    private static readonly long s_lateTicks = Stopwatch.Frequency;

    private readonly GetConnection?[] _idle;
    private readonly List<GetConnection> _late = [];
    private readonly List<GetConnection> _newLate = [];
    private readonly object _lateLock = new();
    private int _newLateCount;
    private int _openGets;
    private int _isWanted;
    private int _latePlace;
    private long _nextOpen;

    /// <summary>What the keys of this server begin with.</summary>
    internal WireKey Keys => _keys;

    /// <summary>How often the server was lost: part of its keys.</summary>
    internal int Epoch => Volatile.Read(ref _epoch);

    /// <summary>Takes an idle connection. Where there is none, another is opened soon if that is allowed.</summary>
    internal GetConnection? TryLease()
    {
        for (int place = 0; place < _idle.Length; place++)
        {
            GetConnection? found = Volatile.Read(ref _idle[place]);
            if (found is null || Interlocked.CompareExchange(ref _idle[place], null, found) != found) continue;
            if (found.Session == Volatile.Read(ref _session)) return found;
            Close(found);
        }

        bool mayOpen = Volatile.Read(ref _openGets) < _idle.Length && Volatile.Read(ref _isUp);
        if (mayOpen && Interlocked.Exchange(ref _isWanted, 1) == 0) _wake.Ring();
        return null;
    }

    /// <summary>Gives a connection back; one that is owed answers is drained first.</summary>
    internal void Return(GetConnection connection)
    {
        if (connection.Owed == 0)
        {
            AddIdle(connection);
            return;
        }

        connection.OwingSince = Stopwatch.GetTimestamp();
        lock (_lateLock)
        {
            if (connection.Session == Volatile.Read(ref _session))
            {
                _newLate.Add(connection);
                Volatile.Write(ref _newLateCount, _newLate.Count);
                connection = null!;
            }
        }

        if (connection is null) _wake.Ring();
        else Close(connection);
    }

    /// <summary>Throws a connection away that has ended or is out of step.</summary>
    internal void Discard(GetConnection connection, bool isOutOfStep)
    {
        if (isOutOfStep) Interlocked.Increment(ref _outOfStep);
        Close(connection);
    }

    private bool HasNewLate => Volatile.Read(ref _newLateCount) > 0;

    private void AddIdle(GetConnection connection)
    {
        for (int place = 0; place < _idle.Length; place++)
        {
            if (Interlocked.CompareExchange(ref _idle[place], connection, null) is not null) continue;
            // It may have been put there after all others were closed.
            bool isOld = connection.Session != Volatile.Read(ref _session);
            if (isOld && Interlocked.CompareExchange(ref _idle[place], null, connection) == connection) Close(connection);
            return;
        }

        Close(connection);
    }

    private GetConnection Open()
    {
        GetConnection opened = new(_connector.Connect(), _options.ValueBytesMax, _session);
        Interlocked.Increment(ref _openGets);
        return opened;
    }

    private void Close(GetConnection connection)
    {
        connection.Dispose();
        Interlocked.Decrement(ref _openGets);
    }

    private void CloseGets()
    {
        for (int place = 0; place < _idle.Length; place++)
        {
            if (Interlocked.Exchange(ref _idle[place], null) is { } idle) Close(idle);
        }

        TakeNewLate();
        foreach (GetConnection late in _late) Close(late);
        _late.Clear();
    }

    private void TakeNewLate()
    {
        if (!HasNewLate) return;
        lock (_lateLock)
        {
            _late.AddRange(_newLate);
            _newLate.Clear();
            Volatile.Write(ref _newLateCount, 0);
        }
    }

    private void AddLate()
    {
        TakeNewLate();
        _latePlace = -1;
        foreach (GetConnection late in _late)
        {
            int place = _wait.Add(late.Descriptor, late.HasUnsent);
            if (_latePlace < 0) _latePlace = place;
        }
    }

    /// <summary>Throws away what has come for nobody.</summary>
    private void DrainLate()
    {
        long now = Stopwatch.GetTimestamp();
        for (int i = _late.Count - 1; i >= 0; i--)
        {
            GetConnection late = _late[i];
            bool isGood = true;
            if (_wait.IsReady(_latePlace + i))
            {
                isGood = late.Drain(out int thrown);
                Interlocked.Add(ref _lateAnswers, thrown);
            }

            if (isGood && late.Owed > 0 && now - late.OwingSince < s_lateTicks) continue;
            _late.RemoveAt(i);
            if (isGood && late.Owed == 0) AddIdle(late);
            else Close(late);
        }
    }

    private void OpenWanted()
    {
        if (Volatile.Read(ref _isWanted) == 0) return;
        long now = Stopwatch.GetTimestamp();
        if (_openGets < _idle.Length && now >= _nextOpen)
        {
            try
            {
                AddIdle(Open());
            }
            catch (Exception failure) when (failure is IOException or SocketException)
            {
                Interlocked.Increment(ref _connectFailures);
                _lastFailure = failure.Message;
                _nextOpen = now + s_stepTicks;
            }
        }

        Volatile.Write(ref _isWanted, 0);
    }
}
