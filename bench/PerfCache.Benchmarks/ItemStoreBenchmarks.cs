// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using PerfCache.Items;
using PerfCache.Policies.Items;

namespace PerfCache.Benchmarks;

/// <summary>
/// What does a keyed value in page memory, checked on every read, cost against one on the managed heap? The rival is a
/// ConcurrentDictionary of arrays, which evicts nothing, expires nothing and checks nothing: a get looks up and copies,
/// a set copies into a new array. One thread, random keys, so that most of both are cold.
/// </summary>
[MemoryDiagnoser]
public class ItemStoreBenchmarks : IDisposable
{
    private const int KeyCount = 50_000;
    private const int Operations = 20_000;

    private readonly string[] _names = new string[KeyCount];
    private readonly byte[][] _keys = new byte[KeyCount][];
    private readonly int[] _order = new int[Operations];
    private byte[] _value = [];
    private byte[] _buffer = [];
    private ConcurrentDictionary<string, byte[]> _dictionary = new();
    private ItemStore<SecondChanceItems>? _store;

    /// <summary>Bytes of a value.</summary>
    [Params(100, 4096)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        Random random = new(1);
        _value = new byte[Bytes];
        _buffer = new byte[Bytes];
        random.NextBytes(_value);
        _dictionary = new ConcurrentDictionary<string, byte[]>(2, KeyCount);
        _store = new ItemStore<SecondChanceItems>(new ItemStoreOptions { CapacityBytes = 512L << 20 });
        for (int i = 0; i < KeyCount; i++)
        {
            _names[i] = string.Create(CultureInfo.InvariantCulture, $"user:{i:D10}:profile");
            _keys[i] = Encoding.ASCII.GetBytes(_names[i]);
            _dictionary[_names[i]] = [.. _value];
            _store.Store(_keys[i], _value, new ItemWrite(), 0, out _);
        }

        for (int i = 0; i < Operations; i++) _order[i] = random.Next(KeyCount);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _store?.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Operations)]
    public int DictionaryGet()
    {
        int found = 0;
        foreach (int key in _order)
        {
            if (!_dictionary.TryGetValue(_names[key], out byte[]? value)) continue;
            value.CopyTo(_buffer, 0);
            found++;
        }

        return found;
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public int ItemGet()
    {
        int found = 0;
        foreach (int key in _order)
        {
            if (_store!.Get(_keys[key], 0, _buffer, out _) == ItemRead.Hit) found++;
        }

        return found;
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public void DictionarySet()
    {
        foreach (int key in _order) _dictionary[_names[key]] = [.. _value];
    }

    [Benchmark(OperationsPerInvoke = Operations)]
    public void ItemSet()
    {
        ItemWrite write = new();
        foreach (int key in _order) _store!.Store(_keys[key], _value, write, 0, out _);
    }
}
