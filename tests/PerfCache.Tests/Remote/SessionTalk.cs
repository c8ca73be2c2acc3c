// SPDX-License-Identifier: MIT
using System.Text;
using PerfCache.Items;
using PerfCache.Memory;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Protocol;

namespace PerfCache.Tests.Remote;

/// <summary>A session without a socket: bytes in, bytes out, in whatever pieces a test likes, on a clock that it moves.</summary>
internal sealed class SessionTalk : IDisposable
{
    private readonly MemoryMeter _meter = new();
    private readonly ReplyBuffer _reply = new(1024);
    private readonly HeldTime _time = new();
    private byte[] _input = new byte[1024];
    private int _length;

    internal SessionTalk(int flushAt = int.MaxValue, int itemBytesMax = 64 * 1024)
    {
        FlushAt = flushAt;
        Store = new LendableStore(
            new ItemStoreOptions
            {
                CapacityBytes = 4 << 20,
                ShardCount = 1,
                HashSeed = 1,
                ValueBytesMax = itemBytesMax,
            }, new LendingOptions(), _meter);
        Clock = new ServerClock(_time);
        Session = new MemcachedSession(new SessionSettings { Clock = Clock, ItemBytesMax = itemBytesMax }, Store);
    }

    internal int FlushAt { get; }

    internal LendableStore Store { get; }

    internal ServerClock Clock { get; }

    internal MemcachedSession Session { get; }

    internal bool IsClosed { get; private set; }

    /// <summary>The most bytes that were kept for a command that is not complete.</summary>
    internal int KeptBytesMax { get; private set; }

    internal void Pass(TimeSpan time) => _time.Now += time;

    /// <summary>Says something and returns what is answered.</summary>
    internal string Say(string text) => Encoding.Latin1.GetString(Say(Encoding.Latin1.GetBytes(text)));

    internal byte[] Say(ReadOnlySpan<byte> bytes)
    {
        // What waits is not copied for every byte that comes alone.
        if (_length + bytes.Length > _input.Length) Array.Resize(ref _input, Math.Max(2 * _input.Length, _length + bytes.Length));
        bytes.CopyTo(_input.AsSpan(_length));
        _length += bytes.Length;
        using MemoryStream answer = new();
        int done = 0;
        while (!IsClosed)
        {
            _reply.FlushAt = FlushAt;
            SessionVerdict verdict = Session.Process(_input.AsSpan(done, _length - done), _reply, out int consumed);
            done += consumed;
            answer.Write(_reply.Written);
            _reply.Clear();
            IsClosed = verdict == SessionVerdict.Close;
            if (verdict == SessionVerdict.NeedsInput) break;
        }

        if (done > 0) _input.AsSpan(done, _length - done).CopyTo(_input);
        _length -= done;
        KeptBytesMax = Math.Max(KeptBytesMax, _length);
        return answer.Length == 0 ? [] : answer.ToArray();
    }

    public void Dispose()
    {
        _reply.Dispose();
        Store.Items.Validate();
        Store.Dispose();
        Assert.That(_meter.OutstandingBytes, Is.Zero);
    }

    private sealed class HeldTime : TimeProvider
    {
        internal TimeSpan Now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddYears(50) + Now;
    }
}
