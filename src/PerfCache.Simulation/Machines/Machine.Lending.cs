// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Machines;

/// <summary>PUMA's two roles: pages of others in this cache, and own pages with others.</summary>
internal sealed partial class Machine
{
    internal void BecomeLender(PumaLenderOptions options)
    {
        Lender ??= new PumaLender(options, this, VirtualClock.Second);
    }

    internal void BecomeBorrower(BorrowerOptions options)
    {
        Borrower ??= new Borrower(options, VirtualClock.Second);
        Watch.KeepsOwnEvictions = true;
    }

    internal void AddBorrower(PumaLink link) => _borrowerLinks.Add(link);

    internal void AddLender(PumaLink link) => _lenderLinks.Add(link);

    internal PumaLink LenderLink(int lender) => _lenderLinks[lender];

    /// <inheritdoc/>
    public LentInsertion Insert(int borrower, PageKey page)
    {
        ObjectId lent = LentObject(borrower, page.ObjectId);
        if (Cache.FreeCount <= MinWatermark) Cache.Reclaim();
        return Cache.Insert(lent, page.Page) ? LentInsertion.Added : LentInsertion.Replaced;
    }

    /// <inheritdoc/>
    public bool Touch(int borrower, PageKey page)
    {
        ObjectId lent = LentObject(borrower, page.ObjectId);
        if (!Cache.Contains(lent, page.Page)) return false;
        PageReader reader = default;
        return Cache.Access(lent, page.Page, ref reader);
    }

    /// <inheritdoc/>
    public bool Contains(int borrower, PageKey page) => Cache.Contains(LentObject(borrower, page.ObjectId), page.Page);

    /// <inheritdoc/>
    public bool Remove(int borrower, PageKey page) => Cache.Remove(LentObject(borrower, page.ObjectId), page.Page);

    /// <summary>Adds an object for a borrower's file.</summary>
    internal ObjectId AddLentObject(int borrower, ObjectId original, ulong pages)
    {
        ObjectId lent = AddObject(pages);
        _originals[(int)lent.Value] = (borrower, original);
        Watch.AddLent(lent);
        return lent;
    }

    private void Observe(long nowNanos)
    {
        ActivitySignals signals = new(
            Watch.OwnInsertions, Watch.Refaults, Watch.ActivatingRefaults, Watch.LowScans,
            Watch.AtLowScan.Inactive, Watch.AtLowScan.Active);
        Lender!.Observe(in signals, nowNanos);
        Watch.IsSuspended = Lender.IsSuspended;
        if (Lender.NextDeadlineTicks != long.MaxValue && _deadlineNanos == long.MaxValue)
        {
            _deadlineNanos = Lender.NextDeadlineTicks;
            _queue.Schedule(_deadlineNanos, this, LenderDeadline);
        }

        while (Lender.TryTakeMessage(out LenderMessage message)) _borrowerLinks[message.Borrower].Tell(message, nowNanos);
    }

    private void SendPuts(long nowNanos)
    {
        while (Borrower!.TryTakePut(out PutMessage put)) _lenderLinks[put.Lender].Put(put, nowNanos);
        while (Borrower.TryTakeInvalidate(out InvalidateMessage old)) _lenderLinks[old.Lender].Invalidate(old, nowNanos);
    }

    private ObjectId LentObject(int borrower, ObjectId original) => _borrowerLinks[borrower].LentObject(original);
}
