// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Tests.Core.Memory;

/// <summary>Makes the kernel refuse a system call, as the filters of containers do.</summary>
internal static unsafe class CallFilter
{
    internal const int MbindOnX64 = 237;

    private const int SetNoNewPrivileges = 38;
    private const int SetFilter = 22;
    private const int FilterMode = 2;
    private const ushort LoadWord = 0x20;
    private const ushort JumpIfEqual = 0x15;
    private const ushort Return = 0x06;
    private const uint Allow = 0x7FFF_0000;
    private const uint RefuseWithError = 0x0005_0000;

    /// <summary>From now on a call fails in the calling thread, which must end after the test: it cannot be undone.
    /// </summary>
    /// <exception cref="PlatformNotSupportedException">The kernel takes no filter.</exception>
    internal static void RefuseInThisThread(int call, int error)
    {
        // The number of the call is the first word of what the filter sees.
        Instruction* program = stackalloc Instruction[]
        {
            new Instruction { Code = LoadWord, Value = 0 },
            new Instruction { Code = JumpIfEqual, IfTrue = 0, IfFalse = 1, Value = (uint)call },
            new Instruction { Code = Return, Value = RefuseWithError | (uint)error },
            new Instruction { Code = Return, Value = Allow },
        };
        Program filter = new() { Length = 4, Instructions = program };
        if (Control(SetNoNewPrivileges, 1, 0, 0, 0) != 0 || Control(SetFilter, FilterMode, (nint)(&filter), 0, 0) != 0)
            throw new PlatformNotSupportedException("the kernel takes no filter of system calls");
    }

    [DllImport("libc", EntryPoint = "prctl")]
    private static extern int Control(int option, nint first, nint second, nint third, nint fourth);

    [StructLayout(LayoutKind.Sequential)]
    private struct Instruction
    {
        internal ushort Code;
        internal byte IfTrue;
        internal byte IfFalse;
        internal uint Value;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Program
    {
        internal ushort Length;
        internal Instruction* Instructions;
    }
}
