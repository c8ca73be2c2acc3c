// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Machines;

/// <summary>Who waits for a page.</summary>
internal interface IPageWaiter
{
    /// <summary>Pages of a get have come, or have not.</summary>
    /// <param name="pages">The pages asked for.</param>
    /// <param name="found">Which have come; all false when no answer came in time.</param>
    /// <param name="nowNanos">The time.</param>
    void OnPages(IReadOnlyList<PageKey> pages, IReadOnlyList<bool> found, long nowNanos);
}

/// <summary>
/// Carries messages between a borrower and one of its lenders, with the sizes of the authors' protocol, through the links
/// of both machines.
/// </summary>
/// <remarks>
/// The end of a transfer is known when it begins, so a get needs no timer: whoever knows first that the answer comes too
/// late schedules the timeout instead. The lender does its work in any case.
/// </remarks>
internal sealed class PumaLink : IEventTarget
{
    private const int HeaderBytes = 41;
    private const int PutFrontBytes = 4;
    private const int PutPageBytes = 16 + Disk.PageBytes;
    private const int GetFrontBytes = 20;
    private const int ExtentBytes = 9;
    private const int ReplyFrontBytes = 29;
    private const int ReplyPageBytes = 8;
    private const int NoticeFrontBytes = 12;
    private const int NoticeExtentBytes = 17;
    private const int PingBytes = 8;

    private const int PutArrives = 0;
    private const int PutReplyArrives = 1;
    private const int GetArrives = 2;
    private const int GetReplyArrives = 3;
    private const int GetExpires = 4;
    private const int MessageArrives = 5;
    private const int InvalidateArrives = 6;
    private const int PingIsDue = 7;
    private const int PingArrives = 8;
    private const int PongArrives = 9;

    private readonly EventQueue _queue;
    private readonly Machine _borrower;
    private readonly Machine _lender;
    private readonly int _borrowerNumber;
    private readonly int _lenderNumber;
    private readonly long _lendNanos;
    private readonly long _noticeNanos;
    private readonly Slots<(PutMessage Message, bool Stored)> _puts = new();
    private readonly Slots<LenderMessage> _messages = new();
    private readonly List<GetCall> _calls = [];
    private readonly Stack<int> _freeCalls = [];
    private ObjectId?[] _lentObjects = [];

    internal PumaLink(EventQueue queue, Machine borrower, Machine lender, long quotaPages)
    {
        _queue = queue;
        _borrower = borrower;
        _lender = lender;
        _borrowerNumber = lender.Lender!.AddBorrower(quotaPages);
        _lenderNumber = borrower.Borrower!.AddLender(lender.MemoryState.Available);
        _lendNanos = (long)(lender.Parameters.Value("lend-us") * VirtualClock.Microsecond);
        _noticeNanos = (long)lender.Parameters.Value("notice-ns");
        lender.AddBorrower(this);
        borrower.AddLender(this);
        SchedulePing();
    }

    /// <summary>The object of the lender's cache that holds pages of a borrower's file.</summary>
    internal ObjectId LentObject(ObjectId original)
    {
        if (original.Value >= _lentObjects.Length)
            Array.Resize(ref _lentObjects, (int)Math.Max(original.Value + 1, _lentObjects.Length * 2));
        return _lentObjects[original.Value]
            ??= _lender.AddLentObject(_borrowerNumber, original, _borrower.FilePages(original));
    }

    internal void Put(PutMessage put, long nowNanos)
    {
        long bytes = HeaderBytes + PutFrontBytes + ((long)put.Pages.Length * PutPageBytes);
        long arrives = _borrower.Egress.Submit(nowNanos, bytes);
        _queue.Schedule(arrives, this, PutArrives, _puts.Add((put, false)));
    }

    internal void Invalidate(InvalidateMessage old, long nowNanos)
    {
        long arrives = _borrower.Egress.Submit(nowNanos, HeaderBytes + NoticeFrontBytes + NoticeExtentBytes);
        _queue.Schedule(arrives, this, InvalidateArrives, (long)old.Page.Packed);
    }

    /// <summary>Asks for pages; the waiter hears of them in any case.</summary>
    internal void Get(IPageWaiter waiter, IReadOnlyList<PageKey> pages, long nowNanos)
    {
        int index = _freeCalls.Count > 0 ? _freeCalls.Pop() : _calls.Count;
        if (index == _calls.Count) _calls.Add(new GetCall());
        GetCall call = _calls[index];
        call.Begin(waiter, pages, nowNanos + _borrower.Borrower!.GetTimeoutTicks);
        // Pages in a row are one extent; asking for pages one by one costs nine bytes each, at most.
        long bytes = HeaderBytes + GetFrontBytes + ((long)pages.Count * ExtentBytes);
        long arrives = _borrower.Egress.Submit(nowNanos, bytes);
        _queue.Schedule(arrives, this, GetArrives, index);
        if (arrives > call.DeadlineNanos) Expire(index);
    }

    /// <summary>The lender tells the borrower something.</summary>
    internal void Tell(LenderMessage message, long nowNanos)
    {
        long extents = message.Pages.Length == 0 ? 0 : NoticeFrontBytes + ((long)message.Pages.Length * NoticeExtentBytes);
        long arrives = _lender.Egress.Submit(nowNanos, HeaderBytes + extents, message.Pages.Length * _noticeNanos);
        _queue.Schedule(arrives, this, MessageArrives, _messages.Add(message));
    }

    /// <inheritdoc/>
    public void Handle(long nowNanos, int kind, long argument)
    {
        switch (kind)
        {
            case PutArrives: OnPut((int)argument, nowNanos); break;
            case PutReplyArrives: OnPutReply((int)argument, nowNanos); break;
            case GetArrives: OnGet((int)argument, nowNanos); break;
            case GetReplyArrives: OnGetReply((int)argument, nowNanos); break;
            case GetExpires: OnGetExpired((int)argument, nowNanos); break;
            case MessageArrives: _borrower.Borrower!.OnMessage(_lenderNumber, _messages.Take((int)argument)); break;
            case InvalidateArrives:
                _lender.Lender!.Invalidate(_borrowerNumber, [new PageKey((ulong)argument)]);
                break;
            case PingIsDue: Ping(nowNanos); break;
            case PingArrives:
                _queue.Schedule(_lender.Egress.Submit(nowNanos, HeaderBytes + PingBytes), this, PongArrives, argument);
                break;
            default:
                _borrower.Borrower!.OnPong(_lenderNumber, nowNanos - argument, nowNanos);
                break;
        }
    }

    private void OnPut(int index, long nowNanos)
    {
        ref (PutMessage Message, bool Stored) put = ref _puts[index];
        put.Stored = _lender.Lender!.Put(_borrowerNumber, put.Message.Pages, nowNanos);
        _lender.Settle(nowNanos);
        long arrives = _lender.Egress.Submit(nowNanos, HeaderBytes, _lendNanos);
        _queue.Schedule(arrives, this, PutReplyArrives, index);
    }

    private void OnPutReply(int index, long nowNanos)
    {
        (PutMessage message, bool stored) = _puts.Take(index);
        _borrower.Borrower!.OnPutReply(in message, stored, _lender.MemoryState.Available);
        _borrower.Settle(nowNanos);
    }

    private void OnGet(int index, long nowNanos)
    {
        GetCall call = _calls[index];
        int found = 0;
        foreach (PageKey page in call.Pages)
        {
            bool hit = _lender.Lender!.Get(_borrowerNumber, page, nowNanos);
            call.Found.Add(hit);
            found += hit ? 1 : 0;
        }

        long bytes = HeaderBytes + ReplyFrontBytes + ((long)found * (ReplyPageBytes + Disk.PageBytes));
        long arrives = _lender.Egress.Submit(nowNanos, bytes, _lendNanos);
        if (!call.IsExpired && arrives > call.DeadlineNanos) Expire(index);
        _queue.Schedule(arrives, this, GetReplyArrives, index);
    }

    private void OnGetReply(int index, long nowNanos)
    {
        GetCall call = _calls[index];
        if (!call.IsExpired)
        {
            for (int i = 0; i < call.Pages.Count; i++)
            {
                _borrower.Borrower!.OnGetReply(
                    _lenderNumber, call.Pages[i], call.Found[i], _lender.MemoryState.Available);
            }

            call.Waiter!.OnPages(call.Pages, call.Found, nowNanos);
        }

        _freeCalls.Push(index);
    }

    private void Expire(int index)
    {
        _calls[index].IsExpired = true;
        _queue.Schedule(_calls[index].DeadlineNanos, this, GetExpires, index);
    }

    private void OnGetExpired(int index, long nowNanos)
    {
        GetCall call = _calls[index];
        foreach (PageKey page in call.Pages) _borrower.Borrower!.OnGetExpired(page, nowNanos);
        bool[] none = new bool[call.Pages.Count];
        call.Waiter!.OnPages(call.Pages, none, nowNanos);
    }

    private void Ping(long nowNanos)
    {
        _borrower.Borrower!.NextPing(nowNanos);
        _queue.Schedule(_borrower.Egress.Submit(nowNanos, HeaderBytes + PingBytes), this, PingArrives, nowNanos);
        SchedulePing();
    }

    private void SchedulePing()
    {
        long due = _borrower.Borrower!.NextDeadlineTicks;
        if (due != long.MaxValue) _queue.Schedule(Math.Max(due, _queue.NowNanos), this, PingIsDue);
    }

    /// <summary>A get that is under way.</summary>
    private sealed class GetCall
    {
        public List<PageKey> Pages { get; } = [];

        public List<bool> Found { get; } = [];

        public IPageWaiter? Waiter { get; private set; }

        public long DeadlineNanos { get; private set; }

        public bool IsExpired { get; set; }

        public void Begin(IPageWaiter waiter, IReadOnlyList<PageKey> pages, long deadlineNanos)
        {
            Pages.Clear();
            Found.Clear();
            for (int i = 0; i < pages.Count; i++) Pages.Add(pages[i]);
            (Waiter, DeadlineNanos, IsExpired) = (waiter, deadlineNanos, false);
        }
    }
}

/// <summary>Values that events refer to by number.</summary>
internal sealed class Slots<T>
{
    private readonly Stack<int> _free = [];
    private T[] _values = new T[16];
    private int _count;

    internal ref T this[int index] => ref _values[index];

    internal int Add(T value)
    {
        int index = _free.Count > 0 ? _free.Pop() : _count++;
        if (index == _values.Length) Array.Resize(ref _values, index * 2);
        _values[index] = value;
        return index;
    }

    internal T Take(int index)
    {
        T value = _values[index];
        _values[index] = default!;
        _free.Push(index);
        return value;
    }
}
