// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Simulation.Traces;

/// <summary>The streaming decoder of the system's libzstd: its few calls, and nothing that decides.</summary>
internal static class ZstdLibrary
{
    /// <summary>The name with the ABI version, which is what a system without development files
    /// has.</summary>
    internal const string FileName = "libzstd.so.1";

    private const DllImportSearchPath SearchPath = DllImportSearchPath.SafeDirectories;

    /// <summary>A stretch of memory and how far the library has come in it (its ZSTD_inBuffer and
    /// ZSTD_outBuffer alike).</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Stretch
    {
        internal nint Start;
        internal nuint Length;
        internal nuint Position;
    }

    /// <summary>Whether the library can be loaded; asked before the first call, because a failing import
    /// would name neither the trace nor the remedy.</summary>
    internal static bool IsPresent(string name) =>
        NativeLibrary.TryLoad(name, typeof(ZstdLibrary).Assembly, SearchPath, out _);

    internal static bool IsError(nuint code) => ZSTD_isError(code) != 0;

    internal static string ErrorName(nuint code) =>
        Marshal.PtrToStringUTF8(ZSTD_getErrorName(code)) ?? "unknown error";

    internal static nint Create() => ZSTD_createDStream();

    /// <summary>Decodes what fits. 0: a frame is complete and flushed; otherwise more input or room is
    /// needed, or the code is an error.</summary>
    internal static nuint Decompress(nint decoder, ref Stretch output, ref Stretch input) =>
        ZSTD_decompressStream(decoder, ref output, ref input);

    internal static void Free(nint decoder) => _ = ZSTD_freeDStream(decoder);

    [DllImport(FileName), DefaultDllImportSearchPaths(SearchPath)]
    private static extern nint ZSTD_createDStream();

    [DllImport(FileName), DefaultDllImportSearchPaths(SearchPath)]
    private static extern nuint ZSTD_freeDStream(nint decoder);

    [DllImport(FileName), DefaultDllImportSearchPaths(SearchPath)]
    private static extern nuint ZSTD_decompressStream(nint decoder, ref Stretch output, ref Stretch input);

    [DllImport(FileName), DefaultDllImportSearchPaths(SearchPath)]
    private static extern uint ZSTD_isError(nuint code);

    [DllImport(FileName), DefaultDllImportSearchPaths(SearchPath)]
    private static extern nint ZSTD_getErrorName(nuint code);
}
