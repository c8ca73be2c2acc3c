// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Benchmarks.Rings;

/// <summary>A ring of native/baselines/ring_floor.c; the values are that file's.</summary>
internal enum CRing
{
    Spsc = 0,
    DpdkSpsc = 1,
    DpdkMpmc = 2,
}

/// <summary>The rings in C, from the library that native/baselines/build.sh makes.</summary>
internal sealed unsafe class CRings : IDisposable
{
    private readonly nint _library;
    private readonly delegate* unmanaged<int, uint, uint, ulong, uint, int, int, double> _run;

    private CRings(nint library)
    {
        _library = library;
        _run = (delegate* unmanaged<int, uint, uint, ulong, uint, int, int, double>)
            NativeLibrary.GetExport(library, "ring_floor_run");
        HasDpdk = ((delegate* unmanaged<int>)NativeLibrary.GetExport(library, "ring_floor_has_dpdk"))() != 0;
    }

    /// <summary>True when it was built with DPDK's headers.</summary>
    internal bool HasDpdk { get; }

    /// <summary>Loads the library, or says what is missing.</summary>
    internal static CRings? Load(TextWriter notes)
    {
        string path = Path.Combine("artifacts", "native", "libring_floor.so");
        if (File.Exists(path)) return new CRings(NativeLibrary.Load(Path.GetFullPath(path)));
        notes.WriteLine($"{path}: not found, so nothing is compared with C; build it with native/baselines/build.sh");
        return null;
    }

    /// <summary>Nanoseconds an element.</summary>
    internal double Run(CRing ring, Cores cores, int burst, long count)
    {
        double nanos = 0;
        // Its threads inherit the class of the one that starts them.
        Thread starter = new(() =>
        {
            cores.Enter(cores.Producer);
            nanos = _run(
                (int)ring, QueueRace.SlotCount, (uint)burst, (ulong)count, QueueRace.Pauses, cores.Producer,
                cores.Consumer);
        });
        starter.Start();
        starter.Join();
        if (nanos <= 0) throw new InvalidOperationException($"the C ring {ring} failed or lost a number");
        return nanos / count;
    }

    public void Dispose() => NativeLibrary.Free(_library);
}
