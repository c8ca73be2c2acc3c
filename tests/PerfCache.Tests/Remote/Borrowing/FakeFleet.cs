// SPDX-License-Identifier: MIT
using PerfCache.Remote.Borrowing;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>How a fake server deceives.</summary>
internal enum FleetLie
{
    /// <summary>It has what it has.</summary>
    None,

    /// <summary>Another version of the page, from any time before.</summary>
    Stale,

    /// <summary>Another page.</summary>
    Swapped,

    /// <summary>Half of the page, and half of another version or page.</summary>
    Torn,

    /// <summary>One bit is wrong.</summary>
    Flipped,

    /// <summary>Zeros, or noise.</summary>
    Poisoned,

    /// <summary>No answer in time, and the destination written all the same before the call ends.</summary>
    Late,

    /// <summary>It says that it has nothing.</summary>
    Denied,
}

/// <summary>
/// Servers in memory, that never forget anything they were ever given, and answer as they like. Stores and
/// acknowledgements wait for <see cref="Deliver"/> unless that is automatic.
/// </summary>
internal sealed class FakeFleet(IFleetListener listener, int seed, int servers = 1) : IPageFleet
{
    private readonly Lock _lock = new();
    private readonly Random _random = new(seed);
    private readonly Dictionary<RemotePageKey, byte[]> _stored = [];
    private readonly List<(RemotePageKey Key, byte[] Value)> _ever = [];
    private readonly List<(RemotePageKey Key, int Server, byte[] Value)> _pending = [];

    /// <summary>True: stores are delivered and acknowledged at once.</summary>
    public bool IsPrompt { get; init; } = true;

    /// <summary>One get in so many is a lie; 0 for never.</summary>
    public int LieEvery { get; set; }

    /// <summary>The lies that are told; all when empty.</summary>
    public FleetLie[] Lies { get; init; } = [];

    /// <summary>One acknowledgement in so many says that it was not stored.</summary>
    public int RefuseEvery { get; init; }

    /// <summary>False: the send buffers are full.</summary>
    public bool HasRoom { get; set; } = true;

    /// <summary>False: no server is in service.</summary>
    public bool IsInService { get; set; } = true;

    /// <summary>What a get takes, for tests of time: it is waited for by spinning.</summary>
    public TimeSpan GetTime { get; set; }

    /// <summary>What <see cref="DeadlineOf"/> says.</summary>
    public TimeSpan Deadline { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The deadline of the last get.</summary>
    public TimeSpan LastDeadline { get; private set; }

    public int GetCalls { get; private set; }

    public int GetPages { get; private set; }

    public int LiesTold { get; private set; }

    public int ForgetCalls { get; private set; }

    public int PendingCount
    {
        get
        {
            lock (_lock) return _pending.Count;
        }
    }

    public int ServerCount => servers;

    public int ServerOf(ulong objectId, ulong page) =>
        IsInService ? (int)((objectId + page) % (ulong)servers) : -1;

    public bool CanGet(int server) => IsInService;

    public bool TryPut(in RemotePageKey key, int server, ReadOnlySpan<byte> value)
    {
        if (!HasRoom) return false;
        lock (_lock) _pending.Add((key, server, value.ToArray()));
        if (IsPrompt) Deliver();
        return true;
    }

    /// <summary>Delivers one pending store, any of them, and acknowledges it.</summary>
    public bool Deliver()
    {
        (RemotePageKey Key, int Server, byte[] Value) put;
        bool refused;
        lock (_lock)
        {
            if (_pending.Count == 0) return false;
            int which = _random.Next(_pending.Count);
            put = _pending[which];
            _pending.RemoveAt(which);
            refused = RefuseEvery > 0 && _random.Next(RefuseEvery) == 0;
            if (!refused) _stored[put.Key] = put.Value;
            _ever.Add((put.Key, put.Value));
        }

        listener.PutEnded(put.Key, put.Server, !refused);
        return true;
    }

    /// <summary>All servers lose what they have.</summary>
    public void Lose()
    {
        lock (_lock) _stored.Clear();
        for (int server = 0; server < servers; server++) listener.ServerLost(server);
    }

    public void Forget(in RemotePageKey key, int server)
    {
        lock (_lock)
        {
            ForgetCalls++;
            _stored.Remove(key);
        }
    }

    public ValueTask GetAsync(Memory<FleetGet> gets, TimeSpan deadline)
    {
        Get(gets, deadline);
        return default;
    }

    public void Get(Memory<FleetGet> gets, TimeSpan deadline)
    {
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        lock (_lock)
        {
            LastDeadline = deadline;
            GetCalls++;
            foreach (ref FleetGet get in gets.Span)
            {
                GetPages++;
                Answer(ref get);
            }
        }

        while (System.Diagnostics.Stopwatch.GetElapsedTime(started) < GetTime) Thread.SpinWait(10);
    }

    public TimeSpan DeadlineOf(int server) => Deadline;

    public ValueTask DisposeAsync() => default;

    private void Answer(ref FleetGet get)
    {
        Span<byte> destination = get.Destination.Span;
        bool has = _stored.TryGetValue(get.Key, out byte[]? value);
        get.Outcome = has ? FleetOutcome.Found : FleetOutcome.Missing;
        if (has) value.CopyTo(destination);
        if (LieEvery == 0 || _random.Next(LieEvery) != 0 || _ever.Count == 0) return;
        RemotePageKey key = get.Key;
        // Something else than what was asked for, from where the search begins by chance.
        int start = _random.Next(_ever.Count), other = start;
        do other = (other + 1) % _ever.Count;
        while (other != start && _ever[other].Key == key);
        FleetLie lie = Lies.Length > 0 ? Lies[_random.Next(Lies.Length)] : (FleetLie)_random.Next(1, (int)FleetLie.Denied + 1);
        byte[] wrong = _ever[other].Value;
        if (lie == FleetLie.Stale)
            wrong = _ever.FirstOrDefault(one => one.Key.ObjectId == key.ObjectId && one.Key.Page == key.Page).Value ?? wrong;
        LiesTold++;
        get.Outcome = lie switch
        {
            FleetLie.Late => FleetOutcome.NoAnswer,
            FleetLie.Denied => FleetOutcome.Missing,
            _ => FleetOutcome.Found,
        };
        if (lie is FleetLie.Stale or FleetLie.Swapped or FleetLie.Late) wrong.CopyTo(destination);
        else if (lie == FleetLie.Torn) wrong.AsSpan(0, destination.Length / 2).CopyTo(destination);
        else if (lie == FleetLie.Flipped) destination[_random.Next(destination.Length)] ^= (byte)(1 << _random.Next(8));
        else if (lie == FleetLie.Poisoned) destination.Fill((byte)_random.Next(2));
    }
}
