// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Puma;

/// <summary>What is to be done with an evicted page.</summary>
public enum PutChoice
{
    /// <summary>The lender has it still, unchanged.</summary>
    Skip,

    /// <summary>It is not sent, and nobody has it.</summary>
    Drop,

    /// <summary>It is sent.</summary>
    Send,
}

/// <summary>What is known of an evicted page and of where it could go.</summary>
/// <param name="IsDirty">It is newer than the disk.</param>
/// <param name="IsPresent">A lender is believed to have it.</param>
/// <param name="LendsItself">This machine holds pages of others at the moment.</param>
/// <param name="IsFiltered">The sequential filter keeps it back.</param>
/// <param name="HasLender">Some lender takes pages.</param>
/// <param name="HasRoom">A page of the send pool is free.</param>
public readonly record struct LeavingPage(
    bool IsDirty, bool IsPresent, bool LendsItself, bool IsFiltered, bool HasLender, bool HasRoom);

/// <summary>
/// The decisions of a borrower about single pages, without its bookkeeping: the same for <see cref="Borrower"/>, which
/// runs in virtual time, and for a tier that borrows real memory.
/// </summary>
public static class BorrowRules
{
    /// <summary>What becomes of an evicted page.</summary>
    /// <param name="page">The page.</param>
    /// <param name="strategy">Whether lenders keep what they have given back.</param>
    /// <param name="cause">Why it is dropped.</param>
    public static PutChoice ForEvicted(in LeavingPage page, LendingStrategy strategy, out PumaCause cause)
    {
        cause = PumaCause.None;
        if (!page.IsDirty && page.IsPresent && strategy == LendingStrategy.Keep) return PutChoice.Skip;
        cause = page switch
        {
            { IsDirty: true } => PumaCause.Dirty,
            { LendsItself: true } => PumaCause.Role,
            { IsFiltered: true } => PumaCause.Sequential,
            { HasLender: false } => PumaCause.NoLender,
            { HasRoom: false } => PumaCause.PoolEmpty,
            _ => PumaCause.None,
        };
        return cause == PumaCause.None ? PutChoice.Send : PutChoice.Drop;
    }

    /// <summary>Where a missed page comes from.</summary>
    /// <param name="isPresent">A lender is believed to have it.</param>
    /// <param name="isBusy">It is on its way there.</param>
    /// <param name="isSuspended">That lender is left alone.</param>
    public static MissSource ForMiss(bool isPresent, bool isBusy, bool isSuspended) => (isPresent, isBusy, isSuspended) switch
    {
        (false, _, _) or (_, _, true) => MissSource.Disk,
        (true, true, false) => MissSource.Wait,
        _ => MissSource.Lender,
    };
}
