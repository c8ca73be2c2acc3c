// SPDX-License-Identifier: MIT
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Models;

/// <summary>
/// W-TinyLFU in plain lists, its sketch in arrays of integers: one counter an element, the same places by the
/// same hash, so that both take the same pages for one another.
/// </summary>
internal sealed class NaiveWTinyLfu : NaivePolicy
{
    private readonly WTinyLfuOptions _options;
    private readonly List<long> _window = [];
    private readonly List<long> _probation = [];
    private readonly List<long> _protected = [];
    private readonly int[,] _counters;
    private readonly bool[] _door;
    private readonly int _blocks;
    private long _additions;
    private int _windowMax;
    private int _epochUses;
    private int _epochHits;
    private int _lastHits;
    private bool _grows = true;

    internal NaiveWTinyLfu(int frames, WTinyLfuOptions options) : base(frames)
    {
        _options = options;
        _blocks = (frames + 7) / 8;
        _counters = new int[4, _blocks * 32];
        _door = new bool[_blocks * 512];
        _windowMax = Math.Max(1, (int)(options.WindowShare * frames));
    }

    private int ProtectedMax => (int)(_options.ProtectedShare * (Frames - _windowMax));

    internal override Verdict Access(long page, bool repeats)
    {
        bool hit = Hit(page);
        if (!hit)
        {
            if (_window.Count + _probation.Count + _protected.Count == Frames) MakeRoom();
            Count(page);
            _window.Insert(0, page);
            if (_window.Count > _windowMax) MoveLast(_window, _probation);
        }

        _epochHits += hit ? 1 : 0;
        if (++_epochUses == (int)(_options.Sample * Frames)) EndEpoch();
        return hit ? Verdict.Hit : Verdict.ColdMiss;
    }

    internal override void Remove(long page)
    {
        _window.Remove(page);
        _probation.Remove(page);
        _protected.Remove(page);
    }

    internal override string Dump() =>
        $"window {string.Join(' ', _window)} | probation {string.Join(' ', _probation)} | protected "
        + $"{string.Join(' ', _protected)} | {_windowMax}";

    private bool Hit(long page)
    {
        bool isInWindow = _window.Remove(page);
        bool isInMain = _probation.Remove(page) || _protected.Remove(page);
        if (!isInWindow && !isInMain) return false;
        Count(page);
        (isInWindow ? _window : _protected).Insert(0, page);
        while (_protected.Count > ProtectedMax) MoveLast(_protected, _probation);
        return true;
    }

    private void MakeRoom()
    {
        List<long> main = _probation.Count > 0 ? _probation : _protected;
        if (main.Count == 0)
        {
            _window.RemoveAt(_window.Count - 1);
        }
        else if (_window.Count < _windowMax)
        {
            main.RemoveAt(main.Count - 1);
        }
        else if (Frequency(_window[^1]) > Frequency(main[^1]))
        {
            main.RemoveAt(main.Count - 1);
            MoveLast(_window, _probation);
        }
        else
        {
            _window.RemoveAt(_window.Count - 1);
        }
    }

    private void EndEpoch()
    {
        bool moves = _options.Adaptive;
        if (_epochHits < _lastHits) _grows = !_grows;
        _lastHits = _epochHits;
        (_epochHits, _epochUses) = (0, 0);
        if (!moves) return;
        int step = Math.Max(1, (int)(_options.Step * Frames));
        _windowMax = Math.Clamp(_grows ? _windowMax + step : _windowMax - step, 1, Frames);
        while (_protected.Count > ProtectedMax) MoveLast(_protected, _probation);
        while (_window.Count > _windowMax) MoveLast(_window, _probation);
        while (_probation.Count + _protected.Count > Frames - _windowMax)
            MoveLast(_probation.Count > 0 ? _probation : _protected, _window);
    }

    private static void MoveLast(List<long> from, List<long> to)
    {
        to.Insert(0, from[^1]);
        from.RemoveAt(from.Count - 1);
    }

    private void Count(long page)
    {
        if (_options.Doorkeeper && !DoorPlaces(page).All(place => _door[place]))
        {
            foreach (int place in DoorPlaces(page)) _door[place] = true;
        }
        else
        {
            int smallest = Smallest(page);
            for (int row = 0; row < 4; row++)
            {
                ref int counter = ref _counters[row, Place(page, row)];
                if (counter == smallest && smallest < 15) counter++;
            }
        }

        if (++_additions < Math.Max(2, (long)(_options.Sample * Frames))) return;
        _additions /= 2;
        Array.Clear(_door);
        for (int row = 0; row < 4; row++)
            for (int i = 0; i < _counters.GetLength(1); i++)
                _counters[row, i] /= 2;
    }

    private int Frequency(long page) =>
        Smallest(page) + (_options.Doorkeeper && DoorPlaces(page).All(place => _door[place]) ? 1 : 0);

    private int Smallest(long page) => Enumerable.Range(0, 4).Min(row => _counters[row, Place(page, row)]);

    private int Place(long page, int row)
    {
        ulong hash = Mix((ulong)page);
        int block = (int)((hash >> 32) * (ulong)_blocks >> 32);
        return (block * 32) + (int)((hash >> (5 * row)) % 32);
    }

    private int[] DoorPlaces(long page)
    {
        ulong bits = Mix(Mix((ulong)page));
        return [.. Enumerable.Range(0, 4).Select(row =>
        {
            int place = Place(page, row);
            int word = (place / 32 * 8) + (row * 2) + (place % 32 / 16);
            return (word * 64) + (int)((bits >> (6 * row)) % 64);
        })];
    }

    private static ulong Mix(ulong value)
    {
        value += 0x9E37_79B9_7F4A_7C15;
        value = (value ^ (value >> 30)) * 0xBF58_476D_1CE4_E5B9;
        value = (value ^ (value >> 27)) * 0x94D0_49BB_1331_11EB;
        return value ^ (value >> 31);
    }
}
