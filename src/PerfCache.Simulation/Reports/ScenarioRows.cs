// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Scenarios;

namespace PerfCache.Simulation.Reports;

/// <summary>Looks cells of a scenario's tables up by name; rows of the first kernel come first and are the ones
/// found.</summary>
internal sealed class ScenarioRows(ScenarioReport report)
{
    /// <summary>A number; a scenario that has no such cell is a mistake of the caller.</summary>
    /// <param name="table">The table's name.</param>
    /// <param name="label">What the row says in the label's column.</param>
    /// <param name="column">The column's name.</param>
    /// <param name="labelColumn">Which column tells the rows apart.</param>
    public double Number(string table, string label, string column, int labelColumn = 1) =>
        Cell(table, label, column, labelColumn) switch
        {
            double number => number,
            long number => number,
            _ => double.NaN,
        };

    /// <summary>A yes or no.</summary>
    public bool Flag(string table, string label, string column) => Cell(table, label, column, 1) is true;

    private object? Cell(string table, string label, string column, int labelColumn)
    {
        ScenarioTable found = report.Tables.First(one => one.Name == table);
        int at = found.Columns.Index().First(one => one.Item.Name == column).Index;
        return found.Rows.First(row => label.Equals(row[labelColumn] as string, StringComparison.Ordinal))[at];
    }
}
