// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Runtime.InteropServices;

namespace PerfCache.Cli.PumaReal;

/// <summary>
/// The slides' four problems for real: a lender and its owner's program in one memory control group, a borrower in another,
/// each a process; the kernel decides what goes. Every page that anybody reads is compared with what it must be.
/// </summary>
/// <remarks>
/// Each run has groups and processes of its own. What is compared with a simulated run has that run's name, a
/// <see cref="RealFigure.Twin"/>, and the column of its table.
/// </remarks>
internal sealed partial class RealScenarios
{
    /// <summary>What they are called, as in the simulation.</summary>
    public static IReadOnlyList<string> Names { get; } = ["malloc", "lender-resumes", "borrower-resumes", "concurrent"];

    private const string Off = "detectors off";
    private const string On = "detectors on";
    private const string Alone = "alone";
    private const string Beside = "beside one that borrows nothing";
    private const double RatioShare = 0.95;

    private readonly RealPlan _plan;
    private readonly Action<string> _note;
    private readonly CancellationToken _cancellation;
    private readonly string _folder;

    /// <summary>Makes the scenarios of a plan; nothing is made or started yet.</summary>
    /// <param name="plan">Sizes and times.</param>
    /// <param name="note">Told which run begins.</param>
    /// <param name="cancellation">Stops them.</param>
    public RealScenarios(RealPlan plan, Action<string> note, CancellationToken cancellation)
    {
        (_plan, _note, _cancellation) = (plan, note, cancellation);
        _folder = Path.Combine(plan.Folder, $"perfcache-real-{Environment.ProcessId}");
    }

    private string OwnerFile => Path.Combine(_folder, "owner");

    private string BorrowerFile => Path.Combine(_folder, "borrower");

    /// <summary>Pages that were not what they must be, in all runs.</summary>
    public long WrongPages { get; private set; }

    /// <summary>Processes that the system killed to get memory.</summary>
    public long Kills { get; private set; }

    /// <summary>Runs a scenario.</summary>
    /// <exception cref="IOException">A process failed; the message says which and why.</exception>
    public async Task<List<RealFigure>> RunAsync(string scenario)
    {
        Directory.CreateDirectory(_folder);
        try
        {
            MakeFile(BorrowerFile, _plan.BorrowerFileMebibytes);
            if (scenario != "malloc") MakeFile(OwnerFile, _plan.OwnerFileMebibytes);
            return scenario switch
            {
                "malloc" => await MallocAsync().ConfigureAwait(false),
                "lender-resumes" => await LenderResumesAsync().ConfigureAwait(false),
                "borrower-resumes" => await BorrowerResumesAsync().ConfigureAwait(false),
                _ => await ConcurrentAsync().ConfigureAwait(false),
            };
        }
        finally
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    /// <summary>Problem 1: blocks of 8 MiB from free memory and from lent pages, in turns.</summary>
    private async Task<List<RealFigure>> MallocAsync()
    {
        Dictionary<string, List<long>> blocks = new() { ["reference"] = [], [Off] = [], [On] = [] };
        Dictionary<string, (double Lent, double Left)> lent = [];
        for (int repeat = 0; repeat < _plan.Repeats; repeat++)
        {
            foreach ((string run, List<long> times) in blocks)
            {
                _note($"malloc, {run}");
                using Pair pair = Make();
                if (run != "reference")
                {
                    await pair.LendAsync(run == On).ConfigureAwait(false);
                    await pair.FillAsync().ConfigureAwait(false);
                }

                double items = run == "reference" ? 0 : pair.Lender!.Stat("curr_items") / 256.0;
                RealProcess owner = await pair.OwnerAsync("allocate", Text(_plan.Blocks)).ConfigureAwait(false);
                long before = pair.LenderGroup.ProgramBytes;
                List<long[]> answer = await owner.AskAsync("go", _cancellation).ConfigureAwait(false);
                times.AddRange(answer.Select(line => line[0]));
                if (run == "reference") continue;
                // What the blocks did not add to the group's memory was taken from the lender.
                double grown = (pair.LenderGroup.ProgramBytes - before) / (double)(1 << 20);
                lent[run] = (items, items - ((double)_plan.Blocks * RealRole.BlockBytes / (1 << 20)) + grown);
                await pair.ReadAsync(_plan.Seconds * 100).ConfigureAwait(false);
            }
        }

        double reference = Median(blocks["reference"]);
        return
        [
            new("malloc", "reference", "ms of processor a block", reference / 1000, "reference", "milliseconds"),
            new("malloc", Off, "over the reference", Median(blocks[Off]) / reference, "PUMA, own reclaim only", "slowdown"),
            new("malloc", Off, "MiB lent before", lent[Off].Lent),
            new("malloc", Off, "MiB lent after", lent[Off].Left),
            new("malloc", On, "over the reference", Median(blocks[On]) / reference, "PUMA", "slowdown"),
            new("malloc", On, "MiB lent after", lent[On].Left),
        ];
    }

    /// <summary>Problem 2: the borrower has filled the lender's memory and stopped; then its owner reads.</summary>
    private async Task<List<RealFigure>> LenderResumesAsync()
    {
        List<RealFigure> figures = [];
        double ratio = 0, alone = 0;
        foreach ((string run, string twin) in ((string, string)[])[(Alone, "alone"), (Off, "inactive-only"), (On, "inactive-only")])
        {
            _note($"lender-resumes, {run}");
            using Pair pair = Make();
            await pair.LendAsync(run == On).ConfigureAwait(false);
            if (run != Alone) await pair.FillAsync().ConfigureAwait(false);
            long lent = pair.Lender!.Stat("curr_items");
            RealProcess owner = await pair.ReaderAsync(hasColdPages: false).ConfigureAwait(false);
            List<long[]> samples = await owner.AskAsync(Text(_plan.Seconds * 1000), _cancellation).ConfigureAwait(false);
            Check(samples);
            if (run == Alone) ratio = RatioOf(samples, samples.Count - 10, samples.Count - 1);
            double seconds = SecondsTo(samples, RatioShare * ratio);
            if (run == Alone) alone = seconds;
            figures.Add(new("lender-resumes", run, "s to 95 % of the hits", seconds, twin, "secondsTo95"));
            if (run == Alone) continue;
            figures.Add(new("lender-resumes", run, "over alone", seconds < 0 ? -1 : seconds / alone, twin, "overAlone"));
            figures.Add(new("lender-resumes", run, "read again, of the set", ReadAgain(samples), twin, "readAgain"));
            figures.Add(new("lender-resumes", run, "MiB lent at start", lent / 256.0));
        }

        return figures;
    }

    /// <summary>Problem 3: the owner has read and stopped, and left its memory full; then the borrower reads.</summary>
    private async Task<List<RealFigure>> BorrowerResumesAsync()
    {
        List<RealFigure> figures = [];
        foreach ((string run, string twin) in ((string, string)[])[(Off, "not forced"), (On, "forced, detector #3")])
        {
            _note($"borrower-resumes, {run}");
            using Pair pair = Make();
            await pair.LendAsync(run == On).ConfigureAwait(false);
            RealProcess owner = await pair.ReaderAsync(hasColdPages: false).ConfigureAwait(false);
            Check(await owner.AskAsync(Text(_plan.Seconds * 1000), _cancellation).ConfigureAwait(false));
            await pair.Lender!.SettleAsync(_cancellation).ConfigureAwait(false);
            long programs = pair.LenderGroup.ProgramBytes, files = pair.LenderGroup.FileBytes;
            long suspensions = pair.Lender.Stat("lender_suspensions");
            // Once through the file, and then at random, as long as the owner read.
            await pair.FillAsync(isRepeated: false).ConfigureAwait(false);
            await pair.ReadAsync(_plan.Seconds * 1000).ConfigureAwait(false);
            double room = (double)_plan.RoomMebibytes * (1 << 20);
            figures.Add(new(
                "borrower-resumes", run, "lent, of the idle memory", (pair.LenderGroup.ProgramBytes - programs) / room, twin,
                "lentShare"));
            figures.Add(new("borrower-resumes", run, "the owner's file, before", files / room));
            figures.Add(new("borrower-resumes", run, "the owner's file, after", pair.LenderGroup.FileBytes / room));
            figures.Add(new(
                "borrower-resumes", run, "suspensions", pair.Lender.Stat("lender_suspensions") - suspensions, twin, "suspensions"));
        }

        return figures;
    }

    /// <summary>Problem 4: the borrower has the lender's memory and goes on; its owner begins to read.</summary>
    private async Task<List<RealFigure>> ConcurrentAsync()
    {
        List<RealFigure> figures = [];
        double alone = 0;
        foreach ((string run, string? twin) in ((string, string?)[])[(Alone, "alone"), (Beside, null), (Off, "none"), (On, "#3")])
        {
            _note($"concurrent, {run}");
            using Pair pair = Make();
            await pair.LendAsync(run == On).ConfigureAwait(false);
            if (run is Off or On) await pair.FillAsync().ConfigureAwait(false);
            else if (run == Beside) await pair.BorrowAsync(isLent: false).ConfigureAwait(false);
            RealProcess owner = await pair.ReaderAsync(hasColdPages: true).ConfigureAwait(false);
            long suspensions = pair.Lender!.Stat("lender_suspensions");
            if (run != Alone) pair.Borrower!.Tell(Text((_plan.Seconds * 1000) + 200));
            owner.Tell(Text(_plan.Seconds * 1000));
            List<long[]> samples = [];
            double first = -1;
            while (await owner.NumbersAsync(_cancellation).ConfigureAwait(false) is { } sample)
            {
                samples.Add(sample);
                if (first < 0 && pair.Lender.Stat("lender_suspensions") > suspensions) first = sample[0] / 1000.0;
            }

            Check(samples);
            if (run != Alone) await pair.FinishReadAsync().ConfigureAwait(false);
            double reads = samples[^1][1] / (samples[^1][0] / 1000.0);
            if (run == Alone) alone = reads;
            else figures.Add(new("concurrent", run, "owner's reads, over alone", reads / alone, twin, "overSolo"));
            figures.Add(new("concurrent", run, "owner's hit ratio", RatioOf(samples, -1, samples.Count - 1)));
            if (run is Alone or Beside) continue;
            figures.Add(new("concurrent", run, "suspensions", pair.Lender.Stat("lender_suspensions") - suspensions, twin, "cycles"));
            figures.Add(new("concurrent", run, "s to the first", first, twin, "firstSuspension"));
        }

        return figures;
    }

    private Pair Make()
    {
        if (File.Exists(OwnerFile)) RealRole.Drop(OwnerFile);
        return new Pair(this);
    }

    // The owner's lines are: milliseconds, reads, pages from the disk, wrong pages, each since it began.
    private void Check(List<long[]> samples)
    {
        if (samples.Count == 0) throw new IOException("puma-real: the owner's program read nothing");
        WrongPages += samples[^1][3];
    }

    private static double RatioOf(List<long[]> samples, int first, int last)
    {
        long[] from = first < 0 ? [0, 0, 0, 0] : samples[first];
        long reads = samples[last][1] - from[1];
        return reads == 0 ? 0 : Math.Max(0, 1 - ((double)(samples[last][2] - from[2]) / reads));
    }

    /// <summary>The time until the hits of half a second are as many as asked for; -1 for never.</summary>
    private static double SecondsTo(List<long[]> samples, double ratio)
    {
        const int Window = 5;
        for (int i = Window; i < samples.Count; i++)
            if (RatioOf(samples, i - Window, i) >= ratio) return samples[i][0] / 1000.0;
        return -1;
    }

    // What came from the disk beyond each page once: the reads that hit every page at least once are many times the set.
    private double ReadAgain(List<long[]> samples) =>
        Math.Max(0, (samples[^1][2] - (double)_plan.OwnerSetPages) / _plan.OwnerSetPages);

    private static double Median(List<long> values)
    {
        long[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    // Each page is its number in all its words: written, not a hole, since a disk answers for blocks that it has.
    private void MakeFile(string path, int mebibytes)
    {
        const int PageBytes = 4096;
        byte[] chunk = new byte[1 << 20];
        using (FileStream file = new(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0))
        {
            for (int i = 0; i < mebibytes; i++)
            {
                _cancellation.ThrowIfCancellationRequested();
                for (int page = 0; page < chunk.Length / PageBytes; page++)
                {
                    Span<byte> bytes = chunk.AsSpan(page * PageBytes, PageBytes);
                    MemoryMarshal.Cast<byte, ulong>(bytes).Fill(((ulong)i << 8) + (ulong)page);
                }

                file.Write(chunk);
            }
        }

        RealRole.Drop(path);
    }
}
