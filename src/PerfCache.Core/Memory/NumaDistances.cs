// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Memory;

/// <summary>
/// Checked distances between the nodes of an emulated topology, in the unit of the firmware's table: 10 is local,
/// 20 is twice as far. A matrix may be asymmetric, as real ones are.
/// </summary>
public sealed class NumaDistances
{
    /// <summary>The most nodes that are emulated: a word has a bit for each.</summary>
    public const int NodesMax = 64;

    /// <summary>The smallest distance.</summary>
    public const int Least = 10;

    /// <summary>The largest distance; the number above it means unreachable.</summary>
    public const int Most = 254;

    /// <summary>The local distance where none is given, as in the kernel.</summary>
    public const int DefaultLocal = 10;

    /// <summary>The remote distance where none is given, as in the kernel.</summary>
    public const int DefaultRemote = 20;

    private readonly int[][] _rows;

    private NumaDistances(int[][] rows) => _rows = rows;

    /// <summary>The number of nodes.</summary>
    public int NodeCount => _rows.Length;

    /// <summary>The distance between two nodes, counted from 0.</summary>
    public int this[int from, int to] => _rows[from][to];

    /// <summary>One distance within a node and one between any two.</summary>
    /// <exception cref="FormatException">A number makes no sense; the message says which.</exception>
    public static NumaDistances Uniform(int nodeCount, int local, int remote)
    {
        CheckCount(nodeCount);
        CheckRange(local, "the local distance");
        CheckRange(remote, "the remote distance");
        if (remote < local) throw new FormatException($"the remote distance {remote} is below the local one, {local}");
        return new NumaDistances([.. Enumerable.Range(0, nodeCount).Select(
            from => Enumerable.Range(0, nodeCount).Select(to => from == to ? local : remote).ToArray())]);
    }

    /// <summary>A full matrix, a row a node.</summary>
    /// <exception cref="FormatException">The matrix makes no sense; the message says where.</exception>
    public static NumaDistances OfMatrix(IReadOnlyList<IReadOnlyList<int>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        CheckCount(rows.Count);
        for (int from = 0; from < rows.Count; from++)
        {
            if (rows[from].Count != rows.Count)
            {
                throw new FormatException(
                    $"row {from} of the matrix has {rows[from].Count} distances, not {rows.Count} as it has rows");
            }

            for (int to = 0; to < rows.Count; to++) CheckRange(rows[from][to], $"the distance from {from} to {to}");
        }

        CheckDiagonal(rows);
        return new NumaDistances([.. rows.Select(row => row.ToArray())]);
    }

    /// <summary>Parses <c>local,remote</c>, or a matrix with rows apart by semicolons: <c>10,21;21,10</c>.</summary>
    /// <exception cref="FormatException">It is neither, or makes no sense for so many nodes.</exception>
    public static NumaDistances Parse(string text, int nodeCount)
    {
        ArgumentNullException.ThrowIfNull(text);
        CheckCount(nodeCount);
        int[][] rows = [.. text.Split(';').Select(row => row.Split(',').Select(Number).ToArray())];
        if (rows is [[int local, int remote]]) return Uniform(nodeCount, local, remote);
        if (rows.Length != nodeCount)
        {
            throw new FormatException($"'{text}' has {rows.Length} row{(rows.Length == 1 ? "" : "s")} for {nodeCount} "
                + "nodes; give LOCAL,REMOTE such as 10,21, or a row a node, apart by semicolons");
        }

        return OfMatrix(rows);
    }

    internal IReadOnlyList<int> Row(int from) => Array.AsReadOnly(_rows[from]);

    private static int Number(string text) =>
        int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw new FormatException($"'{text}' is not a distance (a whole number from {Least} to {Most})");

    private static void CheckCount(int nodeCount)
    {
        if (nodeCount is < 1 or > NodesMax)
            throw new FormatException($"{nodeCount} is not a number of nodes (1 to {NodesMax})");
    }

    private static void CheckRange(int distance, string what)
    {
        if (distance is < Least or > Most) throw new FormatException($"{what} is {distance}, not {Least} to {Most}");
    }

    private static void CheckDiagonal(IReadOnlyList<IReadOnlyList<int>> rows)
    {
        int local = rows[0][0];
        for (int from = 0; from < rows.Count; from++)
        {
            if (rows[from][from] != local)
            {
                throw new FormatException($"the local distance of node {from} is {rows[from][from]}, that of node 0 "
                    + $"is {local}; all of them must be equal, usually {DefaultLocal}");
            }

            for (int to = 0; to < rows.Count; to++)
            {
                if (rows[from][to] < local)
                {
                    throw new FormatException(
                        $"the distance from {from} to {to} is {rows[from][to]}, below the local one, {local}");
                }
            }
        }
    }
}
