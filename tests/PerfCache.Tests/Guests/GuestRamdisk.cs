// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;

namespace PerfCache.Tests.Guests;

/// <summary>The whole file system of a guest: a program, the runtime that runs this test, and a shell to start it.</summary>
/// <remarks>
/// Nothing is published and nothing is fetched: of the runtime that is running now, those assemblies go in that the
/// program refers to, directly or not, and of the system the libraries that the runtime is linked with. The format is
/// cpio's "newc", which the kernel unpacks by itself; it is not packed, because unpacking in emulation costs more than
/// reading.
/// </remarks>
internal sealed class GuestRamdisk
{
    private const int ExecutableFile = 0x81ED;
    private const int Folder = 0x41ED;
    private const int Alignment = 4;

    // The command line of the kernel names the machine; the program's exit code is a line, because the emulator's own
    // is always 0.
    private const string Init = """
        #!/bin/busybox sh
        /bin/busybox mount -t proc proc /proc
        /bin/busybox mount -t sysfs sys /sys
        /bin/busybox mount -t devtmpfs dev /dev
        /bin/busybox mount -t tmpfs tmp /tmp
        /bin/busybox mount -t cgroup2 cgroup /cgroup
        echo 0 > /proc/sys/kernel/numa_balancing
        export HOME=/tmp TMPDIR=/tmp DOTNET_EnableDiagnostics=0 DOTNET_TieredPGO=0
        for word in $(/bin/busybox cat /proc/cmdline); do
          case $word in guest=*) kind=${word#guest=} ;; esac
        done
        /dotnet/dotnet /program/PerfCache.GuestTests.dll $kind
        echo "guest exit code $?"
        /bin/busybox poweroff -f

        """;

    private static readonly string[] s_nativeParts =
        ["libcoreclr.so", "libclrjit.so", "libSystem.Native.so", "libhostpolicy.so"];

    private readonly HashSet<string> _names = [];
    private readonly Stream _stream;

    private GuestRamdisk(Stream stream) => _stream = stream;

    /// <summary>Writes the file system to a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="busybox">A shell that is linked statically.</param>
    internal static void Write(string path, string busybox)
    {
        using FileStream stream = File.Create(path);
        GuestRamdisk disk = new(stream);
        foreach (string folder in (string[])["proc", "sys", "dev", "tmp", "cgroup"]) disk.AddFolder(folder);
        disk.Add("init", Encoding.ASCII.GetBytes(Init.ReplaceLineEndings("\n")));
        disk.AddFile("bin/busybox", busybox);
        disk.AddRuntimeAndProgram();
        disk.WriteEntry("TRAILER!!!", 0, []);
    }

    private void AddRuntimeAndProgram()
    {
        string framework = Path.TrimEndingDirectorySeparator(RuntimeEnvironment.GetRuntimeDirectory());
        string version = Path.GetFileName(framework);
        string dotnet = Path.GetFullPath(Path.Combine(framework, "..", "..", ".."));
        string inGuest = $"dotnet/shared/Microsoft.NETCore.App/{version}";
        string resolver = Path.Combine(dotnet, "host", "fxr", version, "libhostfxr.so");
        AddFile("dotnet/dotnet", Path.Combine(dotnet, "dotnet"));
        AddFile($"dotnet/host/fxr/{version}/libhostfxr.so", resolver);
        string program = AppContext.BaseDirectory;
        HashSet<string> parts = [.. s_nativeParts];
        foreach (string assembly in Closure("PerfCache.GuestTests.dll", program, framework))
        {
            string name = Path.GetFileName(assembly);
            bool isOfFramework = Path.GetDirectoryName(assembly) == framework;
            if (isOfFramework) parts.Add(name);
            AddFile(isOfFramework ? $"{inGuest}/{name}" : $"program/{name}", assembly);
        }

        const string Settings = "PerfCache.GuestTests.runtimeconfig.json";
        AddFile($"program/{Settings}", Path.Combine(program, Settings));
        foreach (string part in s_nativeParts) AddFile($"{inGuest}/{part}", Path.Combine(framework, part));
        const string Manifest = "Microsoft.NETCore.App.deps.json";
        Add($"{inGuest}/{Manifest}", ManifestOf(Path.Combine(framework, Manifest), parts));
        foreach (string library in LibrariesOf(
            [Path.Combine(dotnet, "dotnet"), resolver, .. s_nativeParts.Select(part => Path.Combine(framework, part))]))
        {
            AddFile(library.TrimStart('/'), library);
        }
    }

    /// <summary>An assembly and all that it refers to, found in one folder or the other.</summary>
    private static IEnumerable<string> Closure(string first, string program, string framework)
    {
        HashSet<string> seen = [first, "System.Private.CoreLib.dll"];
        Queue<string> waiting = new(seen);
        while (waiting.TryDequeue(out string? name))
        {
            string path = Path.Combine(framework, name);
            if (!File.Exists(path)) path = Path.Combine(program, name);
            if (!File.Exists(path)) continue;
            yield return path;
            using PEReader assembly = new(File.OpenRead(path));
            MetadataReader metadata = assembly.GetMetadataReader();
            foreach (AssemblyReferenceHandle handle in metadata.AssemblyReferences)
            {
                string reference = metadata.GetString(metadata.GetAssemblyReference(handle).Name) + ".dll";
                if (seen.Add(reference)) waiting.Enqueue(reference);
            }
        }
    }

    /// <summary>The framework's list of its parts, less those that are left out: the host wants all that it lists.
    /// </summary>
    private static byte[] ManifestOf(string file, HashSet<string> parts)
    {
        JsonNode manifest = JsonNode.Parse(File.ReadAllText(file))!;
        foreach ((_, JsonNode? target) in manifest["targets"]!.AsObject())
        {
            foreach ((_, JsonNode? library) in target!.AsObject())
            {
                foreach (string kind in (string[])["runtime", "native"])
                {
                    if (library![kind] is not JsonObject files) continue;
                    foreach (string name in files.Select(pair => pair.Key).Where(
                        name => !parts.Contains(Path.GetFileName(name))).ToArray())
                    {
                        files.Remove(name);
                    }
                }
            }
        }

        return Encoding.UTF8.GetBytes(manifest.ToJsonString());
    }

    // ldd: "	libm.so.6 => /lib/libm.so.6 (0x00007f...)", or the loader's path alone.
    private static IEnumerable<string> LibrariesOf(string[] files)
    {
        ProcessStartInfo start = new("ldd", files) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process ldd = Process.Start(start)!;
        Task<string> errors = ldd.StandardError.ReadToEndAsync();
        string output = ldd.StandardOutput.ReadToEnd();
        Assert.That(ldd.WaitForExit(TimeSpan.FromSeconds(30)), Is.True, "ldd ends");
        Assert.That(ldd.ExitCode, Is.Zero, errors.Result);
        return output.Split('\n').Select(line => line.Split("=>")[^1].Trim().Split(' ')[0])
            .Where(path => path.StartsWith('/') && !path.EndsWith(':')).Distinct();
    }

    private void AddFile(string name, string path) => Add(name, File.ReadAllBytes(path));

    private void Add(string name, byte[] content)
    {
        if (!_names.Add(name)) return;
        string folder = "";
        foreach (string part in name.Split('/')[..^1])
        {
            folder += (folder.Length == 0 ? "" : "/") + part;
            AddFolder(folder);
        }

        WriteEntry(name, ExecutableFile, content);
    }

    private void AddFolder(string name)
    {
        if (_names.Add(name)) WriteEntry(name, Folder, []);
    }

    // Thirteen numbers in hexadecimal digits, the name, the bytes; name and bytes end at multiples of four.
    private void WriteEntry(string name, int mode, byte[] content)
    {
        int[] fields = [_names.Count, mode, 0, 0, 1, 0, content.Length, 0, 0, 0, 0, name.Length + 1, 0];
        string head = "070701" + string.Concat(fields.Select(field => field.ToString("x8", CultureInfo.InvariantCulture)));
        _stream.Write(Encoding.ASCII.GetBytes(head + name + "\0"));
        Align();
        _stream.Write(content);
        Align();
    }

    private void Align()
    {
        while (_stream.Position % Alignment != 0) _stream.WriteByte(0);
    }
}
