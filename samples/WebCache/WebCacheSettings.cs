// SPDX-License-Identifier: MIT
using System.Globalization;

namespace WebCache;

/// <summary>What the command line says.</summary>
internal sealed record WebCacheSettings
{
    private const string Usage =
        "usage: [load] [--seconds N] [--clients N] [--articles N] [--capacity MIB] [--cache off-heap|memory] [--port N] "
        + "[--snapshot FILE] [--otlp URL]; example: load --seconds 10 --cache memory";

    /// <summary>True for a load test, false to serve until somebody stops it.</summary>
    internal bool Load { get; init; }

    internal int Seconds { get; init; } = 10;

    /// <summary>Connections of the load test.</summary>
    internal int Clients { get; init; } = 8;

    /// <summary>Different articles that the load test asks for.</summary>
    internal int Articles { get; init; } = 100_000;

    internal int CapacityMebibytes { get; init; } = 128;

    /// <summary>True for .NET's own distributed cache in managed memory, to compare with.</summary>
    internal bool ManagedMemory { get; init; }

    /// <summary>The port on the loopback address; 0 for any.</summary>
    internal int Port { get; init; } = 5080;

    internal string? Snapshot { get; init; }

    /// <summary>Where an OpenTelemetry collector takes metrics over HTTP, or null.</summary>
    internal Uri? Otlp { get; init; }

    /// <summary>Reads a command line; null after a complaint.</summary>
    internal static WebCacheSettings? Parse(string[] args, TextWriter errors)
    {
        WebCacheSettings settings = new();
        if (args is ["load", ..]) (settings, args) = (settings with { Load = true, Port = 0 }, args[1..]);
        for (int i = 0; i < args.Length; i += 2)
        {
            WebCacheSettings? next = i + 1 < args.Length ? settings.With(args[i], args[i + 1]) : null;
            if (next is null)
            {
                errors.WriteLine($"'{string.Join(' ', args[i..Math.Min(i + 2, args.Length)])}' is not understood; {Usage}");
                return null;
            }

            settings = next;
        }

        return settings;
    }

    private WebCacheSettings? With(string name, string value)
    {
        bool isNumber = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number);
        return name switch
        {
            "--seconds" when isNumber && number is > 0 and <= 3600 => this with { Seconds = number },
            "--clients" when isNumber && number is > 0 and <= 1024 => this with { Clients = number },
            "--articles" when isNumber && number > 0 => this with { Articles = number },
            "--capacity" when isNumber && number is >= 16 and <= 1 << 20 => this with { CapacityMebibytes = number },
            "--port" when isNumber && number <= ushort.MaxValue => this with { Port = number },
            "--cache" when value is "off-heap" or "memory" => this with { ManagedMemory = value == "memory" },
            "--snapshot" => this with { Snapshot = value },
            "--otlp" when Uri.TryCreate(value, UriKind.Absolute, out Uri? url) => this with { Otlp = url },
            _ => null,
        };
    }
}
