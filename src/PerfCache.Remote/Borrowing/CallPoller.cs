// SPDX-License-Identifier: MIT
using System.Diagnostics;

namespace PerfCache.Remote.Borrowing;

/// <summary>The thread that drives calls whose makers do not wait: all of them at once, each to its own deadline.</summary>
internal sealed class CallPoller : IDisposable
{
    private readonly object _lock = new();
    private readonly WakeSignal _wake = new();
    private readonly SocketWait _wait = new();
    private readonly List<FleetCall> _calls = [];
    private readonly List<FleetCall> _newCalls = [];
    private readonly Thread _thread;
    private int _newCount;
    private bool _isStopped;

    internal CallPoller()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "fleet gets" };
        _thread.Start();
    }

    /// <summary>Takes a call that has begun.</summary>
    internal void Add(FleetCall call)
    {
        lock (_lock)
        {
            if (!_isStopped)
            {
                _newCalls.Add(call);
                Volatile.Write(ref _newCount, _newCalls.Count);
                call = null!;
            }
        }

        if (call is null)
        {
            _wake.Ring();
            return;
        }

        call.Expire();
        call.Complete();
    }

    /// <summary>Gives up what is under way and ends the thread.</summary>
    public void Dispose()
    {
        lock (_lock) _isStopped = true;
        _wake.Ring();
        _thread.Join();
        _wake.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            lock (_lock)
            {
                _calls.AddRange(_newCalls);
                _newCalls.Clear();
                Volatile.Write(ref _newCount, 0);
                if (_isStopped) break;
            }

            _wait.Clear();
            _wait.Add(_wake.Descriptor);
            long until = Stopwatch.GetTimestamp() + Stopwatch.Frequency;
            foreach (FleetCall call in _calls)
            {
                call.AddTo(_wait);
                until = Math.Min(until, call.NextLook);
            }

            _wake.FallAsleep();
            if (Volatile.Read(ref _newCount) > 0 || Volatile.Read(ref _isStopped)) until = 0;
            _wait.WaitUntil(until);
            _wake.WakeUp();
            Advance();
        }

        foreach (FleetCall call in _calls)
        {
            call.Expire();
            call.Complete();
        }
    }

    private void Advance()
    {
        for (int i = _calls.Count - 1; i >= 0; i--)
        {
            FleetCall call = _calls[i];
            call.Advance(_wait);
            if (Stopwatch.GetTimestamp() >= call.Until) call.Expire();
            if (!call.IsDone) continue;
            _calls.RemoveAt(i);
            call.Complete();
        }
    }
}
