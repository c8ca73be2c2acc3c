// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>What a read found.</summary>
public enum ItemRead
{
    /// <summary>No such item, or none that is still good.</summary>
    Miss,

    /// <summary>The value was copied.</summary>
    Hit,

    /// <summary>
    /// There is an item, but the destination is smaller than its value; nothing was copied or counted.
    /// </summary>
    TooSmall,
}

/// <summary>What became of a change.</summary>
public enum ItemStatus
{
    /// <summary>It was done.</summary>
    Done,

    /// <summary>There is no such item, and the change needs one.</summary>
    NotFound,

    /// <summary>The item has another CAS number: somebody changed it.</summary>
    Exists,

    /// <summary>The mode forbids it: add found an item; replace, append or prepend found none.</summary>
    NotStored,

    /// <summary>
    /// The value is longer than the store allows. The older value is gone, except for append and prepend.
    /// </summary>
    TooLarge,

    /// <summary>There is no room and nothing left to evict. The older value is gone.</summary>
    NoRoom,
}

/// <summary>What a store does with what is there already.</summary>
public enum ItemMode
{
    /// <summary>Store in any case.</summary>
    Set,

    /// <summary>Store if there is none.</summary>
    Add,

    /// <summary>Store if there is one.</summary>
    Replace,

    /// <summary>Put the bytes behind those of the item; flags and expiry stay.</summary>
    Append,

    /// <summary>Put the bytes before those of the item; flags and expiry stay.</summary>
    Prepend,
}

/// <summary>An item without its value.</summary>
public readonly record struct ItemInfo
{
    /// <summary>Bytes of the value.</summary>
    public int Length { get; init; }

    /// <summary>The client's flags.</summary>
    public uint Flags { get; init; }

    /// <summary>The number of the last change: another change, another number.</summary>
    public ulong Cas { get; init; }

    /// <summary>When it expires, or <see cref="long.MaxValue"/>.</summary>
    public long ExpiryTicks { get; init; }

    /// <summary>How long ago it was read or stored, to a tenth of a second.</summary>
    public long IdleTicks { get; init; }

    /// <summary>Whether it was fetched, is stale, is being renewed, as it was before this call.</summary>
    public ItemMarks Marks { get; init; }
}

/// <summary>How an item is to be read, for <see cref="ItemStore{TRule}.Fetch"/>.</summary>
public readonly record struct ItemFetch
{
    /// <summary>The item gets this expiry, if it is there.</summary>
    public long? NewExpiryTicks { get; init; }

    /// <summary>An item that expires before this tick is due: one reader wins the right to renew it. 0: none is.
    /// </summary>
    public long RenewBelowTicks { get; init; }

    /// <summary>
    /// Takes part in the contest for renewal: the first reader of an item that is stale or due wins, and the item is
    /// marked <see cref="ItemMarks.Won"/>.
    /// </summary>
    public bool Contends { get; init; }

    /// <summary>The read leaves no trace: no mark, no count, and the item is as old as before.</summary>
    public bool Unnoticed { get; init; }

    /// <summary>The value is not wanted, and so it is not checked either.</summary>
    public bool WithoutValue { get; init; }
}

/// <summary>How a value is to be stored.</summary>
public readonly record struct ItemWrite
{
    /// <summary>The usual one: set, never expires.</summary>
    public ItemWrite()
    {
    }

    /// <summary>What to do with what is there.</summary>
    public ItemMode Mode { get; init; }

    /// <summary>The client's flags.</summary>
    public uint Flags { get; init; }

    /// <summary>When it expires, on the clock of the caller's <c>nowTicks</c>.</summary>
    public long ExpiryTicks { get; init; } = long.MaxValue;

    /// <summary>Not 0: only if the item has this CAS number.</summary>
    public ulong ExpectedCas { get; init; }

    /// <summary>
    /// With an expected CAS number that is older than the item's: store all the same, and mark it stale. The item's
    /// expiry stays, and so does <see cref="ItemMarks.Won"/>.
    /// </summary>
    public bool StaleIfOlder { get; init; }

    /// <summary>Marks that the item is born with.</summary>
    public ItemMarks Marks { get; init; }

    /// <summary>Not 0: the CAS number that the item gets, instead of the store's next one.</summary>
    public ulong NewCas { get; init; }
}

/// <summary>Counts and sizes of a store.</summary>
public readonly record struct ItemStatistics
{
    /// <summary>Items that are there, expired ones that nobody met included.</summary>
    public long Items { get; init; }

    /// <summary>Bytes of their keys.</summary>
    public long KeyBytes { get; init; }

    /// <summary>Bytes of their values.</summary>
    public long ValueBytes { get; init; }

    /// <summary>Bytes of slots and whole pages that values do not fill.</summary>
    public long WasteBytes { get; init; }

    /// <summary>Native bytes besides page data: headers, keys, index, frame rows.</summary>
    public long MetadataBytes { get; init; }

    /// <summary>Frames that hold values.</summary>
    public long UsedFrames { get; init; }

    /// <summary>Frames of the store in which there is nothing.</summary>
    public long FreeFrames { get; init; }

    /// <summary>Frames that were given up to make room for metadata.</summary>
    public long RetiredFrames { get; init; }

    /// <summary>Frames that their owner has taken out.</summary>
    public long WithdrawnFrames { get; init; }

    /// <summary>Reads that found their item.</summary>
    public long Hits { get; init; }

    /// <summary>Reads that found none.</summary>
    public long Misses { get; init; }

    /// <summary>Values stored.</summary>
    public long Stores { get; init; }

    /// <summary>Items that went because their time was over.</summary>
    public long Expired { get; init; }

    /// <summary>Items that went because all were flushed.</summary>
    public long Flushed { get; init; }

    /// <summary>Items that went to make room.</summary>
    public long Evicted { get; init; }

    /// <summary>Items that went with the frame that their owner took.</summary>
    public long Withdrawn { get; init; }

    /// <summary>Items whose bytes the system took.</summary>
    public long Lost { get; init; }

    /// <summary>Copies whose checksum was wrong; each is a lost item too.</summary>
    public long ChecksumFailures { get; init; }

    /// <summary>Values that found no room.</summary>
    public long Refused { get; init; }

    /// <summary>The sum of two.</summary>
    internal ItemStatistics Plus(ItemStatistics other) => new()
    {
        Items = Items + other.Items,
        KeyBytes = KeyBytes + other.KeyBytes,
        ValueBytes = ValueBytes + other.ValueBytes,
        WasteBytes = WasteBytes + other.WasteBytes,
        MetadataBytes = MetadataBytes + other.MetadataBytes,
        UsedFrames = UsedFrames + other.UsedFrames,
        FreeFrames = FreeFrames + other.FreeFrames,
        RetiredFrames = RetiredFrames + other.RetiredFrames,
        WithdrawnFrames = WithdrawnFrames + other.WithdrawnFrames,
        Hits = Hits + other.Hits,
        Misses = Misses + other.Misses,
        Stores = Stores + other.Stores,
        Expired = Expired + other.Expired,
        Flushed = Flushed + other.Flushed,
        Evicted = Evicted + other.Evicted,
        Withdrawn = Withdrawn + other.Withdrawn,
        Lost = Lost + other.Lost,
        ChecksumFailures = ChecksumFailures + other.ChecksumFailures,
        Refused = Refused + other.Refused,
    };
}
