// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Remote.Borrowing;
using PerfCache.Simulation.Replay;

namespace PerfCache.Cli.Borrow;

/// <summary>What a load is made of.</summary>
internal sealed record BorrowLoadOptions
{
    /// <summary>Pages that are put and asked for.</summary>
    public required int Pages { get; init; }

    /// <summary>Bytes of a page.</summary>
    public required int PageBytes { get; init; }

    /// <summary>Pages of one call.</summary>
    public required int Batch { get; init; }

    /// <summary>Threads that put and ask.</summary>
    public required int Threads { get; init; }

    /// <summary>How long a get may take; null for what the fleet finds right.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>Where all contents and choices come from.</summary>
    public required ulong Seed { get; init; }
}

/// <summary>
/// Puts seeded pages to a fleet and asks for them, from several threads, and looks at every byte that comes. A page has one
/// version at a time, in the hands of the one thread to which it belongs.
/// </summary>
internal sealed class BorrowLoad : IFleetListener, IAsyncDisposable
{
    private const ulong ObjectId = 1;
    private const int AttemptsMax = 6;

    private readonly BorrowLoadOptions _options;
    private readonly PageFleet _fleet;
    private readonly LatencyHistogram[] _latencies;
    private readonly uint[] _versions;
    private readonly sbyte[] _places;
    private readonly int[] _underWay;

    /// <summary>Makes a load; nothing is sent yet.</summary>
    public BorrowLoad(FleetOptions fleet, BorrowLoadOptions options)
    {
        _options = options;
        _versions = new uint[options.Pages];
        _places = new sbyte[options.Pages];
        Array.Fill(_places, (sbyte)-1);
        _underWay = new int[options.Pages];
        _latencies = [.. Enumerable.Range(0, options.Threads).Select(_ => new LatencyHistogram())];
        _fleet = new PageFleet(fleet, this);
    }

    /// <summary>Of a hundred batches, how many ask; the others put. Changed while nothing runs.</summary>
    public int GetPercent { get; set; } = 50;

    /// <summary>What came of it so far.</summary>
    public BorrowCounts Counts { get; } = new();

    /// <summary>The servers, for tests that do more to them.</summary>
    public PageFleet Fleet => _fleet;

    /// <summary>What each server did so far.</summary>
    public IReadOnlyList<ServerStatistics> Servers => _fleet.Statistics;

    /// <summary>Waits until all servers are in service.</summary>
    /// <returns>False when some are not after that time, or after several attempts.</returns>
    public async Task<bool> AwaitServersAsync(TimeSpan limit, CancellationToken cancellation)
    {
        long begun = Stopwatch.GetTimestamp();
        while (Servers.Any(server => server.State != ServerState.InService))
        {
            bool isRefused = Servers.Any(server => server.State == ServerState.Down && server.ConnectFailures >= AttemptsMax);
            if (isRefused || Stopwatch.GetElapsedTime(begun) > limit) return false;
            await Task.Delay(10, cancellation).ConfigureAwait(false);
        }

        return true;
    }

    /// <summary>Puts all pages once.</summary>
    /// <returns>The time it took.</returns>
    public TimeSpan Fill(CancellationToken cancellation)
    {
        long begun = Stopwatch.GetTimestamp();
        OnThreads(thread =>
        {
            Worker worker = new(this, thread);
            for (int page = worker.First; page < worker.End && !cancellation.IsCancellationRequested; page++)
            {
                while (!worker.TryPut(page) && !cancellation.IsCancellationRequested) Thread.Yield();
            }
        });
        AwaitPuts(cancellation);
        return Stopwatch.GetElapsedTime(begun);
    }

    /// <summary>Puts and asks until it is stopped.</summary>
    public void Run(CancellationToken cancellation)
    {
        OnThreads(thread =>
        {
            Worker worker = new(this, thread);
            while (!cancellation.IsCancellationRequested)
            {
                if (worker.WantsGet()) worker.Get();
                else worker.Put();
            }
        });
        AwaitPuts(CancellationToken.None);
    }

    /// <summary>The times of get calls since the last time, all threads together. Nothing may be running.</summary>
    public LatencyHistogram TakeLatencies()
    {
        LatencyHistogram all = new();
        for (int thread = 0; thread < _latencies.Length; thread++)
        {
            all.Add(_latencies[thread]);
            _latencies[thread] = new LatencyHistogram();
        }

        return all;
    }

    /// <inheritdoc/>
    public void PutEnded(in RemotePageKey key, int server, bool stored)
    {
        int page = (int)key.Page;
        // Its thread puts no other version before it hears of this one.
        if (stored) _places[page] = (sbyte)server;
        Interlocked.Increment(ref stored ? ref Counts.Stored : ref Counts.NotStored);
        Volatile.Write(ref _underWay[page], 0);
    }

    /// <inheritdoc/>
    public void ServerLost(int server)
    {
        // A page that is believed there is asked for in vain, which is counted.
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _fleet.DisposeAsync();

    private void AwaitPuts(CancellationToken cancellation)
    {
        long begun = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref Counts.Put) > Volatile.Read(ref Counts.Stored) + Volatile.Read(ref Counts.NotStored)
            && Stopwatch.GetElapsedTime(begun).TotalSeconds < 5 && !cancellation.IsCancellationRequested)
        {
            Thread.Sleep(1);
        }
    }

    private void OnThreads(Action<int> work)
    {
        Thread[] threads = [.. Enumerable.Range(0, _options.Threads).Select(number => new Thread(() => work(number)))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
    }

    /// <summary>One thread's pages and what it needs to ask for them.</summary>
    private sealed class Worker
    {
        private readonly BorrowLoad _load;
        private readonly SeededPage _contents;
        private readonly FleetGet[] _gets;
        private readonly byte[] _page;
        private readonly LatencyHistogram _latencies;
        private ulong _random;

        public Worker(BorrowLoad load, int thread)
        {
            _load = load;
            BorrowLoadOptions options = load._options;
            First = (int)((long)options.Pages * thread / options.Threads);
            End = (int)((long)options.Pages * (thread + 1) / options.Threads);
            _contents = new SeededPage(options.Seed, options.PageBytes);
            _page = new byte[options.PageBytes];
            _gets = new FleetGet[options.Batch];
            byte[] room = new byte[options.Batch * options.PageBytes];
            for (int i = 0; i < _gets.Length; i++)
                _gets[i].Destination = room.AsMemory(i * options.PageBytes, options.PageBytes);
            _latencies = load._latencies[thread];
            _random = (options.Seed + (ulong)thread + 1) * 0x9e37_79b9_7f4a_7c15;
        }

        public int First { get; }

        public int End { get; }

        public bool WantsGet() => Next(100) < _load.GetPercent;

        public bool TryPut(int page)
        {
            if (Volatile.Read(ref _load._underWay[page]) != 0) return false;
            int server = _load._fleet.ServerOf(ObjectId, (ulong)page);
            if (server < 0) return false;
            uint version = _load._versions[page] + 1;
            _contents.Fill(_page, (ulong)page, version);
            int before = _load._places[page];
            _load._underWay[page] = 1;
            _load._versions[page] = version;
            _load._places[page] = -1;
            if (!_load._fleet.TryPut(new RemotePageKey(ObjectId, (ulong)page, version), server, _page))
            {
                _load._versions[page] = version - 1;
                _load._places[page] = (sbyte)before;
                _load._underWay[page] = 0;
                return false;
            }

            if (before >= 0) _load._fleet.Forget(new RemotePageKey(ObjectId, (ulong)page, version - 1), before);
            Interlocked.Increment(ref _load.Counts.Put);
            return true;
        }

        public void Put()
        {
            for (int i = 0; i < _load._options.Batch; i++)
            {
                int page = First + Next(End - First);
                if (TryPut(page)) continue;
                // The ring is full: that is what bounds the rate, so the processor is left to whoever empties it, for as long
                // as it takes to empty a part of it. To look again and again costs it thousands of switches a second.
                if (Volatile.Read(ref _load._underWay[page]) == 0) Thread.Sleep(1);
                else Thread.Yield();
            }
        }

        public void Get()
        {
            int count = 0;
            bool isLeftAlone = false;
            for (int tries = 0; count < _gets.Length && tries < 4 * _gets.Length; tries++)
            {
                int page = First + Next(End - First);
                if (Volatile.Read(ref _load._underWay[page]) != 0 || _load._places[page] < 0) continue;
                // A call that nobody can answer ends at once: that is neither a time nor an answer that failed to come.
                if (!_load._fleet.CanGet(_load._places[page]))
                {
                    isLeftAlone = true;
                    continue;
                }

                _gets[count].Key = new RemotePageKey(ObjectId, (ulong)page, _load._versions[page]);
                _gets[count++].Server = _load._places[page];
            }

            if (count == 0)
            {
                if (isLeftAlone) Thread.Sleep(1);
                else Thread.Yield();
                return;
            }

            TimeSpan deadline = _load._options.Deadline ?? Longest(count);
            long begun = Stopwatch.GetTimestamp();
            _load._fleet.Get(_gets.AsMemory(0, count), deadline);
            TimeSpan took = Stopwatch.GetElapsedTime(begun);
            _latencies.Record((long)took.TotalNanoseconds);
            Look(count, took - deadline);
        }

        private TimeSpan Longest(int count)
        {
            TimeSpan longest = TimeSpan.Zero;
            foreach (ref FleetGet get in _gets.AsSpan(0, count))
            {
                TimeSpan deadline = _load._fleet.DeadlineOf(get.Server);
                if (deadline > longest) longest = deadline;
            }

            return longest;
        }

        private void Look(int count, TimeSpan late)
        {
            long verified = 0, wrong = 0, missing = 0, noAnswer = 0;
            foreach (ref FleetGet get in _gets.AsSpan(0, count))
            {
                if (get.Outcome == FleetOutcome.Missing) missing++;
                else if (get.Outcome == FleetOutcome.NoAnswer) noAnswer++;
                else if (_contents.IsRight(get.Destination.Span, get.Key.Page, get.Key.Generation)) verified++;
                else wrong++;
                if (get.Outcome == FleetOutcome.Missing) _load._places[(int)get.Key.Page] = -1;
            }

            BorrowCounts counts = _load.Counts;
            Interlocked.Add(ref counts.Verified, verified);
            Interlocked.Add(ref counts.Wrong, wrong);
            Interlocked.Add(ref counts.Missing, missing);
            Interlocked.Add(ref counts.NoAnswer, noAnswer);
            long micros = (long)late.TotalMicroseconds;
            if (micros > Volatile.Read(ref counts.LatestMicros)) Volatile.Write(ref counts.LatestMicros, micros);
        }

        private int Next(int below)
        {
            _random ^= _random << 13;
            _random ^= _random >> 7;
            _random ^= _random << 17;
            return (int)(_random % (uint)below);
        }
    }
}
