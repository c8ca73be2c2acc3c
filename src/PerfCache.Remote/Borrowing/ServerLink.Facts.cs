// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Remote.Borrowing;

/// <summary>What a link counts and can be asked.</summary>
internal sealed partial class ServerLink
{
    private long _gets;
    private long _hits;
    private long _misses;
    private long _lateAnswers;
    private long _puts;
    private long _stored;
    private long _refused;
    private long _putsFailed;
    private long _putsDropped;
    private long _forgotten;
    private long _outOfStep;
    private long _connects;
    private long _connectFailures;
    private long _losses;

    /// <summary>What it did so far.</summary>
    internal ServerStatistics Statistics
    {
        get
        {
            long hits = Volatile.Read(ref _hits);
            long misses = Volatile.Read(ref _misses);
            long gets = Math.Max(Volatile.Read(ref _gets), hits + misses);
            return new ServerStatistics
            {
                Address = Address,
                State = State,
                Gets = gets,
                Hits = hits,
                Misses = misses,
                NoAnswers = gets - hits - misses,
                LateAnswers = Volatile.Read(ref _lateAnswers),
                Puts = Volatile.Read(ref _puts),
                Stored = Volatile.Read(ref _stored),
                Refused = Volatile.Read(ref _refused),
                PutsFailed = Volatile.Read(ref _putsFailed),
                PutsDropped = Volatile.Read(ref _putsDropped),
                Forgotten = Volatile.Read(ref _forgotten),
                OutOfStep = Volatile.Read(ref _outOfStep),
                Connects = Volatile.Read(ref _connects),
                ConnectFailures = Volatile.Read(ref _connectFailures),
                Losses = Volatile.Read(ref _losses),
                Suspensions = Health.Suspensions,
                SendBuffersUsed = _ring.Used,
                PingAverage = Health.PingAverage,
                GetP99 = Health.Gets.P99,
                Deadline = Health.Gets.Deadline,
                LastFailure = Volatile.Read(ref _lastFailure),
            };
        }
    }

    private ServerState State
    {
        get
        {
            if (!Volatile.Read(ref _isUp)) return ServerState.Down;
            if (Health.IsSuspended) return ServerState.Suspended;
            return Health.IsRefusing ? ServerState.Refusing : ServerState.InService;
        }
    }

    /// <summary>Connections for gets that are open, whoever has them.</summary>
    internal int OpenGetConnections => Volatile.Read(ref _openGets);

    /// <summary>Counts what came of a call's questions to this server.</summary>
    internal void Count(int gets, int hits, int misses)
    {
        Interlocked.Add(ref _gets, gets);
        Interlocked.Add(ref _hits, hits);
        Interlocked.Add(ref _misses, misses);
    }

    /// <summary>Throws where counts contradict one another. Nothing may be under way.</summary>
    internal void Validate()
    {
        _ring.Validate();
        ServerStatistics now = Statistics;
        if (now.Puts != now.Stored + now.Refused + now.PutsFailed + now.SendBuffersUsed)
        {
            throw new InvariantException(
                $"fleet, {Address}: {now.Puts} puts, but {now.Stored} stored, {now.Refused} refused, {now.PutsFailed} failed "
                + $"and {now.SendBuffersUsed} under way");
        }

        if (OpenGetConnections < 0 || OpenGetConnections > _options.GetConnectionsMax)
            throw new InvariantException($"fleet, {Address}: {OpenGetConnections} connections for gets are open");
    }
}
