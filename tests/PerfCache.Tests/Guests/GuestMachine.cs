// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using PerfCache.GuestTests;
using PerfCache.Tests.Repository;

namespace PerfCache.Tests.Guests;

/// <summary>A machine with several nodes, emulated in software, that runs the checks once and is gone.</summary>
/// <remarks>
/// It needs qemu-system-x86_64, a static busybox, and a kernel (PERFCACHE_GUEST_KERNEL, or an unpacked package below
/// artifacts/guest-kernel, or /boot); <c>.ci/run</c> gets all three. Emulation is 10 to 100 times slower than a
/// machine: what the guest says of time means nothing, and nobody may report it.
/// </remarks>
internal sealed class GuestMachine
{
    // A host that is busy starves the emulated clock, which the kernel must not take for a broken machine.
    private const string KernelArguments = "console=ttyS0 quiet panic=-1 no_timer_check nowatchdog";

    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(240);
    private static readonly Dictionary<GuestKind, GuestMachine> s_machines = [];

    private readonly List<string> _lines = [];

    /// <summary>All lines of the console.</summary>
    internal string Console => string.Join('\n', _lines);

    /// <summary>The machine of a kind after it ran; skips the test where none can be had.</summary>
    internal static GuestMachine Of(GuestKind kind)
    {
        if (s_machines.TryGetValue(kind, out GuestMachine? known)) return known;
        string emulator = Found("qemu-system-x86_64", "qemu-system-x86");
        string busybox = Found("busybox", "busybox-static");
        string kernel = Kernel();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("perfcache-guest-");
        try
        {
            string disk = Path.Combine(folder.FullName, "disk.cpio");
            GuestRamdisk.Write(disk, busybox);
            GuestMachine machine = new();
            machine.Run(emulator, [.. Arguments(kind), "-kernel", kernel, "-initrd", disk,
                "-append", $"{KernelArguments} guest={(kind == GuestKind.Two ? "two" : "four")}"]);
            return s_machines[kind] = machine;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>What the machine says of a check: ok, skipped and why, or FAILED and why; null when nothing.</summary>
    internal string? Outcome(string check)
    {
        string head = $"check {check} ";
        return _lines.Find(line => line.StartsWith(head, StringComparison.Ordinal))?[head.Length..];
    }

    private static string Found(string program, string package)
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            Assert.Ignore("the emulated machine takes its program from this one, which is not Linux on x64");
        string? path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/bin")
            .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
        if (path is null) Assert.Ignore($"no {program} (Debian: {package}); the real calls are not checked on several nodes");
        return path!;
    }

    private static string Kernel()
    {
        if (Environment.GetEnvironmentVariable("PERFCACHE_GUEST_KERNEL") is { Length: > 0 } named)
        {
            Assert.That(named, Does.Exist, "PERFCACHE_GUEST_KERNEL");
            return named;
        }

        string[] folders = [Path.Combine(RepositoryTree.Root, "artifacts", "guest-kernel", "boot"), "/boot"];
        string? kernel = folders.Where(Directory.Exists).SelectMany(folder => Directory.GetFiles(folder, "vmlinuz-*"))
            .FirstOrDefault();
        if (kernel is null)
        {
            Assert.Ignore("no kernel for the emulated machine: unpack a Debian linux-image package below "
                + "artifacts/guest-kernel, or name its vmlinuz by PERFCACHE_GUEST_KERNEL");
        }

        return kernel!;
    }

    private static string[] Arguments(GuestKind kind) =>
    [
        "-machine", kind == GuestKind.Two ? "q35" : "q35,hmat=on", "-cpu", "max", "-accel", "tcg,thread=multi",
        "-nodefaults", "-nographic", "-serial", "stdio", "-monitor", "none", "-no-reboot",
        .. kind == GuestKind.Two ? TwoNodes() : FourNodes(),
    ];

    private static string[] TwoNodes() =>
    [
        "-smp", "2", "-m", "800M", .. Memory(640, 160),
        "-numa", "node,nodeid=0,cpus=0,memdev=m0", "-numa", "node,nodeid=1,cpus=1,memdev=m1", .. Distance(0, 1, 21),
    ];

    // The firmware's table wants an initiator for every node: the nearest one that has CPUs.
    private static string[] FourNodes() =>
    [
        "-smp", "4", "-m", "1152M", .. Memory(640, 256, 128, 128),
        "-numa", "node,nodeid=0,cpus=0-1,memdev=m0,initiator=0", "-numa", "node,nodeid=1,cpus=2-3,memdev=m1,initiator=1",
        "-numa", "node,nodeid=2,memdev=m2,initiator=0", "-numa", "node,nodeid=3,memdev=m3,initiator=1",
        .. Distance(0, 1, 21), .. Distance(0, 2, 17), .. Distance(0, 3, 28), .. Distance(1, 2, 28), .. Distance(1, 3, 17),
        .. Distance(2, 3, 28),
        .. from initiator in Enumerable.Range(0, 2)
           from target in Enumerable.Range(0, 4)
           from figure in (string[])[target < 2 ? "latency,latency=100" : "latency,latency=250",
               target < 2 ? "bandwidth,bandwidth=20G" : "bandwidth,bandwidth=8G"]
           from word in (string[])["-numa",
               $"hmat-lb,initiator={initiator},target={target},hierarchy=memory,data-type=access-{figure}"]
           select word,
    ];

    private static string[] Memory(params int[] mebibytes) =>
        [.. mebibytes.SelectMany((size, node) =>
            (string[])["-object", $"memory-backend-ram,id=m{node},size={size}M"])];

    private static string[] Distance(int from, int to, int distance) =>
        ["-numa", $"dist,src={from},dst={to},val={distance.ToString(CultureInfo.InvariantCulture)}"];

    private void Run(string emulator, string[] arguments)
    {
        ProcessStartInfo start = new(emulator, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = new() { StartInfo = start };
        process.OutputDataReceived += (_, line) => Add(line.Data);
        process.ErrorDataReceived += (_, line) => Add(line.Data);
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (!process.WaitForExit(s_deadline))
        {
            Add($"the machine was stopped after {s_deadline.TotalSeconds} s");
            process.Kill();
        }

        // Without a limit it also waits for the last lines.
        process.WaitForExit();
    }

    private void Add(string? line)
    {
        if (line is null) return;
        lock (_lines) _lines.Add(line.TrimEnd('\r'));
    }
}
