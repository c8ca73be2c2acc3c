// SPDX-License-Identifier: MIT
namespace PerfCache.Extensions.Snapshots;

/// <summary>Writes a snapshot beside its final name, and gives it the name when all of it is on the disk.</summary>
/// <remarks>
/// After a crash at any moment the name stands for the older snapshot or the new one, whole, or for none as before. What
/// a crash leaves under the other name (<c>.new</c> at the end) is written over the next time. Entries are somebody's
/// data, so on Unix only the owner may read the file. Two writers of one name keep each other out by a lock on the file.
/// </remarks>
internal sealed class SnapshotWriter : IDisposable
{
    private const int BufferBytes = 1 << 20;

    private readonly string _path;
    private readonly FileStream _file;
    private uint _chain;
    private long _count;
    private bool _completed;

    internal SnapshotWriter(string path, long utcTicks)
    {
        _path = path;
        FileStreamOptions options = new()
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.Write,
            Share = FileShare.None,
            BufferSize = BufferBytes,
        };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        _file = new FileStream(NewName(path), options);
        // Cut only now: to open with truncation would empty the file of a writer that holds the lock.
        _file.SetLength(0);
        Span<byte> head = stackalloc byte[SnapshotFormat.HeadBytes];
        SnapshotFormat.WriteHeader(head, utcTicks);
        _file.Write(head);
    }

    /// <summary>Bytes written.</summary>
    internal long Bytes => _file.Position;

    /// <summary>Records written.</summary>
    internal long Count => _count;

    /// <summary>The name that a snapshot has until it is complete.</summary>
    internal static string NewName(string path) => path + ".new";

    /// <summary>Writes an entry.</summary>
    internal void Write(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, uint sliding, long expiryUtcTicks, long limitUtcTicks)
    {
        Span<byte> head = stackalloc byte[SnapshotFormat.HeadBytes];
        SnapshotRecord record = new(0, key.Length, value.Length, sliding, expiryUtcTicks, limitUtcTicks);
        _chain = SnapshotRecord.Chain(_chain, record.Write(head, key, value));
        _file.Write(head);
        _file.Write(key);
        _file.Write(value);
        _count++;
    }

    /// <summary>Writes the end, waits for the disk and gives the file its name.</summary>
    internal void Complete()
    {
        Span<byte> head = stackalloc byte[SnapshotFormat.HeadBytes];
        new SnapshotRecord(0, 0, 0, 0, _count, _chain).Write(head, [], []);
        _file.Write(head);
        _file.Flush(flushToDisk: true);
        // While the file is open and locked, so that no other writer can begin on it in between.
        File.Move(NewName(_path), _path, overwrite: true);
        _completed = true;
    }

    /// <summary>Closes the file; removes it when it was not completed.</summary>
    public void Dispose()
    {
        if (!_completed) File.Delete(NewName(_path));
        _file.Dispose();
    }
}
