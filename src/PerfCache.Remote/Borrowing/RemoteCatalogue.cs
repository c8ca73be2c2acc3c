// SPDX-License-Identifier: MIT
using System.Numerics;
using PerfCache.Frames;

namespace PerfCache.Remote.Borrowing;

/// <summary>How far a page has come on its way to a server.</summary>
internal enum RemoteState : byte
{
    /// <summary>The catalogue does not know it.</summary>
    None,

    /// <summary>It waits in the put pool.</summary>
    Queued,

    /// <summary>It was handed over to be sent.</summary>
    Sent,

    /// <summary>The server has acknowledged it.</summary>
    Stored,
}

/// <summary>What a borrower knows of a page.</summary>
/// <param name="Generation">The version that was put.</param>
/// <param name="Checksum">Its checksum, once it was sent.</param>
/// <param name="Server">Where.</param>
/// <param name="State">How far it has come.</param>
internal readonly record struct RemoteEntry(uint Generation, ulong Checksum, int Server, RemoteState State);

/// <summary>
/// Which version of which page is at which server, and what it must look like: so that a known miss costs no message, and
/// a server is believed nothing.
/// </summary>
/// <remarks>
/// <code>
/// slot: key 8 | checksum 8 | generation 4 | server 5 bits, state 3 bits          21 bytes
/// page ──► stripe ──► one of two buckets of 8 slots, whichever has more room
/// </code>
/// Nine slots for each eight pages, so at most 24 bytes a page of its capacity, and all of it taken at the start. When both
/// buckets are full, the oldest generation in them is displaced: to forget is always safe. Each stripe has a lock, held for
/// some tens of nanoseconds, under which nothing else is called.
/// <para>R1: a page is in one slot at most.</para>
/// <para>R2: what was removed is never found again: an entry is found only by the generation that it was added with, and a
/// put that is answered late, or a get that began before, names another.</para>
/// </remarks>
internal sealed class RemoteCatalogue
{
    /// <summary>Bytes of a slot.</summary>
    internal const int SlotBytes = (2 * sizeof(ulong)) + sizeof(uint) + sizeof(byte);

    private const int BucketSlots = 8;
    private const int StripesMax = 64;
    private const int StateBits = 3;
    private const int StateMask = (1 << StateBits) - 1;

    private readonly Stripe[] _stripes;
    private readonly ulong _seed;

    /// <summary>Makes an empty catalogue.</summary>
    /// <param name="capacityPages">The pages that it has room for.</param>
    /// <param name="seed">Decides who meets whom in a bucket.</param>
    internal RemoteCatalogue(long capacityPages, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacityPages, BucketSlots);
        _seed = seed;
        int stripes = (int)Math.Clamp(BitOperations.RoundUpToPowerOf2((ulong)capacityPages / 4096 / 2), 1, StripesMax);
        long buckets = ((capacityPages * 9 / 8) + (BucketSlots * stripes) - 1) / (BucketSlots * stripes);
        _stripes = new Stripe[stripes];
        for (int i = 0; i < stripes; i++) _stripes[i] = new Stripe(checked((int)buckets));
        Bytes = buckets * BucketSlots * stripes * SlotBytes;
    }

    /// <summary>Bytes of all slots.</summary>
    internal long Bytes { get; }

    /// <summary>Pages that it knows.</summary>
    internal long Count
    {
        get
        {
            long count = 0;
            foreach (Stripe stripe in _stripes) count += Volatile.Read(ref stripe.Count);
            return count;
        }
    }

    /// <summary>What is known of a page.</summary>
    internal bool TryFind(PageKey page, out RemoteEntry entry)
    {
        Stripe stripe = Find(page, out ulong hash);
        lock (stripe.Lock)
        {
            int slot = stripe.SlotOf(page.Packed, hash);
            entry = slot < 0 ? default : stripe.Entry(slot);
            return slot >= 0;
        }
    }

    /// <summary>Adds a page, queued; the page must not be there.</summary>
    /// <param name="page">Which.</param>
    /// <param name="generation">Its version, never used before.</param>
    /// <param name="server">Where it shall go.</param>
    /// <param name="displaced">The page that was forgotten for it, if any.</param>
    /// <returns>True when one was displaced.</returns>
    internal bool Add(PageKey page, uint generation, int server, out (PageKey Page, RemoteEntry Entry) displaced)
    {
        Stripe stripe = Find(page, out ulong hash);
        displaced = default;
        lock (stripe.Lock)
        {
            int slot = stripe.SlotFor(hash, generation);
            bool isTaken = stripe.State(slot) != RemoteState.None;
            if (isTaken) displaced = (new PageKey(stripe.Keys[slot]), stripe.Entry(slot));
            else stripe.Count++;
            stripe.Keys[slot] = page.Packed;
            stripe.Checksums[slot] = 0;
            stripe.Generations[slot] = generation;
            stripe.Set(slot, server, RemoteState.Queued);
            return isTaken;
        }
    }

    /// <summary>Moves a version on, from queued to sent or from sent to stored.</summary>
    /// <param name="page">Which.</param>
    /// <param name="generation">Which version.</param>
    /// <param name="to">The state to reach.</param>
    /// <param name="checksum">Its checksum, when it is sent.</param>
    /// <returns>False when the catalogue does not know this version any more.</returns>
    internal bool TryAdvance(PageKey page, uint generation, RemoteState to, ulong checksum = 0)
    {
        Stripe stripe = Find(page, out ulong hash);
        lock (stripe.Lock)
        {
            int slot = stripe.SlotOf(page.Packed, hash);
            if (slot < 0 || stripe.Generations[slot] != generation || stripe.State(slot) != to - 1) return false;
            if (to == RemoteState.Sent) stripe.Checksums[slot] = checksum;
            stripe.Set(slot, stripe.Entry(slot).Server, to);
            return true;
        }
    }

    /// <summary>Forgets a page, whatever its version.</summary>
    internal bool TryRemove(PageKey page, out RemoteEntry entry)
    {
        Stripe stripe = Find(page, out ulong hash);
        lock (stripe.Lock)
        {
            int slot = stripe.SlotOf(page.Packed, hash);
            entry = slot < 0 ? default : stripe.Entry(slot);
            if (slot >= 0) stripe.Clear(slot);
            return slot >= 0;
        }
    }

    /// <summary>Forgets a version of a page.</summary>
    internal bool TryRemove(PageKey page, uint generation)
    {
        Stripe stripe = Find(page, out ulong hash);
        lock (stripe.Lock)
        {
            int slot = stripe.SlotOf(page.Packed, hash);
            if (slot < 0 || stripe.Generations[slot] != generation) return false;
            stripe.Clear(slot);
            return true;
        }
    }

    /// <summary>Forgets the pages of a range of keys; looks at every slot.</summary>
    /// <returns>How many there were.</returns>
    internal long RemoveRange(PageKey first, PageKey last)
    {
        long removed = 0;
        foreach (Stripe stripe in _stripes)
        {
            lock (stripe.Lock)
            {
                if (stripe.Count == 0) continue;
                for (int slot = 0; slot < stripe.Keys.Length; slot++)
                {
                    if (stripe.Keys[slot] - first.Packed > last.Packed - first.Packed) continue;
                    if (stripe.State(slot) == RemoteState.None) continue;
                    stripe.Clear(slot);
                    removed++;
                }
            }
        }

        return removed;
    }

    /// <summary>Forgets what a server had, or was to have; looks at every slot.</summary>
    internal long RemoveServer(int server)
    {
        long removed = 0;
        foreach (Stripe stripe in _stripes)
        {
            lock (stripe.Lock)
            {
                for (int slot = 0; slot < stripe.Keys.Length; slot++)
                {
                    if (stripe.State(slot) == RemoteState.None || stripe.Entry(slot).Server != server) continue;
                    stripe.Clear(slot);
                    removed++;
                }
            }
        }

        return removed;
    }

    private Stripe Find(PageKey page, out ulong hash)
    {
        ulong mixed = page.Packed ^ _seed;
        mixed = (mixed ^ (mixed >> 32)) * 0xD6E8_FEB8_6659_FD93;
        mixed = (mixed ^ (mixed >> 32)) * 0xD6E8_FEB8_6659_FD93;
        hash = mixed ^ (mixed >> 32);
        return _stripes[(int)((hash * 0x9E37_79B9_7F4A_7C15) >> 58) & (_stripes.Length - 1)];
    }

    /// <summary>A part of the catalogue with a lock of its own.</summary>
    private sealed class Stripe(int buckets)
    {
        public readonly Lock Lock = new();
        public readonly ulong[] Keys = new ulong[buckets * BucketSlots];
        public readonly ulong[] Checksums = new ulong[buckets * BucketSlots];
        public readonly uint[] Generations = new uint[buckets * BucketSlots];
        public long Count;
        private readonly byte[] _servers = new byte[buckets * BucketSlots];

        public RemoteState State(int slot) => (RemoteState)(_servers[slot] & StateMask);

        public RemoteEntry Entry(int slot) =>
            new(Generations[slot], Checksums[slot], _servers[slot] >> StateBits, State(slot));

        public void Set(int slot, int server, RemoteState state) =>
            _servers[slot] = (byte)((server << StateBits) | (int)state);

        public void Clear(int slot)
        {
            _servers[slot] = 0;
            Count--;
        }

        /// <summary>The slot of a page, or -1.</summary>
        public int SlotOf(ulong key, ulong hash)
        {
            int slot = SlotIn(FirstOf((uint)hash), key);
            return slot >= 0 ? slot : SlotIn(FirstOf((uint)(hash >> 32)), key);
        }

        /// <summary>A free slot in the emptier bucket, or the one with the oldest version.</summary>
        public int SlotFor(ulong hash, uint generation)
        {
            int first = FirstOf((uint)hash);
            int second = FirstOf((uint)(hash >> 32));
            int free = FreeIn(first, out int firstCount);
            int otherFree = FreeIn(second, out int secondCount);
            if (firstCount + secondCount > 0) return firstCount >= secondCount ? free : otherFree;
            int oldest = first;
            for (int i = 0; i < BucketSlots; i++)
            {
                // Distances, not numbers: generations wrap.
                if (generation - Generations[first + i] > generation - Generations[oldest]) oldest = first + i;
                if (generation - Generations[second + i] > generation - Generations[oldest]) oldest = second + i;
            }

            return oldest;
        }

        private int FirstOf(uint hash) => (int)(((ulong)hash * (uint)buckets) >> 32) * BucketSlots;

        private int SlotIn(int first, ulong key)
        {
            for (int slot = first; slot < first + BucketSlots; slot++)
                if (Keys[slot] == key && State(slot) != RemoteState.None) return slot;
            return -1;
        }

        private int FreeIn(int first, out int count)
        {
            int free = -1;
            count = 0;
            for (int slot = first; slot < first + BucketSlots; slot++)
            {
                if (State(slot) != RemoteState.None) continue;
                free = slot;
                count++;
            }

            return free;
        }
    }
}
