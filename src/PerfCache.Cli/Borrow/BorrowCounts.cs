// SPDX-License-Identifier: MIT
namespace PerfCache.Cli.Borrow;

/// <summary>What a load came to. Threads add to the fields by interlocked calls.</summary>
internal sealed class BorrowCounts
{
    /// <summary>Pages that came and were right in every byte.</summary>
    public long Verified;

    /// <summary>Pages that came and were wrong.</summary>
    public long Wrong;

    /// <summary>Pages that the servers do not have.</summary>
    public long Missing;

    /// <summary>Pages without an answer in time.</summary>
    public long NoAnswer;

    /// <summary>Pages that were handed over.</summary>
    public long Put;

    /// <summary>Pages that were stored.</summary>
    public long Stored;

    /// <summary>Pages that were not stored.</summary>
    public long NotStored;

    /// <summary>By how many microseconds a get was later than its deadline, at most; negative when none was late.</summary>
    public long LatestMicros = long.MinValue;

    /// <summary>The counts at this moment.</summary>
    public BorrowCounts Copy() => (BorrowCounts)MemberwiseClone();

    /// <summary>What was counted since.</summary>
    public BorrowCounts Minus(BorrowCounts before) => new()
    {
        Verified = Verified - before.Verified,
        Wrong = Wrong - before.Wrong,
        Missing = Missing - before.Missing,
        NoAnswer = NoAnswer - before.NoAnswer,
        Put = Put - before.Put,
        Stored = Stored - before.Stored,
        NotStored = NotStored - before.NotStored,
        LatestMicros = LatestMicros,
    };
}
