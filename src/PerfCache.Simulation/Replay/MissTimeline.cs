// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Replay;

/// <summary>
/// Misses in consecutive windows of requests: how a cell's miss ratio moves over time. Warm-up included.
/// </summary>
/// <remarks>
/// The length of a trace is not known while it is read, so windows start short and are joined in pairs whenever there are
/// too many: any trace ends with <see cref="WindowsMax"/> / 2 to <see cref="WindowsMax"/> of them, or fewer when it is
/// very short. All windows have the same length, but for the last.
/// </remarks>
public sealed class MissTimeline
{
    /// <summary>The most windows.</summary>
    public const int WindowsMax = 512;

    private const int FirstWindowLength = 64;

    private readonly List<long> _misses = [];
    private int _inLast;

    /// <summary>Requests of a window.</summary>
    public int WindowLength { get; private set; } = FirstWindowLength;

    /// <summary>The number of windows, the one that is not full included.</summary>
    public int Count => _misses.Count;

    /// <summary>Requests until the current window is full, at least 1.</summary>
    internal int UntilWindowEnds => _inLast == WindowLength ? WindowLength : WindowLength - _inLast;

    /// <summary>Misses in a window.</summary>
    public long Misses(int window) => _misses[window];

    /// <summary>Requests of a window.</summary>
    public int Requests(int window) => window == Count - 1 ? _inLast : WindowLength;

    /// <summary>The requests before a window.</summary>
    public long Start(int window) => (long)window * WindowLength;

    /// <summary>Adds requests, at most <see cref="UntilWindowEnds"/> of them.</summary>
    internal void Add(int requests, long misses)
    {
        if (_inLast == WindowLength || _misses.Count == 0) BeginWindow();
        _inLast += requests;
        _misses[^1] += misses;
        if (_inLast == WindowLength && _misses.Count == WindowsMax) JoinPairs();
    }

    private void BeginWindow()
    {
        _misses.Add(0);
        _inLast = 0;
    }

    private void JoinPairs()
    {
        for (int i = 0; i < WindowsMax / 2; i++) _misses[i] = _misses[2 * i] + _misses[(2 * i) + 1];
        _misses.RemoveRange(WindowsMax / 2, WindowsMax / 2);
        WindowLength *= 2;
        _inLast = WindowLength;
    }
}
