// SPDX-License-Identifier: MIT
using PerfCache.Items;

namespace PerfCache.Extensions.Snapshots;

/// <summary>
/// Reads a snapshot, twice: once to see that all of it is right, and once to hand its entries out. So nothing of a
/// damaged file ever gets into a cache.
/// </summary>
internal sealed class SnapshotReader : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly string _path;
    private readonly FileStream _file;
    private readonly byte[] _key = new byte[ItemStoreOptions.KeyBytesMax];

    /// <summary>Opens the file.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    internal SnapshotReader(string path)
    {
        _path = path;
        _file = new FileStream(path, new FileStreamOptions
        {
            BufferSize = BufferBytes,
            Options = FileOptions.SequentialScan,
            // It may be renamed over while it is read; what was opened stays readable.
            Share = FileShare.Read | FileShare.Delete,
        });
    }

    /// <summary>The key of the record that was read last.</summary>
    internal ReadOnlySpan<byte> Key(SnapshotRecord record) => _key.AsSpan(0, record.KeyBytes);

    /// <summary>Bytes of the file.</summary>
    internal long Bytes => _file.Length;

    /// <summary>Looks at every byte.</summary>
    /// <exception cref="InvalidDataException">Something is wrong; the message says what and where.</exception>
    internal void Verify(CancellationToken token)
    {
        Begin();
        byte[] buffer = GC.AllocateUninitializedArray<byte>(64 << 10);
        Span<byte> head = stackalloc byte[SnapshotFormat.HeadBytes];
        uint chain = 0;
        for (long count = 0; ; count++)
        {
            token.ThrowIfCancellationRequested();
            long at = _file.Position;
            SnapshotRecord record = ReadHead(head, count);
            uint checksum = Crc32C.Append(SnapshotRecord.ChecksumOfHead(head), Key(record));
            for (int left = record.ValueBytes; left > 0;)
            {
                Span<byte> part = buffer.AsSpan(0, Math.Min(left, buffer.Length));
                _file.ReadExactly(part);
                checksum = Crc32C.Append(checksum, part);
                left -= part.Length;
            }

            if (checksum != record.Checksum) throw Damaged($"record {count + 1} at byte {at} has a wrong checksum");
            if (record.KeyBytes > 0)
            {
                chain = SnapshotRecord.Chain(chain, checksum);
                continue;
            }

            if (record.ExpiryTicks != count || record.LimitTicks != chain)
                throw Damaged($"its end tells of {record.ExpiryTicks} records and not of these {count}");
            if (_file.Position != _file.Length) throw Damaged($"there are bytes behind its end at byte {_file.Position}");
            return;
        }
    }

    /// <summary>Goes to the first record.</summary>
    internal void Begin()
    {
        _file.Position = 0;
        Span<byte> head = stackalloc byte[SnapshotFormat.HeadBytes];
        if (_file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) < head.Length)
            throw Damaged($"it has {_file.Length} bytes, fewer than a header");
        if (SnapshotFormat.HeaderComplaint(head) is { } complaint) throw Damaged(complaint);
    }

    /// <summary>Reads the next entry of a file that was verified.</summary>
    /// <param name="value">Room for the value; one that is longer is passed over.</param>
    /// <param name="record">What is said of the entry.</param>
    /// <returns>False at the end.</returns>
    internal bool TryRead(Span<byte> value, out SnapshotRecord record)
    {
        Span<byte> head = stackalloc byte[SnapshotFormat.HeadBytes];
        record = ReadHead(head, count: 0);
        if (record.KeyBytes == 0) return false;
        if (record.ValueBytes <= value.Length) _file.ReadExactly(value[..record.ValueBytes]);
        else _file.Seek(record.ValueBytes, SeekOrigin.Current);
        return true;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private SnapshotRecord ReadHead(Span<byte> head, long count)
    {
        long at = _file.Position;
        if (_file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) < head.Length)
            throw Damaged($"it stops at byte {_file.Length}, in record {count + 1}");
        SnapshotRecord record = SnapshotRecord.Read(head);
        // Lengths first: what follows them is read by them.
        if (record.KeyBytes is < 0 or > ItemStoreOptions.KeyBytesMax
            || record.ValueBytes is < 0 or > ItemStoreOptions.ValueBytesLimit
            || (record.KeyBytes == 0 && record.ValueBytes != 0))
        {
            throw Damaged($"record {count + 1} at byte {at} has impossible lengths");
        }

        if (record.KeyBytes + (long)record.ValueBytes > _file.Length - _file.Position)
            throw Damaged($"it stops at byte {_file.Length}, in record {count + 1}");
        _file.ReadExactly(_key.AsSpan(0, record.KeyBytes));
        return record;
    }

    private InvalidDataException Damaged(string what) => new(
        $"snapshot {_path}: {what}; nothing of it was read: put a good copy in its place, or delete it");
}
