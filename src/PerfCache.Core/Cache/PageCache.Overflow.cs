// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.ObjectPool;
using PerfCache.Cache.Sources;
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Pages that overflow into a tier, and come back from there: <see cref="IOverflowTier"/>.</summary>
/// <remarks>
/// Without a tier all of it is one comparison with null an eviction and one a miss.
/// <para>A miss that a thread waits for asks for its page. Misses that nobody waits for (batches, readahead) come as a chain
/// of requests; the pages of the chain that the tier knows are asked for together, up to <see cref="IOverflowTier.ReadMax"/>
/// at a time, and each request then reads the runs of pages that are left. Requests with no such page do not wait.</para>
/// </remarks>
public partial class PageCache<TRules, TProbe> : IEvictionTaker
{
    private readonly IOverflowTier? _tier;
    private readonly ObjectPool<TierRound> _roundPool =
        new DefaultObjectPool<TierRound>(new DefaultPooledObjectPolicy<TierRound>());

    void IEvictionTaker.TakeEvicted(FrameId victim)
    {
        PageKey key = _frames.Key(victim);
        // What has no source cannot be asked for again.
        if (_sources[key.ObjectId.Value] is null) return;
        _tier!.OnEvicted(key, _memory.Page(victim), _readsAhead && _streams!.Mark(victim).IsSequential);
    }

    /// <summary>Under the lock, the page locked: its bytes are about to change.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ForgetBeforeWrite(FrameId frame)
    {
        if (!TProbe.Omits(CacheCheck.ForgetBeforeWrite)) _tier!.Forget(_frames.Key(frame));
    }

    /// <summary>Reads the page of a load, from the tier if that has it.</summary>
    /// <returns>The valid bytes.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int ReadThroughTier(PageLoad load, IPageSource source, Span<byte> bytes)
    {
        PageKey key = load.Key;
        bool isOwn = ReferenceEquals(source, SourceOf(key.ObjectId));
        if (!isOwn) _tier!.Forget(key);
        else if (_tier!.Knows(key) && _tier.IsWorthAsking(1) && ReadOne(load)) return bytes.Length;
        long started = Stopwatch.GetTimestamp();
        int valid = source.Read(key.Page, bytes);
        if (isOwn) _tier.OnSourceRead(1, Stopwatch.GetTimestamp() - started);
        return valid;
    }

    private unsafe bool ReadOne(PageLoad load)
    {
        TierRound round = _roundPool.Get();
        NativePage page = NativePage.Rent(_memory.Address(load.Frame), _pageBytes);
        try
        {
            round.Add(load.Key, page.Memory);
            _tier!.Read(round.Reads, requestPages: 1);
            return round.Reads.Span[0].IsFilled;
        }
        finally
        {
            page.Return();
            round.Clear();
            _roundPool.Return(round);
        }
    }

    /// <summary>Starts requests, those of whose pages the tier knows some once it has been asked.</summary>
    private void StartThroughTier(ReadRequest? request)
    {
        TierRound? round = null;
        while (request is not null)
        {
            ReadRequest? next = request.Next;
            uint known = KnownPages(request);
            if (known == 0)
            {
                Start(request);
            }
            else
            {
                if (round is not null && !round.HasRoom(BitOperations.PopCount(known)))
                {
                    _ = RunAsync(round);
                    round = null;
                }

                round ??= _roundPool.Get();
                round.Add(request, known);
            }

            request = next;
        }

        if (round is not null) _ = RunAsync(round);
    }

    /// <summary>A bit for each page of a request that is worth asking for.</summary>
    private uint KnownPages(ReadRequest request)
    {
        uint known = 0;
        bool isOwn = ReferenceEquals(request.Source, SourceOf(request.Load(0).Key.ObjectId));
        for (int i = 0; i < request.Count; i++)
        {
            PageKey key = request.Load(i).Key;
            if (!isOwn) _tier!.Forget(key);
            else if (_tier!.Knows(key)) known |= 1u << i;
        }

        return known != 0 && _tier!.IsWorthAsking(request.Count) ? known : 0;
    }

    private async Task RunAsync(TierRound round)
    {
        try
        {
            await _tier!.ReadAsync(round.Reads, round.RequestPages).ConfigureAwait(false);
            round.Distribute();
        }
        // It should not throw; if it does, it has not got the pages, and those who wait for them must not wait for ever.
        catch (Exception)
        {
        }

        for (int i = 0; i < round.RequestCount; i++) Start(round.Request(i));
        round.Clear();
        _roundPool.Return(round);
    }

    private static void Start(ReadRequest request)
    {
        if (request.IsComplete || request.Source.IsAsync) request.Execute();
        else ThreadPool.UnsafeQueueUserWorkItem(request, preferLocal: false);
    }

    /// <summary>Has the source fill the runs of pages that the tier did not have.</summary>
    /// <returns>Why one of them failed, or null.</returns>
    private async ValueTask<Exception?> FillRestAsync(ReadRequest request)
    {
        Exception? failure = null;
        for (int first = 0; first < request.Count;)
        {
            int end = first;
            while (end < request.Count && !request.IsFilled(end)) end++;
            if (end > first)
                failure = await FillAsync(request, first, end - first).ConfigureAwait(false) ?? failure;
            first = end + 1;
        }

        return failure;
    }

    /// <summary>Pages before a window that are resident or being loaded, up to as many as the tier wants to know of.</summary>
    private bool IsSequential(PageKey first, int windowPages)
    {
        if (_tier is not { SequentialHistoryPages: > 0 and int history }) return false;
        int cachedBefore = 0;
        while (cachedBefore < history && (ulong)cachedBefore < first.Page
            && IsKnown(new PageKey(first.Packed - (ulong)cachedBefore - 1)))
        {
            cachedBefore++;
        }

        return _tier.IsSequential(windowPages, _options.ReadaheadPagesMax, cachedBefore);
    }

    /// <summary>Pages that are asked of the tier together. Pooled.</summary>
    private sealed class TierRound
    {
        private readonly OverflowRead[] _reads = new OverflowRead[IOverflowTier.ReadMax];
        private readonly (byte Request, byte Page)[] _places = new (byte, byte)[IOverflowTier.ReadMax];
        private readonly ReadRequest?[] _requests = new ReadRequest?[IOverflowTier.ReadMax];
        private int _count;

        internal Memory<OverflowRead> Reads => _reads.AsMemory(0, _count);

        internal int RequestCount { get; private set; }

        /// <summary>Pages of the largest request.</summary>
        internal int RequestPages { get; private set; }

        internal ReadRequest Request(int index) => _requests[index]!;

        internal bool HasRoom(int pages) => _count + pages <= IOverflowTier.ReadMax;

        internal void Add(PageKey page, Memory<byte> destination) =>
            _reads[_count++] = new OverflowRead { Page = page, Destination = destination };

        internal void Add(ReadRequest request, uint known)
        {
            for (; known != 0; known &= known - 1)
            {
                int page = BitOperations.TrailingZeroCount(known);
                _places[_count] = ((byte)RequestCount, (byte)page);
                Add(request.Load(page).Key, request[page]);
            }

            _requests[RequestCount++] = request;
            RequestPages = Math.Max(RequestPages, request.Count);
        }

        /// <summary>Tells each request what the tier has filled.</summary>
        internal void Distribute()
        {
            for (int i = 0; i < _count; i++)
                if (_reads[i].IsFilled) _requests[_places[i].Request]!.SetFilled(_places[i].Page);
        }

        internal void Clear()
        {
            Array.Clear(_reads, 0, _count);
            Array.Clear(_requests, 0, RequestCount);
            _count = RequestCount = RequestPages = 0;
        }
    }
}
