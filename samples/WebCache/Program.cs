// SPDX-License-Identifier: MIT
using WebCache;

// A web application whose rendered pages lie off-heap, and a load test of it:
//   dotnet run -c Release --project samples/WebCache                    serves on http://127.0.0.1:5080
//   dotnet run -c Release --project samples/WebCache -- load            serves itself some load and tells how it went
WebCacheSettings? settings = WebCacheSettings.Parse(args, Console.Error);
if (settings is null) return 2;
if (settings.Load) return await LoadTest.RunAsync(settings, Console.Out);

await using WebServer server = new(settings);
await server.StartAsync();
Console.WriteLine($"listening on {server.Address}; Ctrl-C stops");
await server.WaitForShutdownAsync();
return 0;
