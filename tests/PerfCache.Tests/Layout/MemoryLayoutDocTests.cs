// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using PerfCache.Cache;
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Items;
using PerfCache.Memory;
using PerfCache.Policies.Items;
using PerfCache.Policies.Replacement;
using PerfCache.Tests.Repository;

namespace PerfCache.Tests.Layout;

/// <summary>
/// Goal: every number in the tables of docs/memory-layout.md is the code's. Method: the second cell of each row is read
/// from the document and compared with what the code says for the row's name, section by section, both ways: a row
/// that the code does not know is as wrong as one that is missing.
/// </summary>
[TestFixture]
internal sealed class MemoryLayoutDocTests
{
    private const string Document = "docs/memory-layout.md";
    private const string ResidentSection = "What a resident page costs";
    private const string ItemSection = "What an item costs";

    // Of a section's rows: name to number.
    private static readonly Dictionary<string, Dictionary<string, double>> s_ofTheCode = new()
    {
        ["Frame columns"] = new()
        {
            ["head"] = Unsafe.SizeOf<FrameHead>(),
            ["link"] = Unsafe.SizeOf<FrameLink>(),
            ["slot"] = sizeof(uint),
            ["owner"] = Unsafe.SizeOf<FrameOwner>(),
            ["a frame"] = FrameTable.BytesPerFrame,
        },
        ["Index blocks"] = new()
        {
            ["slots"] = IndexBlocks.SlotCount * sizeof(uint),
            ["counts"] = Unsafe.SizeOf<BlockCounts>(),
            ["key"] = sizeof(ulong),
            ["link"] = Unsafe.SizeOf<BlockLink>(),
            ["a block"] = IndexBlocks.BytesPerBlock,
        },
        ["Items"] = new()
        {
            ["head"] = Unsafe.SizeOf<ItemHead>(),
            ["list link"] = Unsafe.SizeOf<ItemLink>(),
            ["frame link"] = Unsafe.SizeOf<ItemLink>(),
            ["a row"] = ItemRows.RowBytes,
            ["key cell"] = Unsafe.SizeOf<KeyCell>(),
            ["bytes of a key in its head"] = ItemHead.KeyStartBytes,
            ["bytes of a key in a cell"] = KeyCell.KeyBytes,
            ["bucket of the index"] = sizeof(uint),
            ["row of a frame"] = Unsafe.SizeOf<ItemFrame>(),
            ["smallest slot"] = SizeClasses.SlotBytesMin,
        },
        ["Rings"] = new()
        {
            ["ends of a ring"] = Unsafe.SizeOf<RingControl>(),
            ["padding"] = RingControl.PaddingBytes,
            ["turn of a slot"] = sizeof(byte),
            ["slot of a flip ring"] = Unsafe.SizeOf<FlipPage>(),
            ["word of the ledger"] = FrameLedger.BytesPerFrame,
        },
        ["Widths and limits"] = new()
        {
            ["bits of a page number"] = PageKey.PageBits,
            ["bits of an object number"] = PageKey.ObjectBits,
            ["bits of a slot's tag"] = SlotEntry.TagWidth,
            ["bits of a shadow's age, one list"] = new ShadowFormat(listBits: 0, frameCount: 1).AgeBits,
            ["slots of a block"] = IndexBlocks.SlotCount,
            ["slots of a ring"] = RingTail.SlotMax,
            ["frames of a cache"] = FrameId.CountMax,
            ["blocks of an index"] = IndexBlocks.BlockMax,
            ["pages of a dense object"] = PageIndex.DensePageMax,
            ["list rows of a frame table"] = FrameTable.ListMax,
        },
    };

    [Test]
    public void TheTablesSayWhatTheCodeSays() => Assert.That(Complaints(RepositoryTree.ReadText(Document)), Is.Empty);

    [TestCase("| `head` | 16 |", "| `head` | 24 |", "Frame columns: head is 16, not 24")]
    [TestCase("| **a block** | 276 |", "| **a block** | 288 |", "Index blocks: a block is 276, not 288")]
    [TestCase("| `owner` |", "| `proprietor` |", "Frame columns: owner is missing")]
    public void AWrongNumberIsFound(string right, string wrong, string complaint)
    {
        string text = RepositoryTree.ReadText(Document);
        Assert.That(text, Does.Contain(right));
        Assert.That(Complaints(text.Replace(right, wrong, StringComparison.Ordinal)), Has.Some.EqualTo(complaint));
    }

    [Test]
    public void AResidentPageCostsWhatTheTableSays()
    {
        Dictionary<string, double> rows = Tables(RepositoryTree.ReadText(Document))[ResidentSection];
        Assert.That(rows, Is.Not.Empty);
        foreach ((string name, double bytes) in rows)
        {
            uint frames = uint.Parse(name.Replace(",", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
            // Columns are rounded to pages of the operating system, which are not 4 KiB everywhere, and to huge pages where
            // it gives any.
            Assert.That(BytesPerResidentPage(frames), Is.EqualTo(bytes).Within(0.2), $"at {name} frames");
        }
    }

    [Test]
    public void AnItemCostsWhatTheTableSays()
    {
        Dictionary<string, double> rows = Tables(RepositoryTree.ReadText(Document))[ItemSection];
        Assert.That(rows, Is.Not.Empty);
        foreach ((string keyBytes, double bytes) in rows)
        {
            Assert.That(
                MetadataBytesPerItem(int.Parse(keyBytes, CultureInfo.InvariantCulture)), Is.EqualTo(bytes).Within(0.5),
                $"with keys of {keyBytes} bytes");
        }
    }

    private static double MetadataBytesPerItem(int keyBytes)
    {
        const int ItemCount = 100_000;
        MemoryMeter meter = new();
        using ItemStore<SecondChanceItems> store = new(
            new ItemStoreOptions { CapacityBytes = 64 << 20, ShardCount = 1, HashSeed = 1 }, meter: meter);
        byte[] key = new byte[keyBytes];
        for (int i = 0; i < ItemCount; i++)
        {
            BitConverter.TryWriteBytes(key, i);
            store.Store(key, new byte[100], new ItemWrite(), 0, out _);
        }

        ItemStatistics counts = store.Statistics;
        Assert.That(counts.Items, Is.EqualTo(ItemCount));
        Assert.That(
            counts.MetadataBytes + store.Pages.CommittedBytes + store.Pages.BookkeepingBytes,
            Is.EqualTo(meter.OutstandingBytes), "what is reported is what is out");
        return (double)counts.MetadataBytes / ItemCount;
    }

    private static double BytesPerResidentPage(uint frames)
    {
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> cache = new(frames, new LinuxRules<Linux6>(), new MemoryMeter());
        ObjectId file = cache.AddObject(frames, dense: true);
        PageReader reader = default;
        for (ulong page = 0; page < frames; page++) cache.Access(file, page, ref reader);
        Assert.That(cache.Memory.ShadowBytes, Is.Zero);
        return (double)cache.Memory.TotalBytes / frames;
    }

    private static List<string> Complaints(string markdown)
    {
        Dictionary<string, Dictionary<string, double>> tables = Tables(markdown);
        List<string> complaints = [];
        foreach ((string section, Dictionary<string, double> expected) in s_ofTheCode)
        {
            Dictionary<string, double> found = tables.GetValueOrDefault(section, []);
            foreach ((string name, double number) in expected)
            {
                if (!found.TryGetValue(name, out double stated)) complaints.Add($"{section}: {name} is missing");
                else if (stated != number) complaints.Add($"{section}: {name} is {number}, not {stated}");
            }

            complaints.AddRange(
                found.Keys.Except(expected.Keys).Select(name => $"{section}: the code has no number for {name}"));
        }

        return complaints;
    }

    /// <summary>By section (a heading of level 2): the first cell of each row, without marks, and the second.</summary>
    private static Dictionary<string, Dictionary<string, double>> Tables(string markdown)
    {
        Dictionary<string, Dictionary<string, double>> tables = [];
        string section = "";
        foreach (string line in markdown.ReplaceLineEndings("\n").Split('\n'))
        {
            if (line.StartsWith("## ", StringComparison.Ordinal)) section = line[3..].Trim();
            Match row = Regex.Match(line, @"^\|([^|]+)\|\s*([\d.,]+)\s*\|");
            if (!row.Success) continue;
            if (!tables.TryGetValue(section, out Dictionary<string, double>? rows)) tables.Add(section, rows = []);
            rows.Add(
                row.Groups[1].Value.Trim(' ', '`', '*'),
                double.Parse(row.Groups[2].Value.Replace(",", "", StringComparison.Ordinal), CultureInfo.InvariantCulture));
        }

        return tables;
    }
}
