// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// Which columns of a csv trace hold what, as <c>--csv-columns</c> says it: <c>id=5,size=4,time=2</c>,
/// numbers from 1 or names out of the header. Without it the header's own names decide.
/// </summary>
internal sealed class CsvColumns
{
    /// <summary>Columns beyond this are a typing error.</summary>
    internal const int NumberMax = 10_000;

    private const string Expected =
        "expected id=N[,size=N][,time=N] with columns numbered from 1, or names out of the header";

    private static readonly string[] s_idNames =
        ["id", "obj_id", "object_id", "objid", "key", "lbn", "lba", "block", "page"];
    private static readonly string[] s_sizeNames =
        ["size", "obj_size", "object_size", "objsize", "length", "bytes"];
    private static readonly string[] s_timeNames = ["time", "timestamp", "clock_time", "ts"];

    private string _id = "";
    private string _size = "";
    private string _time = "";

    private CsvColumns() { }

    /// <summary>Parses the option's text.</summary>
    /// <exception cref="TraceFormatException">It is not of the form above.</exception>
    internal static CsvColumns Parse(string text)
    {
        var columns = new CsvColumns();
        foreach (string part in text.Split(','))
        {
            string[] pair = part.Split('=', 2, StringSplitOptions.TrimEntries);
            if (pair.Length != 2 || pair[1].Length == 0)
                throw Error(text, $"'{part}' is not NAME=COLUMN");
            ref string column = ref columns._id;
            if (pair[0] == "size")
                column = ref columns._size;
            else if (pair[0] == "time")
                column = ref columns._time;
            else if (pair[0] != "id")
                throw Error(text, $"'{pair[0]}' is none of id, size, time");
            if (column.Length > 0)
                throw Error(text, $"'{pair[0]}' is there twice");
            if (IsNumber(pair[1], out int number) && number is < 1 or > NumberMax)
                throw Error(text, $"'{pair[1]}' is not a column from 1 to {NumberMax}");
            column = pair[1];
        }
        return columns._id.Length > 0 ? columns : throw Error(text, "the id is missing");
    }

    /// <summary>Finds the places, from 0 (or -1 for none), in a file whose first line has these
    /// fields.</summary>
    /// <param name="columns">What the user said, or null.</param>
    /// <param name="first">The fields of the first line.</param>
    /// <param name="name">The trace's name for messages.</param>
    internal static (int Id, int Size, int Time) Resolve(
        CsvColumns? columns, IReadOnlyList<string> first, string name)
    {
        if (columns is not null)
            return (Place(columns._id, first, name), Place(columns._size, first, name),
                Place(columns._time, first, name));
        int id = Find(first, s_idNames);
        return id >= 0
            ? (id, Find(first, s_sizeNames), Find(first, s_timeNames))
            : throw new TraceFormatException(
                $"{name}: line 1 has no csv header that names an id column; say which columns to read with " +
                "--csv-columns id=N[,size=N][,time=N]");
    }

    private static int Place(string column, IReadOnlyList<string> first, string name)
    {
        if (column.Length == 0)
            return -1;
        if (IsNumber(column, out int number))
            return number - 1;
        int place = Find(first, [column]);
        return place >= 0 ? place : throw new TraceFormatException(
            $"{name}: line 1 has no column named '{TraceInput.OneLine(column)}', which " +
            "--csv-columns asks for");
    }

    private static int Find(IReadOnlyList<string> fields, string[] names)
    {
        foreach (string name in names)
            for (int place = 0; place < fields.Count; place++)
                if (string.Equals(fields[place], name, StringComparison.OrdinalIgnoreCase))
                    return place;
        return -1;
    }

    private static bool IsNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);

    private static TraceFormatException Error(string text, string what) =>
        new(TraceInput.OneLine($"--csv-columns {text}: {what}; {Expected}"));
}
