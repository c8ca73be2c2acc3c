// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Native;
using PerfCache.Tests.Repository;

namespace PerfCache.Tests.Native;

/// <summary>
/// Goal: header and exporting project say the same. Method: names and numbers of both are read from their sources, and
/// the structs, which are compiled into these tests too, are compared with what the header asserts and with what a C
/// compiler makes of it.
/// </summary>
internal sealed class NativeContractTests
{
    private static readonly string s_header = RepositoryTree.ReadText("native/include/perfcache.h");

    private static readonly Dictionary<string, Type> s_structs = new()
    {
        ["pc_cache_options"] = typeof(AbiCacheOptions),
        ["pc_statistics"] = typeof(AbiStatistics),
        ["pc_file_options"] = typeof(AbiFileOptions),
        ["pc_object_info"] = typeof(AbiObjectInfo),
        ["pc_lease"] = typeof(AbiLease),
        ["pc_write_lease"] = typeof(AbiLease),
        ["pc_view"] = typeof(AbiView),
        ["pc_pool_options"] = typeof(AbiPoolOptions),
        ["pc_pool_info"] = typeof(AbiPoolInfo),
        ["pc_ring_options"] = typeof(AbiRingOptions),
        ["pc_flip_page"] = typeof(AbiFlipPage),
    };

    [Test]
    public void EveryFunctionOfTheHeaderIsExportedAndNoOther()
    {
        IEnumerable<string> declared = Regex.Matches(
            s_header, @"^(?:pc_status|uint32_t|size_t|const char \*)\s*(pc_\w+)\(", RegexOptions.Multiline)
            .Select(match => match.Groups[1].Value);
        IEnumerable<string> exported = RepositoryTree.FilesBelow("native/PerfCache.Native/", ".cs")
            .SelectMany(file => Regex.Matches(RepositoryTree.ReadText(file), @"EntryPoint = ""(\w+)"""))
            .Select(match => match.Groups[1].Value);

        Assert.That(exported, Is.EquivalentTo(declared));
        Assert.That(declared.Count(), Is.GreaterThan(30));
    }

    [Test]
    public void StatusesHaveTheSameNamesAndNumbers()
    {
        IEnumerable<string> inHeader = Enum.GetValues<AbiStatus>().Select(status => string.Create(
            CultureInfo.InvariantCulture, $"PC_{Regex.Replace(status.ToString(), "(?<=[a-z])[A-Z]", "_$0").ToUpperInvariant()} = {(int)status}"));
        string statuses = Regex.Match(s_header, @"enum \{\s*PC_OK = 0.*?\};", RegexOptions.Singleline).Value;
        Assert.That(Regex.Matches(statuses, @"PC_\w+ = -?\d+").Select(match => match.Value), Is.EquivalentTo(inHeader));
    }

    [Test]
    public void StructsHaveTheFieldsOfTheHeaderInItsOrder() => Assert.Multiple(() =>
    {
        foreach ((string name, Type type) in s_structs)
        {
            string body = Regex.Match(s_header, $@"typedef struct {name} \{{(.*?)\n\}}", RegexOptions.Singleline).Groups[1].Value;
            string[] fields = [.. Regex.Matches(body, @"\n\t[\w ]+?[ *](\w+);").Select(match => match.Groups[1].Value)];
            AbiLayout.Row[] rows = [.. AbiLayout.Rows.Where(row => row.Struct == name && row.Field.Length > 0)];
            Assert.That(rows.Select(row => row.Field), Is.EqualTo(fields), name);
            Assert.That(rows[0], Is.EqualTo(new AbiLayout.Row(name, "size", 0, 4)), "a size comes first");
            // Without a hole, so that no byte of a struct is unnamed.
            uint end = 0;
            foreach (AbiLayout.Row row in rows)
            {
                Assert.That(row.Offset, Is.EqualTo(end), $"{name}.{row.Field}");
                end = row.Offset + row.Size;
            }

            Assert.That(end, Is.EqualTo((uint)Marshal.SizeOf(type)), name);
            Assert.That(AbiLayout.Find(name, "")?.Size, Is.EqualTo(end), name);
        }
    });

    [Test]
    public void TheHeaderAssertsTheSameSizesAndOffsets()
    {
        MatchCollection asserts = Regex.Matches(
            s_header, @"sizeof\((pc_(?!view_head)\w+)\) == (\d+) && offsetof\(pc_\w+, (\w+)\) == (\d+)");
        Assert.That(asserts.Select(match => match.Groups[1].Value), Is.EquivalentTo(s_structs.Keys));
        foreach (Match match in asserts)
        {
            string name = match.Groups[1].Value, field = match.Groups[3].Value;
            Assert.That(AbiLayout.Find(name, "")?.Size, Is.EqualTo(Number(match.Groups[2])), name);
            Assert.That(AbiLayout.Find(name, field)?.Offset, Is.EqualTo(Number(match.Groups[4])), $"{name}.{field}");
        }
    }

    [Test]
    public void ACompilerOfCMakesTheSameOfTheStructs()
    {
        NativeProgram run = NativeProgram.Run(NativeProgram.Require("abi_test"), ["--layout"]);
        IEnumerable<string> mine = AbiLayout.Rows.Select(row => string.Create(
            CultureInfo.InvariantCulture, $"{row.Struct} {(row.Field.Length == 0 ? "-" : row.Field)} {row.Offset} {row.Size}"));
        Assert.That(run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.EquivalentTo(mine));
    }

    [Test]
    public void TheNumbersOfTheHeaderAreThoseThatTheExportsKnow() => Assert.Multiple(() =>
    {
        string exports = RepositoryTree.ReadText("native/PerfCache.Native/CacheExports.cs");
        foreach (Match known in Regex.Matches(exports, @"private const uint (\w+) = (\d+);"))
        {
            string name = "PC_" + Regex.Replace(known.Groups[1].Value, "(?<=[a-z])[A-Z]", "_$0").ToUpperInvariant();
            Assert.That(s_header, Does.Match($@"\b{name} = {known.Groups[2].Value}\b"), name);
        }

        string general = RepositoryTree.ReadText("native/PerfCache.Native/GeneralExports.cs");
        foreach (string part in new[] { "Major", "Minor" })
        {
            string mine = Regex.Match(general, $@"Version{part} = (\d+);").Groups[1].Value;
            Assert.That(s_header, Does.Contain($"PC_VERSION_{part.ToUpperInvariant()} {mine}\n"));
        }
    });

    /// <summary>What the header's own path of a hit takes for granted is what the cache's memory looks like.</summary>
    [Test]
    public void TheViewsOfTheHeaderKnowTheLayoutOfTheCache() => Assert.Multiple(() =>
    {
        Dictionary<string, long> inHeader = Regex.Matches(s_header, @"PC_VIEW_(\w+) = (\d+)").ToDictionary(
            match => match.Groups[1].Value, match => long.Parse(match.Groups[2].ValueSpan, CultureInfo.InvariantCulture));
        Assert.That(inHeader, Is.EquivalentTo(new Dictionary<string, long>
        {
            ["LAYOUT"] = AbiViewLayout.Version,
            ["SLOT_BITS"] = AbiViewLayout.SlotBits,
            ["FRAME_SHIFT"] = AbiViewLayout.FrameShift,
            ["FRAME_TAG"] = AbiViewLayout.FrameTag,
            ["PINS_SHIFT"] = AbiViewLayout.PinsShift,
            ["OBJECT_SHIFT"] = AbiViewLayout.ObjectShift,
        }));
        Assert.That(AbiViewLayout.SlotBits, Is.EqualTo(IndexBlocks.SlotBits));
        Assert.That(
            SlotEntry.ForFrame(new FrameId(5)).Packed,
            Is.EqualTo((5u << AbiViewLayout.FrameShift) | AbiViewLayout.FrameTag));
        Assert.That(FrameState.OnePin, Is.EqualTo(1UL << AbiViewLayout.PinsShift));
        Assert.That(new PageKey(new ObjectId(3), 7).Packed, Is.EqualTo((3UL << AbiViewLayout.ObjectShift) | 7));
        Assert.That(Marshal.SizeOf<FrameHead>(), Is.EqualTo(AbiViewLayout.HeadBytes));
        Assert.That((int)Marshal.OffsetOf<FrameHead>(nameof(FrameHead.Key)), Is.Zero);
        Assert.That((int)Marshal.OffsetOf<FrameHead>(nameof(FrameHead.Word)), Is.EqualTo(8));
        Assert.That(s_header, Does.Contain("sizeof(pc_view_head) == 16 && offsetof(pc_view_head, word) == 8"));
    });

    private static uint Number(Group digits) => uint.Parse(digits.ValueSpan, CultureInfo.InvariantCulture);
}
