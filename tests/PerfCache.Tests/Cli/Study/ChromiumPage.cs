// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PerfCache.Tests.Cli.Study;

/// <summary>
/// A page in a headless Chromium, driven over its debugging protocol: sizes, media and keys as a person would have them,
/// and what the console said. Every wait has a deadline; disposing ends the browser.
/// </summary>
internal sealed class ChromiumPage : IAsyncDisposable
{
    private static readonly string[] s_names = ["chromium", "chromium-browser", "google-chrome"];

    private readonly Process _process;
    private readonly ClientWebSocket _socket = new();
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(90));
    private readonly string _profile;
    private int _id;

    private ChromiumPage(Process process, string profile) => (_process, _profile) = (process, profile);

    /// <summary>Errors and warnings of the console, and exceptions.</summary>
    public List<string> Complaints { get; } = [];

    /// <summary>The browser's path, or null where there is none.</summary>
    public static string? Browser =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .SelectMany(folder => s_names.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);

    /// <summary>Starts the browser with an empty page.</summary>
    public static async Task<ChromiumPage> Start()
    {
        string profile = Directory.CreateTempSubdirectory("perfcache-chromium-").FullName;
        ProcessStartInfo start = new(Browser!)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            ArgumentList =
            {
                "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--hide-scrollbars",
                "--no-first-run", "--disable-dev-shm-usage", $"--user-data-dir={profile}", "about:blank",
            },
        };
        ChromiumPage page = new(Process.Start(start)!, profile);
        try
        {
            await page.Connect();
        }
        catch
        {
            await page.DisposeAsync();
            throw;
        }

        return page;
    }

    /// <summary>Opens a file and waits until it is loaded.</summary>
    public async Task Open(string path)
    {
        await Call("Page.navigate", new JsonObject { ["url"] = new Uri(path).AbsoluteUri });
        while (await Evaluate("document.readyState + location.href") is { } state
            && !(state.GetString()!.StartsWith("complete", StringComparison.Ordinal) && state.GetString()!.Contains("file:")))
        {
            await Task.Delay(20, _deadline.Token);
        }
    }

    /// <summary>Sets the width of the screen, its colours, and whether it is paper.</summary>
    public async Task Show(int width, bool isDark = false, bool isPrint = false)
    {
        await Call("Emulation.setDeviceMetricsOverride", new JsonObject
        {
            ["width"] = width,
            ["height"] = 800,
            ["deviceScaleFactor"] = 1,
            ["mobile"] = width < 600,
        });
        await Call("Emulation.setEmulatedMedia", new JsonObject
        {
            ["media"] = isPrint ? "print" : "screen",
            ["features"] = new JsonArray(new JsonObject
            {
                ["name"] = "prefers-color-scheme",
                ["value"] = isDark ? "dark" : "light",
            }),
        });
    }

    /// <summary>Runs an expression in the page.</summary>
    public async Task<JsonElement> Evaluate(string expression)
    {
        JsonElement answer = await Call("Runtime.evaluate",
            new JsonObject { ["expression"] = expression, ["returnByValue"] = true });
        if (answer.TryGetProperty("exceptionDetails",
            out JsonElement details)) throw new InvalidOperationException(details.ToString());
        return answer.GetProperty("result").TryGetProperty("value", out JsonElement value) ? value : default;
    }

    /// <summary>Presses the tabulator key.</summary>
    public async Task PressTab()
    {
        foreach (string type in (string[])["keyDown", "keyUp"])
        {
            await Call("Input.dispatchKeyEvent", new JsonObject
            {
                ["type"] = type,
                ["key"] = "Tab",
                ["code"] = "Tab",
                ["windowsVirtualKeyCode"] = 9,
            });
        }
    }

    /// <summary>A picture of the whole page.</summary>
    public async Task Screenshot(string path)
    {
        JsonElement answer = await Call("Page.captureScreenshot",
            new JsonObject { ["captureBeyondViewport"] = true, ["format"] = "png" });
        await File.WriteAllBytesAsync(path, answer.GetProperty("data").GetBytesFromBase64());
    }

    /// <summary>The page as it would be printed.</summary>
    public async Task Print(string path)
    {
        JsonElement answer = await Call("Page.printToPDF",
            new JsonObject { ["printBackground"] = true, ["paperWidth"] = 8.27, ["paperHeight"] = 11.69 });
        await File.WriteAllBytesAsync(path, answer.GetProperty("data").GetBytesFromBase64());
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _deadline.Dispose();
        try
        {
            Directory.Delete(_profile, recursive: true);
        }
        catch (IOException)
        {
            // A child that ends a moment later may still write there; the folder is in the system's place for such.
        }
    }

    private async Task Connect()
    {
        // The browser says on standard error where it listens.
        string? line;
        while ((line = await _process.StandardError.ReadLineAsync(_deadline.Token)) is not null)
            if (line.Contains("DevTools listening on ", StringComparison.Ordinal)) break;
        if (line is null) throw new InvalidOperationException("the browser ended before it listened");
        Uri browser = new(line[line.IndexOf("ws://", StringComparison.Ordinal)..].Trim());
        using HttpClient client = new();
        string targets = await client.GetStringAsync($"http://{browser.Authority}/json/list", _deadline.Token);
        string page = JsonNode.Parse(targets)!.AsArray().First(target =>
            (string?)target!["type"] == "page")!["webSocketDebuggerUrl"]!
            .GetValue<string>();
        await _socket.ConnectAsync(new Uri(page), _deadline.Token);
        foreach (string domain in (string[])["Page.enable", "Runtime.enable", "Log.enable"]) await Call(domain, []);
    }

    private async Task<JsonElement> Call(string method, JsonObject parameters)
    {
        int id = ++_id;
        string message = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters }.ToJsonString();
        await _socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, true, _deadline.Token);
        while (true)
        {
            JsonElement answer = await Receive();
            if (answer.TryGetProperty("id", out JsonElement of) && of.GetInt32() == id)
            {
                return answer.TryGetProperty("result", out JsonElement result) ? result
                    : throw new InvalidOperationException($"{method}: {answer}");
            }

            string name = answer.TryGetProperty("method", out JsonElement told) ? told.GetString()! : "";
            if (name is "Runtime.exceptionThrown" or "Log.entryAdded" or "Runtime.consoleAPICalled") Complaints.Add(answer.ToString());
        }
    }

    private async Task<JsonElement> Receive()
    {
        byte[] buffer = new byte[1 << 16];
        using MemoryStream message = new();
        WebSocketReceiveResult part;
        do
        {
            part = await _socket.ReceiveAsync(buffer, _deadline.Token);
            message.Write(buffer, 0, part.Count);
        }
        while (!part.EndOfMessage);
        return JsonDocument.Parse(message.ToArray()).RootElement;
    }
}
