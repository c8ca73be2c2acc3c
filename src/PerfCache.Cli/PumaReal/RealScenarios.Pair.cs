// SPDX-License-Identifier: MIT
namespace PerfCache.Cli.PumaReal;

/// <summary>The two control groups of a run and the processes in them.</summary>
internal sealed partial class RealScenarios
{
    /// <summary>Groups and processes of one run.</summary>
    private sealed class Pair : IDisposable
    {
        private readonly RealScenarios _scenarios;
        private readonly ControlGroup _borrowerGroup;
        private readonly List<RealProcess> _owners = [];

        public Pair(RealScenarios scenarios)
        {
            _scenarios = scenarios;
            LenderGroup = Make(scenarios._plan.LenderMebibytes);
            try
            {
                _borrowerGroup = Make(scenarios._plan.BorrowerMebibytes);
            }
            catch
            {
                LenderGroup.Dispose();
                throw;
            }
        }

        public ControlGroup LenderGroup { get; }

        public RealLender? Lender { get; private set; }

        public RealProcess? Borrower { get; private set; }

        private RealPlan Plan => _scenarios._plan;

        /// <summary>Starts the lender.</summary>
        public async Task LendAsync(bool detects)
        {
            Lender = RealLender.Start(LenderGroup, _scenarios._folder, Plan.ArenaMebibytes, detects);
            await Lender.SettleAsync(_scenarios._cancellation).ConfigureAwait(false);
        }

        /// <summary>Starts the borrower, if it is not there.</summary>
        public async Task BorrowAsync(bool isLent = true)
        {
            string[] servers = isLent ? [Lender!.Address] : [];
            Borrower ??= await RealProcess.PlayAsync(
                _borrowerGroup, _scenarios._cancellation,
                [
                    "borrow", _scenarios.BorrowerFile, Text(Plan.BorrowerFileMebibytes), Text(Plan.CacheMebibytes),
                    Text(Plan.BorrowerFileMebibytes), .. servers,
                ]).ConfigureAwait(false);
        }

        /// <summary>The borrower reads its file from end to end, and the lender tells the system what it may take.</summary>
        /// <param name="isRepeated">Again and again until the most of what can be lent is: on a busy machine pages are dropped
        /// that cannot be sent in time.</param>
        public async Task FillAsync(bool isRepeated = true)
        {
            const int PassesMax = 8;
            await BorrowAsync().ConfigureAwait(false);
            for (int pass = 0; pass < (isRepeated ? PassesMax : 1); pass++)
            {
                Take(await Borrower!.AskAsync("fill", _scenarios._cancellation).ConfigureAwait(false));
                await Lender!.SettleAsync(_scenarios._cancellation).ConfigureAwait(false);
                if (Lender.Stat("curr_items") >= Plan.ArenaMebibytes * 256 * 8L / 10) break;
            }
        }

        /// <summary>The borrower reads at random.</summary>
        public async Task ReadAsync(int milliseconds) =>
            Take(await Borrower!.AskAsync(Text(milliseconds), _scenarios._cancellation).ConfigureAwait(false));

        /// <summary>Waits for a borrower that was told to read.</summary>
        public async Task FinishReadAsync()
        {
            List<long[]> answer = [];
            while (await Borrower!.NumbersAsync(_scenarios._cancellation).ConfigureAwait(false) is { } line) answer.Add(line);
            Take(answer);
        }

        public async Task<RealProcess> OwnerAsync(params string[] role)
        {
            RealProcess owner =
                await RealProcess.PlayAsync(LenderGroup, _scenarios._cancellation, role).ConfigureAwait(false);
            _owners.Add(owner);
            return owner;
        }

        public Task<RealProcess> ReaderAsync(bool hasColdPages) => hasColdPages
            ? OwnerAsync("read", _scenarios.OwnerFile, Text(Plan.HotPages), Text(Plan.ColdPages))
            : OwnerAsync("read", _scenarios.OwnerFile, Text(Plan.OwnerSetPages), "0");

        public void Dispose()
        {
            _scenarios.Kills += LenderGroup.OutOfMemoryKills + _borrowerGroup.OutOfMemoryKills;
            foreach (RealProcess owner in _owners) owner.Dispose();
            Borrower?.Dispose();
            Lender?.Dispose();
            LenderGroup.Dispose();
            _borrowerGroup.Dispose();
        }

        // The borrower's line is: reads, misses, hits at the lender, missing there, wrong there, wrong pages.
        private void Take(List<long[]> answer)
        {
            if (answer is not [[_, _, _, _, _, var wrong]]) throw new IOException("puma-real: the borrower did not answer");
            _scenarios.WrongPages += wrong;
        }

        private static ControlGroup Make(int mebibytes) =>
            ControlGroup.TryMake((long)mebibytes << 20, out string why) ?? throw new IOException($"puma-real: {why}");
    }
}
