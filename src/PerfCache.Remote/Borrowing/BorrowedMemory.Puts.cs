// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Puma;

namespace PerfCache.Remote.Borrowing;

/// <summary>The way out: evicted pages, the thread that sends them, and what makes the catalogue forget.</summary>
/// <remarks>
/// <code>
/// cache's lock   E1 skip, drop or send?   E2 entry: queued, a new generation       E3 copy into the pool
/// sender         S1 checksum or seal      S2 entry: queued → sent, if it is still this generation      S3 hand over
/// fleet          A1 entry: sent → stored, if it is still this generation; otherwise the server may forget it
/// forget         F1 entry removed, under the cache's lock
/// </code>
/// E2 comes before E3, so a page that is in the pool without an entry was forgotten, and S2 finds it so.
/// </remarks>
public sealed partial class BorrowedMemory
{
    private const int SenderNapMilliseconds = 100;

    private PageSeal? _putSeal;
    private ulong _generation;
    private ulong _sealed;
    private int _lostServers;

    /// <inheritdoc/>
    public void OnEvicted(PageKey page, ReadOnlySpan<byte> bytes, bool isSequential)
    {
        if (_isDisposed || _catalogue is null) return;
        Note(Count.Evicted);
        bool isPresent = _catalogue.TryFind(page, out _);
        int server = isPresent ? -1 : _fleet.ServerOf(page.ObjectId.Value, page.Page);
        LeavingPage evicted = new(
            IsDirty: false, isPresent, LendsItself: false, isSequential && _filter.Drops(default),
            HasLender: server >= 0, HasRoom: _pool!.HasRoom);
        PutChoice choice = BorrowRules.ForEvicted(in evicted, LendingStrategy.Keep, out PumaCause cause);
        if (choice == PutChoice.Skip)
        {
            Note(Count.Kept);
        }
        else if (choice == PutChoice.Drop)
        {
            Note(cause switch
            {
                PumaCause.Sequential => Count.DroppedSequential,
                PumaCause.NoLender => Count.DroppedNoServer,
                _ => Count.DroppedNoRoom,
            });
        }
        else if (!IsOffered())
        {
            Note(Count.DroppedSourceFaster);
        }
        else
        {
            uint generation = NextGeneration();
            if (_catalogue.Add(page, generation, server, out (PageKey Page, RemoteEntry Entry) displaced)) // E2
            {
                Note(Count.Displaced);
                Retract(displaced.Page, displaced.Entry);
            }

            _pool.Add(page, generation, server, bytes); // E3
        }
    }

    /// <inheritdoc/>
    public void Forget(PageKey page)
    {
        if (_catalogue is null || Omits(BorrowCheck.Forget)) return;
        if (!_catalogue.TryRemove(page, out RemoteEntry entry)) return; // F1
        Note(Count.Forgotten);
        Retract(page, entry);
    }

    /// <inheritdoc/>
    public void Forget(ObjectId owner, ulong firstPage, ulong lastPage)
    {
        // Up to here it is cheaper to look for each page than at each slot.
        const ulong OneByOneMax = 1024;
        if (_catalogue is null || _catalogue.Count == 0) return;
        if (lastPage - firstPage < OneByOneMax)
        {
            for (ulong page = firstPage; page <= lastPage; page++) Forget(new PageKey(owner, page));
        }
        else if (!Omits(BorrowCheck.Forget))
        {
            Note(Count.Forgotten, _catalogue.RemoveRange(new PageKey(owner, firstPage), new PageKey(owner, lastPage)));
        }
    }

    void IFleetListener.PutEnded(in RemotePageKey key, int server, bool stored)
    {
        Note(stored ? Count.Stored : Count.NotStored);
        PageKey page = new(new ObjectId((uint)key.ObjectId), key.Page);
        if (!stored) _catalogue!.TryRemove(page, key.Generation);
        else if (!_catalogue!.TryAdvance(page, key.Generation, RemoteState.Stored)) _fleet.Forget(key, server); // A1
    }

    void IFleetListener.ServerLost(int server)
    {
        // Whoever asks in the meantime is told that the server has not got the page.
        Interlocked.Or(ref _lostServers, 1 << server);
        _pool?.Ring();
    }

    /// <summary>Sends the page that waits longest.</summary>
    /// <returns>False when none does.</returns>
    internal bool SendOne()
    {
        ForgetLostServers();
        if (!_pool!.TryPeek(out (PageKey Page, uint Generation, int Server) name, out Memory<byte> value)) return false;
        RemotePageKey key = new(name.Page.ObjectId.Value, name.Page.Page, name.Generation);
        ulong checksum = Prepare(value.Span, key); // S1
        if (_catalogue!.TryAdvance(name.Page, name.Generation, RemoteState.Sent, checksum)) // S2
        {
            if (_fleet.TryPut(key, name.Server, value.Span)) // S3
            {
                Note(Count.Sent);
                Interlocked.Increment(ref _servers[name.Server].Puts);
            }
            else
            {
                _catalogue.TryRemove(name.Page, name.Generation);
                Note(Count.DroppedNoRoom);
            }
        }

        _pool.RemoveFirst();
        return true;
    }

    private void SendAll()
    {
        while (!_isDisposed)
        {
            while (!_isDisposed && SendOne())
            {
            }

            _pool!.Wait(SenderNapMilliseconds);
        }
    }

    private ulong Prepare(Span<byte> value, in RemotePageKey key)
    {
        if (!_options.Encrypts) return _fingerprint.Of(value);
        _putSeal ??= new PageSeal(_sealKey);
        return _putSeal.Seal(value, key, ++_sealed);
    }

    private uint NextGeneration()
    {
        if (Omits(BorrowCheck.Generation)) return 0;
        return (uint)++_generation;
    }

    /// <summary>While the source is faster, few pages are offered: only to see whether it still is. For whom a page will be
    /// read is not known: one kind of read for which the servers are faster is enough.</summary>
    private bool IsOffered()
    {
        if (_races[0] is not { } single || _races[1] is not { } runs) return true;
        lock (_raceLock)
        {
            if (!single.IsOff && !runs.IsOff) return true;
            bool isSomeServed = (!single.IsOff && single.HasRaced) || (!runs.IsOff && runs.HasRaced);
            return isSomeServed || (single.IsOff ? single : runs).Offers();
        }
    }

    private void Retract(PageKey page, in RemoteEntry entry)
    {
        if (entry.State < RemoteState.Sent || _isDisposed) return;
        _fleet.Forget(new RemotePageKey(page.ObjectId.Value, page.Page, entry.Generation), entry.Server);
    }

    private void ForgetLostServers()
    {
        if (Volatile.Read(ref _lostServers) == 0) return;
        int lost = Interlocked.Exchange(ref _lostServers, 0);
        for (int server = 0; server < _servers.Length; server++)
            if ((lost >> server & 1) != 0) Note(Count.Lost, _catalogue!.RemoveServer(server));
    }
}
