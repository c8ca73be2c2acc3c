// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using PerfCache.Extensions;

namespace WebCache;

/// <summary>
/// GET /articles/N answers from the cache straight into the response, or renders and stores; DELETE /articles/PREFIX
/// flushes the articles whose numbers begin so; GET /health tells how the cache is.
/// </summary>
internal sealed class WebServer : IAsyncDisposable
{
    private static readonly DistributedCacheEntryOptions s_lifetime = new()
    {
        SlidingExpiration = TimeSpan.FromMinutes(10),
        AbsoluteExpirationRelativeToNow = TimeSpan.FromHours(1),
    };

    private readonly WebApplication _app;
    private readonly MeterProvider? _metrics;
    private readonly IDistributedCache _cache;

    internal WebServer(WebCacheSettings settings)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{settings.Port}"));
        if (settings.ManagedMemory)
        {
            builder.Services.AddDistributedMemoryCache(
                options => options.SizeLimit = (long)settings.CapacityMebibytes << 20);
            builder.Services.AddHealthChecks();
        }
        else
        {
            builder.Services.AddPerfCache(options =>
            {
                options.Name = "articles";
                options.CapacityBytes = (long)settings.CapacityMebibytes << 20;
                options.SnapshotPath = settings.Snapshot;
            });
            builder.Services.AddHealthChecks().AddCheck<PerfCacheHealthCheck>("perfcache");
        }

        _app = builder.Build();
        _cache = _app.Services.GetRequiredService<IDistributedCache>();
        _app.MapGet("/articles/{number:int}", (RequestDelegate)GetArticle);
        _app.MapDelete("/articles/{prefix}", (RequestDelegate)FlushArticles);
        _app.MapHealthChecks("/health");
        _metrics = settings.Otlp is null ? null : ExportTo(settings.Otlp);
    }

    /// <summary>Where it listens, once it was started.</summary>
    internal string Address => _app.Urls.First();

    /// <summary>The cache off-heap, or null when managed memory was asked for.</summary>
    internal OffHeapDistributedCache? OffHeap => _cache as OffHeapDistributedCache;

    internal Task StartAsync() => _app.StartAsync();

    internal Task WaitForShutdownAsync() => _app.WaitForShutdownAsync();

    internal Task StopAsync() => _app.StopAsync();

    /// <summary>Sends the metrics of now, without waiting for the exporter's next round.</summary>
    internal bool FlushMetrics() => _metrics?.ForceFlush(5000) ?? true;

    public async ValueTask DisposeAsync()
    {
        _metrics?.Dispose();
        await _app.DisposeAsync();
    }

    private static MeterProvider ExportTo(Uri collector) => Sdk.CreateMeterProviderBuilder()
        .AddMeter(OffHeapCacheMetrics.MeterName)
        .AddOtlpExporter(options =>
        {
            options.Endpoint = collector;
            options.Protocol = OtlpExportProtocol.HttpProtobuf;
        })
        .Build();

    private async Task GetArticle(HttpContext context)
    {
        string number = (string)context.Request.RouteValues["number"]!;
        string key = "article:" + number;
        HttpResponse response = context.Response;
        response.ContentType = "text/html";
        if (_cache is IBufferDistributedCache buffers)
        {
            // From native memory into the server's own buffer, in one copy. An entry that is there has this length.
            if (await buffers.TryGetAsync(key, response.BodyWriter, context.RequestAborted))
            {
                await response.BodyWriter.FlushAsync(context.RequestAborted);
                return;
            }
        }
        else if (await _cache.GetAsync(key, context.RequestAborted) is { } page)
        {
            await response.BodyWriter.WriteAsync(page, context.RequestAborted);
            return;
        }

        ArrayBufferWriter<byte> rendered = new(Articles.Bytes);
        Articles.Render(int.Parse(number, CultureInfo.InvariantCulture), rendered);
        if (_cache is IBufferDistributedCache store)
        {
            await store.SetAsync(
                key, new ReadOnlySequence<byte>(rendered.WrittenMemory), s_lifetime, context.RequestAborted);
        }
        else
        {
            await _cache.SetAsync(key, rendered.WrittenSpan.ToArray(), s_lifetime, context.RequestAborted);
        }

        await response.BodyWriter.WriteAsync(rendered.WrittenMemory, context.RequestAborted);
    }

    private Task FlushArticles(HttpContext context)
    {
        if (OffHeap is null)
        {
            context.Response.StatusCode = StatusCodes.Status501NotImplemented;
            return context.Response.WriteAsync("the cache in managed memory has no flush by prefix\n");
        }

        long removed = OffHeap.RemoveByPrefix("article:" + context.Request.RouteValues["prefix"]);
        return context.Response.WriteAsync(string.Create(CultureInfo.InvariantCulture, $"{removed} removed\n"));
    }
}
