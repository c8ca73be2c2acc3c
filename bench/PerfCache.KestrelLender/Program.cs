// SPDX-License-Identifier: MIT
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using PerfCache.KestrelLender;
using PerfCache.Memory;
using PerfCache.Remote;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Protocol;

// Question: would a lender whose connections are Kestrel's be faster than one with sockets of its own? Started by
// `PerfCache.Benchmarks -- lender --against kestrel`; the store, the protocol and the keeper are the lender's.
const string Usage = "PerfCache.KestrelLender MIB port:N|unix:PATH [inline]";
if (args.Length is < 2 or > 3 || !int.TryParse(args[0], CultureInfo.InvariantCulture, out int mebibytes)
    || !(args[1].StartsWith("port:", StringComparison.Ordinal) || args[1].StartsWith("unix:", StringComparison.Ordinal)))
{
    Console.Error.WriteLine(Usage);
    return 2;
}

string address = args[1][5..];
bool isUnix = args[1].StartsWith("unix:", StringComparison.Ordinal);
LenderOptions options = new()
{
    MemoryBytes = (long)mebibytes << 20,
    Server = new() { Threads = 1 },
    Lending = new LendingOptions { WatchesPressure = false },
};
ServerClock clock = new(TimeProvider.System);
using TenantStores stores = new(options.ItemOptions, [], options.Lending, MemoryMeter.Process);
using LendingKeeper keeper = new(stores, clock, options.Lending);

WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.Services.AddSingleton(new SessionHandler(stores.Default, clock));
builder.WebHost.UseSockets(sockets =>
{
    sockets.NoDelay = true;
    // What Kestrel has instead of a thread a loop: continuations run on the thread that waits for the sockets.
    sockets.UnsafePreferInlineScheduling = args.Length == 3;
    sockets.MaxReadBufferSize = 4 << 20;
    sockets.MaxWriteBufferSize = 4 << 20;
});
builder.WebHost.ConfigureKestrel(kestrel =>
{
    if (isUnix) kestrel.ListenUnixSocket(address, endpoint => endpoint.UseConnectionHandler<SessionHandler>());
    else
    {
        int port = int.Parse(address, CultureInfo.InvariantCulture);
        kestrel.ListenLocalhost(port, endpoint => endpoint.UseConnectionHandler<SessionHandler>());
    }
});
keeper.Start();
await builder.Build().RunAsync();
return 0;
