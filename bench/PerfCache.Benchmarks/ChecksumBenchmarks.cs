// SPDX-License-Identifier: MIT
using BenchmarkDotNet.Attributes;
using PerfCache.Items;

namespace PerfCache.Benchmarks;

/// <summary>
/// What does it cost to checksum a page of 4 KiB, with the processor's instruction and without, and
/// behind a copy? The floor is copying alone. The pages lie in a buffer that is either within a core's own
/// caches or beyond them; each call takes the next page.
/// </summary>
[MedianColumn]
[MinColumn]
[MaxColumn]
public class ChecksumBenchmarks
{
    private const int PageBytes = 4096;

    private byte[] _source = [];
    private byte[] _destination = [];
    private int _at;

    /// <summary>Pages that the calls go round.</summary>
    [Params(2, 65_536)]
    public int Pages { get; set; }

    [GlobalSetup]
    public void MakePages()
    {
        _source = new byte[Pages * PageBytes];
        new Random(1).NextBytes(_source);
        // A destination that stays near: a page that is read in or handed out is used next.
        _destination = new byte[PageBytes];
    }

    [Benchmark(Baseline = true)]
    public void Copy() => NextPage().CopyTo(_destination);

    [Benchmark]
    public uint Checksum() => Crc32C.Compute(NextPage());

    [Benchmark]
    public uint ChecksumByTables() => Crc32C.AppendScalar(0, NextPage());

    [Benchmark]
    public uint CopyThenChecksum()
    {
        NextPage().CopyTo(_destination);
        return Crc32C.Compute(_destination);
    }

    private ReadOnlySpan<byte> NextPage()
    {
        // A stride that is odd and large, so that the processor cannot guess the next page.
        _at = (_at + 40_503) & (Pages - 1);
        return _source.AsSpan(_at * PageBytes, PageBytes);
    }
}
