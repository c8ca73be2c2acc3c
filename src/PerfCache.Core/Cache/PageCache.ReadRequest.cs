// SPDX-License-Identifier: MIT
using System.Collections;
using System.Numerics;
using Microsoft.Extensions.ObjectPool;
using PerfCache.Cache.Sources;
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Requests to a source that no caller's thread waits for.</summary>
public unsafe partial class PageCache<TRules, TProbe>
{
    private readonly ObjectPool<ReadRequest> _requestPool =
        new DefaultObjectPool<ReadRequest>(new DefaultPooledObjectPolicy<ReadRequest>());

    /// <summary>
    /// Neighbouring pages that are read by one request to their source. Pooled. As a list it is what the source gets: a
    /// buffer for each page, which is the page's frame itself.
    /// </summary>
    private sealed class ReadRequest : IReadOnlyList<Memory<byte>>, IThreadPoolWorkItem
    {
        /// <summary>The most pages of one request.</summary>
        internal const int PageMax = 32;

        private readonly PageLoad[] _loads = new PageLoad[PageMax];
        private readonly NativePage?[] _buffers = new NativePage?[PageMax];
        private PageCache<TRules, TProbe> _cache = null!;
        private uint _filled;

        /// <summary>The source that is asked.</summary>
        internal IPageSource Source { get; private set; } = null!;

        /// <summary>The first page.</summary>
        internal ulong FirstPage => _loads[0].Key.Page;

        /// <summary>The next request of a <see cref="RequestChain"/>.</summary>
        internal ReadRequest? Next { get; set; }

        /// <inheritdoc/>
        public int Count { get; private set; }

        /// <inheritdoc/>
        public Memory<byte> this[int index]
        {
            get
            {
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
                return _buffers[index]!.Memory;
            }
        }

        /// <summary>The cache, if pages may come from its overflow tier.</summary>
        internal PageCache<TRules, TProbe>? TieredCache => _cache._tier is null ? null : _cache;

        /// <summary>True when some page was filled by the overflow tier.</summary>
        internal bool IsPartlyFilled => _filled != 0;

        /// <summary>True when all pages were.</summary>
        internal bool IsComplete => BitOperations.PopCount(_filled) == Count;

        /// <summary>True when the overflow tier has filled a page.</summary>
        internal bool IsFilled(int index) => ((_filled >> index) & 1) != 0;

        /// <summary>The overflow tier has filled a page.</summary>
        internal void SetFilled(int index) => _filled |= 1u << index;

        /// <summary>Room for how each load of the request ends.</summary>
        internal LoadEnd[] Ends { get; } = new LoadEnd[PageMax];

        /// <summary>The load of a page of the request.</summary>
        internal PageLoad Load(int index) => _loads[index];

        internal void Open(PageCache<TRules, TProbe> cache, IPageSource source)
        {
            _cache = cache;
            Source = source;
        }

        /// <summary>True when the page follows the last one and there is room.</summary>
        internal bool Takes(PageKey key) =>
            Count < PageMax && key.Packed == _loads[Count - 1].Key.Packed + 1;

        internal void Add(PageLoad load)
        {
            _buffers[Count] = NativePage.Rent(_cache._memory.Address(load.Frame), _cache.PageBytes);
            _loads[Count++] = load;
        }

        /// <summary>Takes the buffers back from the source.</summary>
        internal void ReturnBuffers()
        {
            for (int i = 0; i < Count; i++)
            {
                _buffers[i]!.Return();
                _buffers[i] = null;
            }
        }

        internal void Close()
        {
            Array.Clear(_loads, 0, Count);
            Array.Clear(Ends, 0, Count);
            Count = 0;
            _filled = 0;
            Next = null;
            Source = null!;
            _cache = null!;
        }

        /// <inheritdoc/>
        public void Execute() => _ = _cache.ReadAsync(this);

        /// <inheritdoc/>
        public IEnumerator<Memory<byte>> GetEnumerator()
        {
            for (int i = 0; i < Count; i++) yield return this[i];
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>Requests that are put together under the lock and started after it.</summary>
    private struct RequestChain
    {
        private ReadRequest? _first;
        private ReadRequest? _last;

        /// <summary>Adds a load that was just started: to the last request if the page is its next neighbour.</summary>
        internal void Add(PageCache<TRules, TProbe> cache, PageLoad load, IPageSource source)
        {
            if (_last is null || !_last.Takes(load.Key))
            {
                ReadRequest request = cache._requestPool.Get();
                request.Open(cache, source);
                if (_last is null) _first = request;
                else _last.Next = request;
                _last = request;
            }

            _last.Add(load);
        }

        /// <summary>Starts all requests, none of which waits for another.</summary>
        internal void StartAll()
        {
            ReadRequest? request = _first;
            _first = _last = null;
            if (request?.TieredCache is { } cache)
            {
                cache.StartThroughTier(request);
                return;
            }

            while (request is not null)
            {
                // It may be over, and serve somebody else, as soon as it has been started.
                ReadRequest? next = request.Next;
                Start(request);
                request = next;
            }
        }
    }

    /// <summary>Reads one page of a request on this thread, from a source that does not wait without one.</summary>
    private long ReadHere(ReadRequest request, int index) =>
        request.Source.Read(request.Load(index).Key.Page, _memory.Page(request.Load(index).Frame));
}
