// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

/// <summary>What is taken out of the protocol between a cache and its overflow tier.</summary>
[Flags]
internal enum OverflowFault
{
    None = 0,

    /// <summary>The tier is not told before a page changes.</summary>
    WriteForgetsNothing = 1,

    /// <summary>The tier is not told of an invalidation.</summary>
    InvalidationForgetsNothing = 2,

    /// <summary>The tier is told of an invalidation once the lock has been left.</summary>
    InvalidationForgetsLate = 4,

    /// <summary>A load publishes although its page was invalidated meanwhile.</summary>
    StaleLoadsArePublished = 8,

    /// <summary>Bytes that come are not compared with the checksum.</summary>
    NoChecksum = 16,

    /// <summary>All puts of the page have one generation.</summary>
    NoGeneration = 32,

    /// <summary>A put makes its entry when it is sent, not when the page leaves.</summary>
    EntryIsMadeLate = 64,

    /// <summary>Not a bug of ours: servers answer with any version they ever had.</summary>
    ServersLie = 128,
}

/// <summary>
/// One page, its cache, its tier and a server, as steps: who reads, evicts, sends, delivers, writes and invalidates.
/// </summary>
/// <remarks>
/// Everything that happens under one lock is one step on one word, since both the cache's and the catalogue's locks are full
/// fences; what is explored is the order of the steps. The cache's word and the catalogue's are one, because every change
/// of the page's place happens under the cache's lock, and the catalogue's own steps (sent, stored, gone, found) are atomic.
/// Versions of the page are small numbers; a checksum is the version.
/// <para>V1: what is published is at least the version that was written or invalidated last.</para>
/// <code>
/// cache word:   resident 1 | dirty 1 | locked 1 | load 2 (0: none) | bytes 3 | floor 3 | loads 2
/// entry:        state 2 (queued, sent, stored) | generation 2 | version 3 | puts 2
/// </code>
/// </remarks>
internal sealed class OverflowModel
{
    private const ulong Queued = 1, Sent = 2, Stored = 3;
    private const int Messages = 2;

    private readonly StepwiseModel _model;
    private readonly OverflowFault _fault;
    private readonly Word _cache;
    private readonly Word _source;
    private readonly Word _pool;
    private readonly Word _mood;
    private readonly Word[] _wires;
    private readonly Word[] _server;

    private OverflowModel(string name, OverflowFault fault)
    {
        _model = new StepwiseModel(name);
        _fault = fault;
        _cache = _model.Word("cache and catalogue", Page.First.Packed, value => new Page(value).ToString());
        _source = _model.Word("source");
        _pool = _model.Word("put pool");
        _mood = _model.Word("the server's mood");
        _wires = [_model.Word("wire 1"), _model.Word("wire 2")];
        _server = [.. Enumerable.Range(0, Messages + 1).Select(i => _model.Word($"server's generation {i}"))];
    }

    /// <summary>A reader who misses twice, a reclaim and its sender twice, a server that answers late and in any order, and a
    /// writer or whoever changes the source and invalidates.</summary>
    internal static StepwiseModel Make(bool writes, OverflowFault fault)
    {
        OverflowModel model = new($"overflow of a page that is {(writes ? "written" : "invalidated")}, {fault}", fault);
        model.AddReader();
        model.AddReclaim();
        for (int i = 0; i < Messages; i++) model.AddWire(i);
        if (model.Has(OverflowFault.ServersLie)) model._model.Thread("liar").Store("lie from now on", model._mood, 1);
        if (writes) model.AddWriter();
        else model.AddInvalidation();
        return model._model;
    }

    private bool Has(OverflowFault fault) => (_fault & fault) != 0;

    private void AddReader()
    {
        StepwiseThread reader = _model.Thread("reader");
        Register seen = reader.Register("seen"), got = reader.Register("got"), published = reader.Register("published");
        for (int round = 0; round < 2; round++)
        {
            string end = $"end {round}", source = $"source {round}", publish = $"publish {round}";
            reader.Update("M1: the load is noted", _cache, (old, _) =>
            {
                Page page = new(old);
                return page.IsResident || page.Load != 0 ? null : page.StartLoad().Packed;
            }, old: seen);
            reader.Branch(r => new Page(r[seen]) is { IsResident: true } or { Load: not 0 }, end);
            Register mine = reader.Register($"load {round}");
            reader.Set(mine, r => new Page(r[seen]).StartLoad().Load);
            reader.Load("M2: known?", _cache, seen, Ordering.Acquire);
            reader.Branch(r => new Page(r[seen]).State != Stored, source);
            reader.Load(
                "M3: ask", Address.Of(_server, r => (int)new Page(r[seen]).Generation), got, Ordering.Acquire);
            if (Has(OverflowFault.ServersLie))
            {
                // Whenever it likes, it answers with the version that was not asked for.
                Register mood = reader.Register($"mood {round}");
                reader.Load("M3: does it lie?", _mood, mood, Ordering.Acquire);
                reader.Branch(r => r[mood] == 0, $"honest {round}");
                reader.Load(
                    "M3: a lie", Address.Of(_server, r => (3 - (int)new Page(r[seen]).Generation) % 3), got, Ordering.Acquire);
                reader.Target($"honest {round}");
            }

            reader.Branch(r => r[got] == 0, source);
            if (!Has(OverflowFault.NoChecksum)) reader.Branch(r => r[got] - 1 != new Page(r[seen]).Version, source);
            reader.GoTo(publish);
            reader.Target(source);
            reader.Load("M4: read the source", _source, got, Ordering.Acquire);
            reader.Set(got, r => r[got] + 1);
            reader.Target(publish);
            reader.Update("M5: publish", _cache, (old, r) =>
            {
                Page page = new(old);
                if (page.Load != r[mine] && !Has(OverflowFault.StaleLoadsArePublished)) return null;
                return page.IsResident ? null : page.Publish(r[got] - 1).Packed;
            }, old: published);
            reader.Check("V1: nothing older than what was written or invalidated last", r =>
                (new Page(r[published]).Load != r[mine] && !Has(OverflowFault.StaleLoadsArePublished))
                || new Page(r[published]).IsResident || r[got] - 1 >= new Page(r[published]).Floor);
            reader.Target(end);
        }
    }

    private void AddReclaim()
    {
        StepwiseThread reclaim = _model.Thread("reclaim and sender");
        Register seen = reclaim.Register("seen"), after = reclaim.Register("after"), put = reclaim.Register("put");
        for (int round = 0; round < Messages; round++)
        {
            string end = $"end {round}";
            reclaim.Update("E1: evict", _cache, (old, _) =>
            {
                Page page = new(old);
                if (!page.IsResident || page.IsDirty || page.IsLocked) return null;
                return page.State != 0 || Has(OverflowFault.EntryIsMadeLate)
                    ? page.Leave().Packed : page.Leave().Queue(Has(OverflowFault.NoGeneration)).Packed;
            }, old: seen, into: after);
            reclaim.Branch(r => r[seen] == r[after], end);
            reclaim.Branch(r => new Page(r[seen]).State != 0, end);
            reclaim.Set(put, r => ((Has(OverflowFault.NoGeneration) ? 0 : new Page(r[seen]).Puts + 1) << 4)
                | (new Page(r[seen]).Bytes + 1));
            reclaim.Store("E3: copy", _pool, r => r[put], Ordering.Release);
            reclaim.Update("S2: sent, if it is still this generation", _cache, (old, r) =>
            {
                Page page = new(old);
                if (Has(OverflowFault.EntryIsMadeLate))
                    return page.State != 0 ? null : page.Queue(false).Send((r[put] & 15) - 1).Packed;
                return page.State == Queued && page.Generation == r[put] >> 4 ? page.Send((r[put] & 15) - 1).Packed : null;
            }, old: seen, into: after);
            reclaim.Branch(r => r[seen] == r[after], end);
            reclaim.Store("S3: hand over", _wires[round], r => r[put], Ordering.Release);
            reclaim.Target(end);
        }
    }

    private void AddWire(int index)
    {
        StepwiseThread wire = _model.Thread($"wire {index + 1}");
        Register message = wire.Register("message");
        wire.Load("deliver", _wires[index], message, Ordering.Acquire);
        wire.Branch(r => r[message] == 0, "end");
        wire.Store("store", Address.Of(_server, r => (int)(r[message] >> 4)), r => r[message] & 15, Ordering.Release);
        wire.Update("A1: acknowledged", _cache, (old, r) =>
        {
            Page page = new(old);
            return page.State == Sent && page.Generation == r[message] >> 4 ? page.Keep().Packed : null;
        });
        wire.Target("end");
    }

    private void AddWriter()
    {
        StepwiseThread writer = _model.Thread("writer");
        Register seen = writer.Register("seen"), after = writer.Register("after");
        writer.Update("W1: lock, and F1: forget", _cache, (old, _) =>
        {
            Page page = new(old);
            if (!page.IsResident) return null;
            return (Has(OverflowFault.WriteForgetsNothing) ? page.Lock() : page.Lock().Forget()).Packed;
        }, old: seen, into: after);
        writer.Branch(r => r[seen] == r[after], "end");
        writer.Update("W4, W5: change, dirty", _cache, (old, _) => new Page(old).Write().Packed, into: after);
        writer.Store("write back", _source, r => new Page(r[after]).Bytes, Ordering.Release);
        writer.Update("D5: clean", _cache, (old, _) => new Page(old).Clean().Packed);
        writer.Target("end");
    }

    private void AddInvalidation()
    {
        StepwiseThread other = _model.Thread("invalidation");
        other.Store("somebody changes the source", _source, 1, Ordering.Release);
        other.Update("invalidate, and F1: forget", _cache, (old, _) =>
        {
            Page page = new Page(old).Invalidate(floor: 1);
            bool forgets = !Has(OverflowFault.InvalidationForgetsNothing) && !Has(OverflowFault.InvalidationForgetsLate);
            return (forgets ? page.Forget() : page).Packed;
        });
        if (Has(OverflowFault.InvalidationForgetsLate))
            other.Update("F1: forget", _cache, (old, _) => new Page(old).Forget().Packed);
    }

    /// <summary>The cache's and the catalogue's word.</summary>
    private readonly record struct Page(ulong Packed)
    {
        internal static Page First => new(1);

        internal bool IsResident => (Packed & 1) != 0;

        internal bool IsDirty => (Packed & 2) != 0;

        internal bool IsLocked => (Packed & 4) != 0;

        /// <summary>The load under way, by its number; 0 for none.</summary>
        internal ulong Load => Field(3, 3);

        internal ulong Loads => Field(6, 3);

        internal ulong Bytes => Field(9, 3);

        internal ulong Floor => Field(12, 3);

        internal ulong State => Field(15, 2);

        internal ulong Generation => Field(17, 3);

        internal ulong Version => Field(20, 3);

        internal ulong Puts => Field(23, 3);

        internal Page StartLoad() => With(3, 3, Loads + 1).With(6, 3, Loads + 1);

        internal Page Publish(ulong bytes) => With(3, 3, 0).With(9, 3, bytes).With(0, 1, 1);

        internal Page Leave() => With(0, 1, 0);

        internal Page Queue(bool sameGeneration) =>
            With(23, 3, Puts + 1).With(17, 3, sameGeneration ? 0 : Puts + 1).With(15, 2, Queued);

        internal Page Send(ulong version) => With(15, 2, Sent).With(20, 3, version);

        internal Page Keep() => With(15, 2, Stored);

        internal Page Forget() => With(15, 2, 0).With(17, 3, 0).With(20, 3, 0);

        internal Page Lock() => With(2, 1, 1);

        internal Page Write() => With(2, 1, 0).With(1, 1, 1).With(9, 3, Bytes + 1).With(12, 3, Bytes + 1);

        internal Page Clean() => With(1, 1, 0);

        internal Page Invalidate(ulong floor) => With(0, 1, 0).With(3, 3, 0).With(12, 3, floor);

        public override string ToString() =>
            $"{(IsResident ? $"resident {Bytes}" : "not resident")}{(IsDirty ? " dirty" : "")}{(IsLocked ? " locked" : "")}"
            + $", load {Load}, entry {State} generation {Generation} version {Version}, floor {Floor}";

        private ulong Field(int shift, int bits) => Packed >> shift & ((1UL << bits) - 1);

        private Page With(int shift, int bits, ulong value) =>
            new((Packed & ~(((1UL << bits) - 1) << shift)) | (value << shift));
    }
}
