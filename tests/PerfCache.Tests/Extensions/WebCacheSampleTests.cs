// SPDX-License-Identifier: MIT
using System.Net;
using System.Text;
using WebCache;

namespace PerfCache.Tests.Extensions;

/// <summary>
/// Goal: the sample web application serves, flushes, restarts warm, and its metrics arrive at an OpenTelemetry collector.
/// Method: the sample itself over loopback, for a second; the collector is a listener that looks for the names.
/// </summary>
[TestFixture]
[NonParallelizable]
public sealed class WebCacheSampleTests : FolderFixture
{
    [Test]
    public async Task TheLoadTestSucceedsAndItsMetricsArrive()
    {
        using HttpListener collector = Listen(out Uri address);
        Task<byte[]> received = ReceiveAsync(collector);
        WebCacheSettings settings = Parse(
            "load", "--seconds", "1", "--clients", "2", "--articles", "200", "--capacity", "16", "--otlp", $"{address}v1/metrics");
        using StringWriter output = new();
        int exitCode = await LoadTest.RunAsync(settings, output);
        Assert.That(exitCode, Is.Zero, output.ToString());
        Assert.That(output.ToString(), Does.Contain("wrong answers  0").And.Contain("health         Healthy"));
        string metrics = Encoding.Latin1.GetString(await received.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.That(metrics, Does.Contain("PerfCache.DistributedCache").And.Contain("cache.requests")
            .And.Contain("cache.request.type").And.Contain("articles"));
    }

    [Test]
    public async Task AnArticleIsFlushedByPrefixAndComesBackAfterARestart()
    {
        WebCacheSettings settings = Parse(
            "--port", "0", "--capacity", "16", "--snapshot", PathOf("articles.snapshot"));
        await using (WebServer first = new(settings))
        {
            await first.StartAsync();
            using HttpClient client = new() { BaseAddress = new Uri(first.Address) };
            byte[] article = await client.GetByteArrayAsync(new Uri("/articles/12", UriKind.Relative));
            Assert.That(Encoding.ASCII.GetString(article), Does.StartWith("<h1>Article 12</h1>"));
            foreach (string path in new[] { "/articles/12", "/articles/120", "/articles/7" })
                Assert.That(await client.GetByteArrayAsync(new Uri(path, UriKind.Relative)), Has.Length.EqualTo(4096));
            Assert.That((first.OffHeap!.Statistics.Hits, first.OffHeap.Statistics.Items), Is.EqualTo((1, 3)));
            HttpResponseMessage flushed = await client.DeleteAsync(new Uri("/articles/12", UriKind.Relative));
            Assert.That(await flushed.Content.ReadAsStringAsync(), Is.EqualTo("2 removed\n"));
            await first.StopAsync();
        }

        await using WebServer second = new(settings);
        await second.StartAsync();
        Assert.That(second.OffHeap!.Get("article:7"), Has.Length.EqualTo(4096));
        await second.StopAsync();
    }

    [TestCase("--seconds", "0")]
    [TestCase("--cache", "none")]
    [TestCase("--port")]
    public void AWrongWordIsNamedWithWhatWouldDo(params string[] args)
    {
        using StringWriter errors = new();
        Assert.That(WebCacheSettings.Parse(args, errors), Is.Null);
        Assert.That(errors.ToString(), Does.StartWith($"'{string.Join(' ', args)}' is not understood; usage:"));
    }

    private static WebCacheSettings Parse(params string[] args)
    {
        using StringWriter errors = new();
        return WebCacheSettings.Parse(args, errors) ?? throw new InvalidOperationException(errors.ToString());
    }

    private static HttpListener Listen(out Uri address)
    {
        // A port that is free now may be taken in between: then another one.
        for (int attempt = 0; ; attempt++)
        {
            using System.Net.Sockets.TcpListener probe = new(IPAddress.Loopback, 0);
            probe.Start();
            int port = ((IPEndPoint)probe.LocalEndpoint).Port;
            probe.Stop();
            HttpListener listener = new();
            listener.Prefixes.Add($"http://127.0.0.1:{port}/");
            try
            {
                listener.Start();
                address = new Uri($"http://127.0.0.1:{port}/");
                return listener;
            }
            catch (HttpListenerException) when (attempt < 5)
            {
                listener.Close();
            }
        }
    }

    private static async Task<byte[]> ReceiveAsync(HttpListener listener)
    {
        HttpListenerContext context = await listener.GetContextAsync();
        using MemoryStream body = new();
        await context.Request.InputStream.CopyToAsync(body);
        context.Response.StatusCode = 200;
        context.Response.Close();
        return body.ToArray();
    }
}
