// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Simulation.Machines;

/// <summary>What a program's threads do.</summary>
internal sealed record IoClientOptions
{
    public required AccessPattern Pattern { get; init; }

    public required long StartNanos { get; init; }

    public long StopNanos { get; init; } = long.MaxValue;

    /// <summary>Threads, each of which waits for its I/O before it begins the next.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>The time between two I/Os of a thread, counted from the beginning of the first: 0 for none.</summary>
    public long PaceNanos { get; init; }
}

/// <summary>
/// A program that reads and writes pages through its machine's page cache: filebench, in short.
/// </summary>
/// <remarks>
/// A page that is missed is in the cache from the beginning of its read, as in the kernel, where the reader then waits for
/// the page's lock. A second reader of the same page does not wait here; with random reads of many pages it hardly
/// happens.
/// <para>
/// A miss takes the time of its slowest part: pages that a lender has come in one message a lender, all others in one
/// request to the disk. When a get brings nothing, those pages are read from the disk then.
/// </para>
/// </remarks>
internal sealed class IoClient : IEventTarget
{
    private const int Begin = 0;
    private const int DiskDone = 1;
    private const long BusyRetryNanos = 60 * VirtualClock.Microsecond;

    private readonly EventQueue _queue;
    private readonly Machine _machine;
    private readonly IoClientOptions _options;
    private readonly ObjectId _file;
    private readonly long _hitNanos;
    private readonly Worker[] _workers;
    private readonly ulong[] _seen;
    private SeededRandom _random;

    internal IoClient(EventQueue queue, Machine machine, IoClientOptions options, SeededRandom random)
    {
        _queue = queue;
        _machine = machine;
        _options = options;
        _random = random;
        _file = machine.AddFile(options.Pattern.PageCount);
        _hitNanos = (long)(machine.Parameters.Value("hit-us") * VirtualClock.Microsecond);
        _seen = new ulong[(options.Pattern.PageCount / 64) + 1];
        _workers = new Worker[options.Threads];
        for (int i = 0; i < _workers.Length; i++)
        {
            _workers[i] = new Worker(this);
            queue.Schedule(options.StartNanos, this, Begin, i);
        }
    }

    internal Machine Machine => _machine;

    /// <summary>I/Os that have ended.</summary>
    internal long Done { get; private set; }

    /// <summary>Pages asked for.</summary>
    internal long Pages { get; private set; }

    /// <summary>Of them, those found in the own cache.</summary>
    internal long Hits { get; private set; }

    /// <summary>Pages that came from a lender.</summary>
    internal long FromLenders { get; private set; }

    /// <summary>Pages that came from the disk.</summary>
    internal long FromDisk { get; private set; }

    /// <summary>Misses of pages that had been there before.</summary>
    internal long ReadAgain { get; private set; }

    /// <summary>Time from the beginning to the end of all I/Os.</summary>
    internal long LatencyNanos { get; private set; }

    /// <summary>Pages of the file.</summary>
    internal ulong FilePages => _options.Pattern.PageCount;

    /// <inheritdoc/>
    public void Handle(long nowNanos, int kind, long argument)
    {
        Worker worker = _workers[argument];
        if (kind == DiskDone) End(worker, nowNanos);
        else if (worker.Retries.Count > 0) Fetch(worker, nowNanos);
        else if (nowNanos < _options.StopNanos) BeginIo(worker, (int)argument, nowNanos);
    }

    private void BeginIo(Worker worker, int index, long nowNanos)
    {
        PageRequest request = _options.Pattern.Next(ref _random);
        worker.Index = index;
        worker.BeganNanos = nowNanos;
        worker.Outstanding = 0;
        Pages += request.Count;
        long waited = 0;
        worker.Missing.Clear();
        for (int i = 0; i < request.Count; i++)
        {
            ulong page = request.Page + (ulong)i;
            if (_machine.Cache.FreeCount <= _machine.MinWatermark && !_machine.Cache.Contains(_file, page))
                waited += _machine.MakeRoom(nowNanos);
            if (_machine.Cache.Access(_file, page, ref worker.Reader)) Hits++;
            else AddMissing(worker, page, request.IsWrite);
            if (request.IsWrite) _machine.Write(new PageKey(_file, page), nowNanos);
        }

        if (request.Count > 1)
            _machine.Borrower?.OnRead(new PageKey(_file, request.Page), request.Count, request.Count, CachedBefore(request.Page));
        if (worker.Missing.Count > 0)
        {
            worker.Retries.Clear();
            worker.Retries.AddRange(worker.Missing);
            Fetch(worker, nowNanos);
            // The read is on its way before others' pages are pushed out for it.
            _machine.Settle(nowNanos);
        }

        worker.ExtraNanos = waited;
        if (worker.Outstanding == 0 && worker.Retries.Count == 0) Finish(worker, nowNanos + _hitNanos + waited);
    }

    private void AddMissing(Worker worker, ulong page, bool isWrite)
    {
        ref ulong word = ref _seen[page >> 6];
        ulong bit = 1UL << (int)(page & 63);
        if ((word & bit) != 0) ReadAgain++;
        word |= bit;
        // A page that is written whole needs no read.
        if (!isWrite) worker.Missing.Add(new PageKey(_file, page));
    }

    /// <summary>Asks lenders and the disk for the pages in <see cref="Worker.Retries"/>.</summary>
    private void Fetch(Worker worker, long nowNanos)
    {
        worker.Missing.Clear();
        worker.Missing.AddRange(worker.Retries);
        worker.Retries.Clear();
        worker.ForDisk.Clear();
        worker.ForLender.Clear();
        int lender = -1;
        foreach (PageKey page in worker.Missing)
        {
            int one = -1;
            MissSource source = _machine.Borrower?.ChooseSource(page, nowNanos, out one) ?? MissSource.Disk;
            if (source == MissSource.Disk) worker.ForDisk.Add(page);
            else if (source == MissSource.Wait) worker.Retries.Add(page);
            else
            {
                if (one != lender) AskLender(worker, lender, nowNanos);
                lender = one;
                worker.ForLender.Add(page);
            }
        }

        AskLender(worker, lender, nowNanos);
        ReadDisk(worker, worker.ForDisk, nowNanos);
        if (worker.Retries.Count == 0) return;
        _machine.Settle(nowNanos);
        _queue.Schedule(nowNanos + BusyRetryNanos, this, Begin, worker.Index);
    }

    private void AskLender(Worker worker, int lender, long nowNanos)
    {
        if (worker.ForLender.Count == 0) return;
        worker.Outstanding++;
        _machine.LenderLink(lender).Get(worker, worker.ForLender, nowNanos);
        worker.ForLender.Clear();
    }

    /// <summary>One request for each run of neighbours.</summary>
    private void ReadDisk(Worker worker, List<PageKey> pages, long nowNanos)
    {
        for (int i = 0; i < pages.Count;)
        {
            int run = 1;
            while (i + run < pages.Count && pages[i + run].Packed == pages[i].Packed + (ulong)run) run++;
            long end = _machine.Disk.Read(nowNanos, pages[i], run);
            FromDisk += run;
            worker.Outstanding++;
            _queue.Schedule(end, this, DiskDone, worker.Index);
            i += run;
        }
    }

    private void OnPages(Worker worker, IReadOnlyList<PageKey> pages, IReadOnlyList<bool> found, long nowNanos)
    {
        worker.ForDisk.Clear();
        for (int i = 0; i < pages.Count; i++)
        {
            if (found[i]) FromLenders++;
            else worker.ForDisk.Add(pages[i]);
        }

        ReadDisk(worker, worker.ForDisk, nowNanos);
        End(worker, nowNanos);
    }

    /// <summary>A part of an I/O has ended.</summary>
    private void End(Worker worker, long nowNanos)
    {
        worker.Outstanding--;
        if (worker.Outstanding > 0 || worker.Retries.Count > 0) return;
        Finish(worker, nowNanos + _hitNanos + worker.ExtraNanos);
    }

    private void Finish(Worker worker, long endNanos)
    {
        Done++;
        LatencyNanos += endNanos - worker.BeganNanos;
        long next = Math.Max(endNanos, worker.BeganNanos + _options.PaceNanos);
        if (next < _options.StopNanos) _queue.Schedule(next, this, Begin, worker.Index);
    }

    /// <summary>Contiguous cached pages before a page, as many as the filter wants to know.</summary>
    private long CachedBefore(ulong page)
    {
        const long Enough = 256;
        long count = 0;
        while (count < Enough && (ulong)count < page && _machine.Cache.Contains(_file, page - (ulong)count - 1)) count++;
        return count;
    }

    /// <summary>A thread of the program.</summary>
    private sealed class Worker(IoClient client) : IPageWaiter
    {
        public PageReader Reader;

        public int Index { get; set; }

        public long BeganNanos { get; set; }

        public long ExtraNanos { get; set; }

        public int Outstanding { get; set; }

        public List<PageKey> Missing { get; } = [];

        public List<PageKey> Retries { get; } = [];

        public List<PageKey> ForDisk { get; } = [];

        public List<PageKey> ForLender { get; } = [];

        public void OnPages(IReadOnlyList<PageKey> pages, IReadOnlyList<bool> found, long nowNanos) =>
            client.OnPages(this, pages, found, nowNanos);
    }
}
