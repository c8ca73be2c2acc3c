// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// Gives the files of a trace the numbers 0, 1, 2, ... in the order of their appearance. Cells keep a reader for each
/// file, and a trace is free to call its only file 2,000,000,000.
/// </summary>
internal sealed class FileNumbers
{
    private readonly Dictionary<int, int> _numbers = [];

    /// <summary>Writes the number of every file.</summary>
    public void Number(ReadOnlySpan<int> files, Span<int> numbers)
    {
        for (int i = 0; i < files.Length; i++)
        {
            ref int number = ref CollectionsMarshal.GetValueRefOrAddDefault(_numbers, files[i], out bool isKnown);
            if (!isKnown) number = _numbers.Count - 1;
            numbers[i] = number;
        }
    }
}
