// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Index;

/// <summary>The objects of the index: their rows, and the directories of the dense ones.</summary>
/// <remarks>
/// <para>O1: an object's number is given once. Its row stays when the object goes, and says that it is not in use.</para>
/// <para>O2: what readers without the lock look at (<see cref="DirectoryView"/>) has a length only when its memory is
/// committed, and loses the length before the memory.</para>
/// </remarks>
internal sealed partial class PageIndex
{
    /// <summary>Adds an object of at most <paramref name="pageCountMax"/> pages.</summary>
    /// <param name="pageCountMax">The most pages; rounded up to whole leaves, so that a leaf has no page that is not
    /// the object's, and a miss needs to check only when it makes one.</param>
    /// <param name="dense">True for a directory, false for a node a page.</param>
    /// <param name="shadows">Where its shadows are bounded; null for <see cref="Shadows"/>.</param>
    internal ObjectId AddObject(ulong pageCountMax, bool dense, ShadowStore? shadows = null)
    {
        if (_objectCount > ObjectId.ValueMax)
            throw new NativeMemoryException($"page index: more than {ObjectId.ValueMax} objects");
        ulong leafMax = (pageCountMax + IndexBlocks.SlotCount - 1) / IndexBlocks.SlotCount;
        ObjectRow row = new()
        {
            PageCountMax = leafMax * IndexBlocks.SlotCount,
            InUse = true,
            IsSparse = !dense,
            Shadows = shadows ?? Shadows,
        };
        if (dense)
        {
            row.DirectoryColumn = TakeRetiredDirectory((long)leafMax)
                ?? new NativeColumn<uint>("object directory", (long)leafMax, _meter);
            row.Directory = row.DirectoryColumn.View;
            row.DirectoryLength = (ulong)row.DirectoryColumn.Length;
        }

        if (_objectCount == _objects.Length)
        {
            int more = Math.Max(4, _objects.Length * 2);
            Array.Resize(ref _objects, more);
            DirectoryView[] directories = new DirectoryView[more];
            _directories.CopyTo(directories, 0);
            // Readers look without the lock.
            Volatile.Write(ref _directories, directories);
        }

        _objects[_objectCount] = row;
        _directories[_objectCount].Leaves = row.Directory;
        Volatile.Write(ref _directories[_objectCount].Length, row.DirectoryLength);
        return new ObjectId(_objectCount++);
    }

    /// <summary>True when the object exists and may have this page.</summary>
    internal bool IsPage(ObjectId owner, ulong page) =>
        owner.Value < _objectCount && _objects[owner.Value].InUse && page < _objects[owner.Value].PageCountMax;

    /// <summary>Marks an object whose slots are all empty as gone; its number is not used again.</summary>
    internal void RemoveObject(ObjectId owner)
    {
        ref ObjectRow row = ref _objects[owner.Value];
        row.InUse = false;
        if (!KeepsDirectories)
        {
            _directories[owner.Value] = default;
            row.DirectoryColumn?.Dispose();
            row = default;
            return;
        }

        // Readers without the lock may be looking at the directory, which is all zero by now. It stays where it is; once
        // it is another object's, they find pages of that one at worst, and see it by the key.
        if (row.DirectoryColumn is null) return;
        row.DirectoryLength = 0;
        Volatile.Write(ref _directories[owner.Value].Length, 0);
        row.DirectoryColumn.TryDiscard();
        _retiredDirectories.Add(row.DirectoryColumn);
        row.DirectoryColumn = null;
    }

    /// <summary>The shortest directory of a removed object that is long enough, or null.</summary>
    private NativeColumn<uint>? TakeRetiredDirectory(long leafMax)
    {
        NativeColumn<uint>? best = null;
        foreach (NativeColumn<uint> directory in _retiredDirectories)
        {
            if (directory.LengthMax >= leafMax && (best is null || directory.LengthMax < best.LengthMax))
                best = directory;
        }

        if (best is not null) _retiredDirectories.Remove(best);
        return best;
    }

    /// <summary>What a hit reads of a dense object: 16 bytes, four objects a cache line.</summary>
    internal struct DirectoryView
    {
        /// <summary>The same as in the object's row.</summary>
        public NativeArray<uint> Leaves;

        /// <summary>The same as in the object's row, or less for a moment.</summary>
        public ulong Length;
    }

    /// <summary>What the index knows of an object.</summary>
    private struct ObjectRow
    {
        /// <summary>Leaf ids of a dense object; only those below <see cref="DirectoryLength"/> may be read.</summary>
        public NativeArray<uint> Directory;

        /// <summary>Committed entries of the directory; 0 for a sparse object.</summary>
        public ulong DirectoryLength;

        /// <summary>True for an object whose pages have nodes.</summary>
        public bool IsSparse;

        public bool InUse;
        public ulong PageCountMax;

        /// <summary>Where its shadows are bounded and its leaves counted.</summary>
        public ShadowStore Shadows;

        public NativeColumn<uint>? DirectoryColumn;
    }
}
