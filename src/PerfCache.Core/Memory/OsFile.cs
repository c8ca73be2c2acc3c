// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PerfCache.Memory;

/// <summary>The only place that asks the operating system about files for what the platform's own calls
/// lack.</summary>
/// <remarks>
/// That is direct I/O: reads and writes that go past the kernel's page cache (O_DIRECT). .NET has no option
/// for it: <c>(FileOptions)0x4000</c>, the number of O_DIRECT on x86, means <see
/// cref="FileOptions.Encrypted"/> and is accepted without a word. So a file is opened by the platform, which
/// knows how to say why it cannot, and the flag is set on the open file afterwards with fcntl. Both calls of
/// fcntl take integers only, which every Linux ABI passes alike whether the callee is variadic or not.
/// </remarks>
internal static class OsFile
{
    private const int GetFlags = 3;
    private const int SetFlags = 4;

    /// <summary>The error number of an argument that does not fit, such as an unaligned direct
    /// write.</summary>
    internal const int InvalidArgument = 22;

    /// <summary>The error number of a full disk.</summary>
    internal const int NoSpace = 28;

    /// <summary>The error number of an exhausted quota.</summary>
    internal const int QuotaExceeded = 122;

    // The flag is one of the few whose number depends on the processor.
    private static readonly int s_direct = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.Arm or Architecture.Arm64 => 0x10000,
        Architecture.Ppc64le => 0x20000,
        _ => 0x4000,
    };

    /// <summary>
    /// Opens an open file once more, by its descriptor: a path might name another file by now. On Linux only,
    /// and only where /proc is mounted; otherwise the failure of the platform's open.
    /// </summary>
    internal static SafeFileHandle OpenAgain(SafeFileHandle file, FileAccess access, FileOptions options) =>
        File.OpenHandle(
            $"/proc/self/fd/{Descriptor(file)}", FileMode.Open, access, FileShare.ReadWrite | FileShare.Delete,
            options);

    /// <summary>Sets the flag for direct I/O on a file that nobody else uses yet.</summary>
    /// <returns>0, or the error number: the file system may refuse.</returns>
    internal static int SetDirect(SafeFileHandle file)
    {
        int flags = Control(Descriptor(file), GetFlags, 0);
        if (flags == -1) return Marshal.GetLastSystemError();
        return Control(Descriptor(file), SetFlags, flags | s_direct) == -1 ? Marshal.GetLastSystemError() : 0;
    }

    /// <summary>True where files can be read and written past the kernel's page cache by this type.</summary>
    internal static bool KnowsDirect => OperatingSystem.IsLinux();

    /// <summary>An error number in words.</summary>
    internal static string Describe(int error) => Marshal.GetPInvokeErrorMessage(error);

    private static int Descriptor(SafeFileHandle file) => (int)file.DangerousGetHandle();

    [DllImport("libc", EntryPoint = "fcntl", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Control(int descriptor, int command, nint argument);
}
