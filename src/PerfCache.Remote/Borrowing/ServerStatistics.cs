// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Borrowing;

/// <summary>Whether a server of a fleet is used, and why not.</summary>
public enum ServerState
{
    /// <summary>It is asked and given pages.</summary>
    InService,

    /// <summary>It is asked, but refuses to store: given nothing until it has had time.</summary>
    Refusing,

    /// <summary>It is slow or silent: left alone until a sign of life comes fast enough.</summary>
    Suspended,

    /// <summary>There is no connection.</summary>
    Down,
}

/// <summary>What one server of a fleet did so far. Counts never fall.</summary>
public readonly record struct ServerStatistics
{
    /// <summary>Which server.</summary>
    public required ServerAddress Address { get; init; }

    /// <summary>Whether it is used.</summary>
    public ServerState State { get; init; }

    /// <summary>Pages that were asked for.</summary>
    public long Gets { get; init; }

    /// <summary>Of these, how many came.</summary>
    public long Hits { get; init; }

    /// <summary>Of these, how many it does not have.</summary>
    public long Misses { get; init; }

    /// <summary>Of these, how many had no answer before the deadline, or nobody to ask.</summary>
    public long NoAnswers { get; init; }

    /// <summary>Answers that came after their deadline and were thrown away.</summary>
    public long LateAnswers { get; init; }

    /// <summary>Pages that were handed over to be sent.</summary>
    public long Puts { get; init; }

    /// <summary>Of these, how many it stored.</summary>
    public long Stored { get; init; }

    /// <summary>Of these, how many it refused.</summary>
    public long Refused { get; init; }

    /// <summary>Of these, how many ended without an answer.</summary>
    public long PutsFailed { get; init; }

    /// <summary>Pages that were not taken, because no send buffer was free.</summary>
    public long PutsDropped { get; init; }

    /// <summary>Versions that it was asked to forget.</summary>
    public long Forgotten { get; init; }

    /// <summary>Answers that did not fit their question; each of them closed a connection.</summary>
    public long OutOfStep { get; init; }

    /// <summary>Times that it was connected.</summary>
    public long Connects { get; init; }

    /// <summary>Attempts to connect that failed.</summary>
    public long ConnectFailures { get; init; }

    /// <summary>Times that all its pages were given up.</summary>
    public long Losses { get; init; }

    /// <summary>Times that it was left alone for being slow or silent.</summary>
    public long Suspensions { get; init; }

    /// <summary>Values on their way.</summary>
    public int SendBuffersUsed { get; init; }

    /// <summary>The average time of a sign of life; 0 before the first.</summary>
    public TimeSpan PingAverage { get; init; }

    /// <summary>99 of 100 gets of late took no longer; 0 before the first.</summary>
    public TimeSpan GetP99 { get; init; }

    /// <summary>The time that a get of it is worth waiting for.</summary>
    public TimeSpan Deadline { get; init; }

    /// <summary>Why the last connection failed or ended; empty when none did.</summary>
    public string LastFailure { get; init; }
}
