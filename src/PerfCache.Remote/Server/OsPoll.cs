// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace PerfCache.Remote.Server;

/// <summary>Waits for many sockets at once: the system's epoll, level-triggered, and a way to be woken.</summary>
/// <remarks>
/// The runtime's own sockets wait in the same way, but hand what is ready to its thread pool; a reply then costs a
/// change of threads. Here the thread that waits is the one that serves. Linux only.
/// </remarks>
internal sealed class OsPoll : IDisposable
{
    /// <summary>There is something to read, or somebody to accept.</summary>
    internal const uint Readable = 0x001;

    /// <summary>There is room to write.</summary>
    internal const uint Writable = 0x004;

    private const int Add = 1;
    private const int Delete = 2;
    private const int Modify = 3;
    private const int CloseOnExec = 0x80000;
    private const int EventsMax = 256;
    private const long WakeId = -1;

    // The structure is packed on x86 and on no other processor.
    private static readonly int s_idOffset =
        RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.X86 ? 4 : 8;

    private static readonly int s_eventBytes = s_idOffset + sizeof(long);

    private readonly byte[] _events = GC.AllocateArray<byte>(EventsMax * s_eventBytes, pinned: true);
    private readonly byte[] _change = new byte[s_eventBytes];
    private readonly int _epoll;
    private readonly int _wake;

    internal OsPoll()
    {
        if (!OperatingSystem.IsLinux())
            throw new PlatformNotSupportedException("lender: waiting for sockets needs epoll; run it on Linux");
        _epoll = EpollCreate(CloseOnExec);
        _wake = EventFd(0, CloseOnExec);
        if (_epoll < 0 || _wake < 0) throw new IOException("lender: the system gives no descriptors to wait with");
        Control(Add, _wake, Readable, WakeId);
    }

    /// <summary>Begins to watch a descriptor.</summary>
    /// <param name="descriptor">The socket's.</param>
    /// <param name="interest">What to wait for.</param>
    /// <param name="id">What <see cref="Id"/> will say; not negative.</param>
    internal void Watch(nint descriptor, uint interest, long id) => Control(Add, (int)descriptor, interest, id);

    /// <summary>Waits for something else from now on.</summary>
    internal void Change(nint descriptor, uint interest, long id) => Control(Modify, (int)descriptor, interest, id);

    /// <summary>Watches no longer.</summary>
    internal void Forget(nint descriptor) => Control(Delete, (int)descriptor, 0, 0);

    /// <summary>Waits.</summary>
    /// <returns>How many descriptors are ready.</returns>
    internal int Wait(int timeoutMillis) => Math.Max(0, EpollWait(_epoll, _events, EventsMax, timeoutMillis));

    /// <summary>Whose turn it is; -1 when somebody called <see cref="Wake"/>.</summary>
    internal long Id(int ready) =>
        BinaryPrimitives.ReadInt64LittleEndian(_events.AsSpan((ready * s_eventBytes) + s_idOffset));

    /// <summary>What is there: also errors and the end, which show when the descriptor is read.</summary>
    internal uint Interest(int ready) => BinaryPrimitives.ReadUInt32LittleEndian(_events.AsSpan(ready * s_eventBytes));

    /// <summary>Ends a wait, from any thread.</summary>
    internal void Wake()
    {
        ulong one = 1;
        _ = Write(_wake, ref one, sizeof(ulong));
    }

    /// <summary>Takes note of having been woken.</summary>
    internal void Woken()
    {
        ulong count = 0;
        _ = Read(_wake, ref count, sizeof(ulong));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ = Close(_epoll);
        _ = Close(_wake);
    }

    private void Control(int operation, int descriptor, uint interest, long id)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_change, interest);
        BinaryPrimitives.WriteInt64LittleEndian(_change.AsSpan(s_idOffset), id);
        if (EpollControl(_epoll, operation, descriptor, _change) != 0 && operation != Delete)
            throw new IOException("lender: the system refuses to watch another socket");
    }

    [DllImport("libc", EntryPoint = "epoll_create1")]
    private static extern int EpollCreate(int flags);

    [DllImport("libc", EntryPoint = "epoll_ctl")]
    private static extern int EpollControl(int epoll, int operation, int descriptor, byte[] change);

    [DllImport("libc", EntryPoint = "epoll_wait")]
    private static extern int EpollWait(int epoll, byte[] events, int eventsMax, int timeoutMillis);

    [DllImport("libc", EntryPoint = "eventfd")]
    private static extern int EventFd(uint initial, int flags);

    [DllImport("libc", EntryPoint = "read")]
    private static extern nint Read(int descriptor, ref ulong value, nint bytes);

    [DllImport("libc", EntryPoint = "write")]
    private static extern nint Write(int descriptor, ref ulong value, nint bytes);

    [DllImport("libc", EntryPoint = "close")]
    private static extern int Close(int descriptor);
}
