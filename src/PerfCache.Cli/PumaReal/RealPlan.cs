// SPDX-License-Identifier: MIT
namespace PerfCache.Cli.PumaReal;

/// <summary>Sizes and times of the real scenarios, all from one number: the lender's memory.</summary>
/// <param name="LenderMebibytes">The limit of the lender's control group.</param>
/// <param name="Seconds">How long a program reads.</param>
/// <param name="Repeats">How often each allocation is measured.</param>
/// <param name="Folder">Where files are made; a disk, not memory.</param>
internal sealed record RealPlan(int LenderMebibytes, int Seconds, int Repeats, string Folder)
{
    // What the processes of the lender and of its owner take before anything is lent or read, and the kernel for them.
    private const int ProcessesMebibytes = 32;
    private const int SpareMebibytes = 16;
    private const int BorrowerProcessMebibytes = 128;

    // The simulated server's programs have a quarter of its memory from the start.
    private const double IdleShare = 0.75;

    /// <summary>The least that leaves something to lend.</summary>
    public const int LenderMebibytesMin = 128;

    /// <summary>What the owner and the borrower can have of it: what a simulated lender calls its memory.</summary>
    public int RoomMebibytes => LenderMebibytes - ProcessesMebibytes;

    /// <summary>What is lent at most: a little less, so that lending alone never reaches the limit.</summary>
    public int ArenaMebibytes => RoomMebibytes - SpareMebibytes;

    /// <summary>The borrower's cache: half of the lender's memory, as in the simulated scenarios.</summary>
    public int CacheMebibytes => RoomMebibytes / 2;

    /// <summary>The borrower's file: three times its cache, likewise.</summary>
    public int BorrowerFileMebibytes => 3 * CacheMebibytes;

    /// <summary>The limit of the borrower's control group. Its file is read past the kernel's cache.</summary>
    public int BorrowerMebibytes => CacheMebibytes + BorrowerProcessMebibytes;

    /// <summary>Pages that the owner reads where it reads at random: 0.9 of its memory.</summary>
    public int OwnerSetPages => RoomMebibytes * 256 * 9 / 10;

    /// <summary>Pages that it reads often where it has a hot set: 0.6 of its memory.</summary>
    public int HotPages => RoomMebibytes * 256 * 6 / 10;

    /// <summary>Pages that stream past them: 3.4 times as many.</summary>
    public int ColdPages => HotPages * 34 / 10;

    /// <summary>Blocks of 8 MiB that the owner allocates: 0.9 of its memory.</summary>
    public int Blocks => RoomMebibytes * 9 / 80;

    /// <summary>The memory of a simulated server of which as much is idle.</summary>
    public double ServerMebibytes => RoomMebibytes / IdleShare;

    /// <summary>The size of the owner's file.</summary>
    public int OwnerFileMebibytes => Math.Max(OwnerSetPages, HotPages + ColdPages) / 256 + 1;
}

/// <summary>A number of a real run, with that of the simulated one where there is such a run.</summary>
/// <param name="Scenario">Which scenario.</param>
/// <param name="Run">What was different.</param>
/// <param name="Figure">What is counted.</param>
/// <param name="Real">The number.</param>
/// <param name="Twin">The simulated run of the same, by its name there; null for none.</param>
/// <param name="Column">The column of its table.</param>
internal sealed record RealFigure(string Scenario, string Run, string Figure, double Real, string? Twin = null, string? Column = null)
{
    /// <summary>What the simulation says; null where it has no such run, or did not run.</summary>
    public double? Simulated { get; init; }
}
