// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace WebCache;

/// <summary>
/// Serves itself some load over loopback: a few connections ask for articles, some much more often than others, and check
/// every answer. Client and server share the process and its cores, so the figures are for comparing one cache with
/// the other, not for planning a server.
/// </summary>
internal static class LoadTest
{
    // Of each connection; more of them would say nothing new.
    private const int LatenciesMax = 1 << 20;

    /// <summary>Runs the load test.</summary>
    /// <returns>0; 1 when an answer was wrong or the cache is not healthy.</returns>
    internal static async Task<int> RunAsync(WebCacheSettings settings, TextWriter output)
    {
        await using WebServer server = new(settings);
        await server.StartAsync();
        using HttpClient client = new(new SocketsHttpHandler { MaxConnectionsPerServer = settings.Clients })
        {
            BaseAddress = new Uri(server.Address),
        };
        long allocated = GC.GetTotalAllocatedBytes(precise: true);
        TimeSpan pause = GC.GetTotalPauseDuration();
        int collections = GC.CollectionCount(0);
        long begin = Stopwatch.GetTimestamp();
        ClientRun[] runs = await Task.WhenAll(
            Enumerable.Range(0, settings.Clients).Select(i => Task.Run(() => AskAsync(client, settings, i))));
        double seconds = Stopwatch.GetElapsedTime(begin).TotalSeconds;
        long requests = runs.Sum(run => run.Requests);
        long wrong = runs.Sum(run => run.Wrong);
        pause = GC.GetTotalPauseDuration() - pause;
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        double[] millis = [.. runs.SelectMany(run => run.Millis).Order()];
        string health = await client.GetStringAsync(new Uri("/health", UriKind.Relative));
        bool sent = server.FlushMetrics();

        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture,
            $"cache          {(settings.ManagedMemory ? "memory" : "off-heap")}, {settings.CapacityMebibytes} MiB\n");
        text.Append(CultureInfo.InvariantCulture,
            $"requests       {requests:N0} in {seconds:F1} s, {requests / seconds:N0}/s over {settings.Clients} connections\n");
        text.Append(CultureInfo.InvariantCulture,
            $"latency        p50 {At(millis, 0.5):F2} ms, p99 {At(millis, 0.99):F2} ms, p99.9 {At(millis, 0.999):F2} ms\n");
        text.Append(CultureInfo.InvariantCulture,
            $"collector      {GC.CollectionCount(0) - collections} collections, {pause.TotalMilliseconds:F1} ms of pause, ");
        text.Append(CultureInfo.InvariantCulture, $"{allocated / Math.Max(1, requests):N0} bytes a request\n");
        if (server.OffHeap is { } cache)
        {
            PerfCache.Items.ItemStatistics counts = cache.Statistics;
            text.Append(CultureInfo.InvariantCulture,
                $"hits           {100.0 * counts.Hits / Math.Max(1, counts.Hits + counts.Misses):F1} % of look-ups\n");
            text.Append(CultureInfo.InvariantCulture,
                $"native memory  {cache.UsedBytes >> 20} of {cache.CapacityBytes >> 20} MiB, {counts.Items:N0} entries\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"health         {health}\n");
        if (settings.Otlp is not null) text.Append(CultureInfo.InvariantCulture, $"metrics        sent: {sent}\n");
        text.Append(CultureInfo.InvariantCulture, $"wrong answers  {wrong}\n");
        await output.WriteAsync(text.ToString());
        await server.StopAsync();
        return wrong == 0 && requests > 0 && sent && health == "Healthy" ? 0 : 1;
    }

    private static async Task<ClientRun> AskAsync(HttpClient client, WebCacheSettings settings, int number)
    {
        ClientRun run = new();
        Random random = new(number);
        long begin = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begin).TotalSeconds < settings.Seconds)
        {
            // The cube of a uniform number: a tenth of the articles gets nearly half of the requests.
            double draw = random.NextDouble();
            int article = (int)(draw * draw * draw * settings.Articles);
            long asked = Stopwatch.GetTimestamp();
            byte[] answer;
            try
            {
                answer = await client.GetByteArrayAsync(
                    new Uri(string.Create(CultureInfo.InvariantCulture, $"/articles/{article}"), UriKind.Relative));
            }
            catch (HttpRequestException)
            {
                run.Wrong++;
                continue;
            }

            run.Requests++;
            if (run.Millis.Count < LatenciesMax) run.Millis.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
            string expected = string.Create(CultureInfo.InvariantCulture, $"<h1>Article {article}</h1>\n");
            if (answer.Length != Articles.Bytes || !answer.AsSpan().StartsWith(Encoding.ASCII.GetBytes(expected)))
                run.Wrong++;
        }

        return run;
    }

    private static double At(double[] sorted, double part) =>
        sorted.Length == 0 ? 0 : sorted[(int)((sorted.Length - 1) * part)];

    private sealed class ClientRun
    {
        internal long Requests { get; set; }

        internal long Wrong { get; set; }

        internal List<double> Millis { get; } = [];
    }
}
