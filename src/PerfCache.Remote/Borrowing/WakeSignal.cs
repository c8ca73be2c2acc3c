// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace PerfCache.Remote.Borrowing;

/// <summary>Ends somebody's wait from any thread.</summary>
internal sealed class WakeSignal : IDisposable
{
    private const int CloseOnExec = 0x80000;
    private const int NonBlocking = 0x800;

    private readonly SafeFileHandle _handle;
    private int _isAsleep;

    internal WakeSignal()
    {
        if (!OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException("fleet: waiting for sockets needs Linux; run it there");
        int descriptor = EventFd(0, CloseOnExec | NonBlocking);
        if (descriptor < 0) throw new IOException("fleet: the system gives no descriptor to wait with");
        _handle = new SafeFileHandle(descriptor, ownsHandle: true);
        Descriptor = descriptor;
    }

    /// <summary>What to wait for.</summary>
    internal nint Descriptor { get; }

    /// <summary>
    /// The waiter is about to wait. It must look for work once more after this: whoever brings some later sees that it
    /// sleeps, and whoever brought it before is seen.
    /// </summary>
    internal void FallAsleep()
    {
        Volatile.Write(ref _isAsleep, 1);
        Interlocked.MemoryBarrier();
    }

    /// <summary>The waiter waits no more.</summary>
    internal void WakeUp()
    {
        if (Interlocked.Exchange(ref _isAsleep, 0) == 1) return;
        // Somebody has rung: take note, or the next wait ends at once.
        ulong count = 0;
        _ = Read(_handle, ref count, sizeof(ulong));
    }

    /// <summary>There is work: wakes the waiter if it sleeps. A look at one word otherwise.</summary>
    internal void Ring()
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _isAsleep) == 0 || Interlocked.Exchange(ref _isAsleep, 0) == 0) return;
        ulong one = 1;
        try
        {
            _ = Write(_handle, ref one, sizeof(ulong));
        }
        catch (ObjectDisposedException)
        {
            // Whoever slept is gone for good.
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    [DllImport("libc", EntryPoint = "eventfd")]
    private static extern int EventFd(uint initial, int flags);

    [DllImport("libc", EntryPoint = "read")]
    private static extern nint Read(SafeFileHandle handle, ref ulong value, nint bytes);

    [DllImport("libc", EntryPoint = "write")]
    private static extern nint Write(SafeFileHandle handle, ref ulong value, nint bytes);
}
