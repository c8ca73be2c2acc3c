// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;
using PerfCache.Remote.Protocol;

namespace PerfCache.Remote.Lending;

/// <summary>
/// The thread that keeps the loan: it tells the system which pages it may have, finds out which it took, looks at the
/// owner's memory, and stops lending or goes on.
/// </summary>
internal sealed class LendingKeeper : IDisposable
{
    private const int TickMillis = 50;

    // Nobody watches the log's file grow: beyond this it is begun anew.
    private const long LogBytesMax = 64L << 20;

    private readonly TenantStores _stores;
    private readonly ServerClock _clock;
    private readonly PressureReader? _reader;
    private readonly LendingGovernor _governor;
    private readonly LendingOptions _options;
    // Without spinning: it waits twenty times a second, and each time would yield its processor a dozen times first.
    private readonly ManualResetEventSlim _stop = new(initialState: false, spinCount: 0);
    private readonly Thread _thread;
    private StreamWriter? _log;
    private PressureSample? _logged;
    private long _suspensions;

    internal LendingKeeper(TenantStores stores, ServerClock clock, LendingOptions options)
    {
        _stores = stores;
        _clock = clock;
        _options = options;
        _governor = new LendingGovernor(options.Governor);
        if (options.WatchesPressure) _reader = new PressureReader(options.SystemRoot, options.Governor.GateFreeShare);
        if (options.LogPath is { } path) _log = new StreamWriter(path, append: true) { AutoFlush = true };
        _thread = new Thread(Run) { IsBackground = true, Name = "lender keeper" };
    }

    /// <summary>How often lending was suspended.</summary>
    internal long Suspensions => Volatile.Read(ref _suspensions);

    /// <summary>Why lending is suspended, or was last.</summary>
    internal PumaCause Reason => _governor.Reason;

    /// <summary>For how long lending has been suspended.</summary>
    internal TimeSpan? SuspendedFor =>
        _governor.IsSuspended ? TimeSpan.FromTicks(_clock.NowTicks - _governor.SinceTicks) : null;

    /// <summary>What is read.</summary>
    internal IReadOnlyList<string> Sources => _reader?.Sources ?? [];

    /// <summary>What is missing.</summary>
    internal IReadOnlyList<string> FallBacks => _reader?.FallBacks ?? ["memory pressure is not watched"];

    internal void Start() => _thread.Start();

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Set();
        if (_thread.IsAlive) _thread.Join();
        _reader?.Dispose();
        _log?.Dispose();
        _stop.Dispose();
    }

    /// <summary>One round.</summary>
    internal void Step()
    {
        long now = _clock.NowTicks;
        if (_reader is not null) Govern(_reader.Read(now));
        foreach (LendableStore store in _stores.All)
        {
            store.MarkWritten();
            store.SweepTaken();
            store.SweepExpired(now);
            if (store.IsSuspended) store.GiveBack();
            else store.TakeBack();
        }
    }

    /// <summary>Takes a sample and does what it asks for.</summary>
    internal LendingDecision Govern(PressureSample sample)
    {
        LendingDecision decision = _governor.Decide(sample);
        if (decision.Changed)
        {
            if (decision.IsSuspended) Interlocked.Increment(ref _suspensions);
            foreach (LendableStore store in _stores.All) store.IsSuspended = decision.IsSuspended;
        }

        WriteLog(sample, decision);
        return decision;
    }

    private void Run()
    {
        while (!_stop.Wait(TickMillis))
        {
            try
            {
                Step();
            }
            catch (ObjectDisposedException)
            {
                return;
            }
        }
    }

    private void WriteLog(PressureSample sample, LendingDecision decision)
    {
        if (_log is null) return;
        bool moved = _logged is null || sample.ActivatingRefaults != _logged.ActivatingRefaults
            || sample.Deactivations != _logged.Deactivations || sample.StallMicros != _logged.StallMicros
            || sample.LimitEvents != _logged.LimitEvents;
        if (!moved && !decision.Changed && decision.Sign == PumaCause.None) return;
        _logged = sample;
        try
        {
            if (_log.BaseStream.Length > LogBytesMax) _log.BaseStream.SetLength(0);
            _log.WriteLine(LendingLog.Format(sample, decision));
        }
        catch (IOException)
        {
            // A full disk must not stop the give-back; the log ends here.
            _log = null;
        }
    }
}
