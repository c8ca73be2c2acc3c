// SPDX-License-Identifier: MIT
using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Protocol;

namespace PerfCache.KestrelLender;

/// <summary>
/// A connection of Kestrel's that speaks memcached: the lender's own session between two pipes.
/// </summary>
/// <remarks>
/// A pipe hands its input out in blocks of 4 KiB, and a session wants a command in one piece, so that a value of 4 KiB
/// is copied together first; that copy is the price of pipes and belongs to what is measured. Replies are gathered and
/// flushed once a batch, as the lender's loop does; input that is too short to be of use is waited for.
/// </remarks>
internal sealed class SessionHandler(LendableStore store, ServerClock clock) : ConnectionHandler
{
    private const int FlushBytes = 32 * 1024;

    private readonly SessionSettings _settings = new() { Clock = clock };

    /// <inheritdoc/>
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        MemcachedSession session = new(_settings, store);
        using ReplyBuffer reply = new(FlushBytes * 2) { FlushAt = FlushBytes };
        PipeReader reader = connection.Transport.Input;
        PipeWriter writer = connection.Transport.Output;
        while (true)
        {
            ReadResult read = await reader.ReadAsync().ConfigureAwait(false);
            ReadOnlySequence<byte> input = read.Buffer;
            if (input.Length < session.WantedBytes && !read.IsCompleted)
            {
                reader.AdvanceTo(input.Start, input.End);
                continue;
            }

            SessionVerdict verdict;
            do
            {
                verdict = Process(session, input, reply, out long consumed);
                input = input.Slice(consumed);
                if (reply.Length == 0) continue;
                writer.Write(reply.Written);
                reply.Clear();
                await writer.FlushAsync().ConfigureAwait(false);
            }
            while (verdict == SessionVerdict.ReplyFull);
            reader.AdvanceTo(input.Start, input.End);
            if (verdict == SessionVerdict.Close || read.IsCompleted) return;
        }
    }

    private static SessionVerdict Process(
        MemcachedSession session, ReadOnlySequence<byte> input, ReplyBuffer reply, out long consumed)
    {
        int taken;
        SessionVerdict verdict;
        if (input.IsSingleSegment)
        {
            verdict = session.Process(input.FirstSpan, reply, out taken);
        }
        else
        {
            byte[] together = ArrayPool<byte>.Shared.Rent((int)input.Length);
            input.CopyTo(together);
            verdict = session.Process(together.AsSpan(0, (int)input.Length), reply, out taken);
            ArrayPool<byte>.Shared.Return(together);
        }

        consumed = taken;
        return verdict;
    }
}
