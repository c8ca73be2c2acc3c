// SPDX-License-Identifier: MIT
namespace PerfCache.Cache;

/// <summary>Write-back: one batch on its way to its source (D2 to D5), and what becomes of it when the source fails.</summary>
public partial class PageCache<TRules, TProbe>
{
    /// <summary>When this many pages of a request fail one by one, the rest is not tried.</summary>
    private const int SingleFailuresMax = 4;

    /// <summary>D2 to D5 for a batch that was taken. Never throws.</summary>
    private async Task WriteBatchAsync(WriteBatch batch)
    {
        try
        {
            CopyBatch(batch);
            AskMayWrite(batch);
            for (int first = 0; first < batch.Count;)
            {
                int end = first;
                while (end < batch.Count && batch.Fates[end] == WriteFate.Pending) end++;
                if (end > first) await WriteRunAsync(batch, first, end - first).ConfigureAwait(false);
                first = end + 1;
            }
        }
        finally
        {
            EndBatch(batch);
        }
    }

    private async Task WriteRunAsync(WriteBatch batch, int first, int count)
    {
        if (await TryWriteAsync(batch, first, count).ConfigureAwait(false)) return;
        // One bad page must not keep its neighbours dirty for ever.
        int failuresInARow = 0;
        for (int i = first; count > 1 && i < first + count && failuresInARow < SingleFailuresMax; i++)
            failuresInARow = await TryWriteAsync(batch, i, 1).ConfigureAwait(false) ? 0 : failuresInARow + 1;
        batch.SetPending(WriteFate.Failed, first, count);
    }

    private async Task<bool> TryWriteAsync(WriteBatch batch, int first, int count)
    {
        try
        {
            Interlocked.Increment(ref _writeRequests);
            int lastBytes = LengthToWrite(batch, first + count - 1);
            IReadOnlyList<ReadOnlyMemory<byte>> pages = batch.BeginRun(first, count, lastBytes);
            ulong firstPage = batch.FirstPage + (ulong)first;
            // Not cancelled by anybody: others may be waiting for the same request.
            await batch.Source.WriteAsync(firstPage, pages, CancellationToken.None).ConfigureAwait(false);
            batch.SetPending(WriteFate.Written, first, count);
            return true;
        }
        // Whatever the source throws is for whoever flushes, not for the cache to judge.
        catch (Exception failure)
        {
            batch.Cause ??= failure;
            return false;
        }
        finally
        {
            batch.EndRun();
        }
    }

    private void AskMayWrite(WriteBatch batch)
    {
        if (_options.WriteBack.MayWrite is not { } mayWrite) return;
        for (int i = 0; i < batch.Count; i++)
        {
            try
            {
                if (!mayWrite(batch.Owner, batch.FirstPage + (ulong)i, batch.Copy(i))) batch.Fates[i] = WriteFate.Blocked;
            }
            catch (Exception failure)
            {
                batch.Fates[i] = WriteFate.Failed;
                batch.Cause ??= failure;
            }
        }
    }
}
