// SPDX-License-Identifier: MIT
namespace PerfCache.Native;

/// <summary>A failure that has its status already; it never leaves this library.</summary>
internal sealed class AbiException(AbiStatus status, string message) : Exception(message)
{
    internal AbiStatus Status { get; } = status;

    /// <summary>The status of whatever was thrown.</summary>
    internal static AbiStatus StatusOf(Exception failure) => failure switch
    {
        AbiException abi => abi.Status,
        ObjectDisposedException or OperationCanceledException => AbiStatus.Closed,
        ArgumentException => AbiStatus.BadArgument,
        TimeoutException => AbiStatus.Timeout,
        OutOfMemoryException => AbiStatus.NoMemory,
        IOException or UnauthorizedAccessException => AbiStatus.Io,
        InvalidOperationException => AbiStatus.Refused,
        _ => AbiStatus.Internal,
    };

    internal static AbiException BadArgument(string message) => new(AbiStatus.BadArgument, message);

    internal static AbiException NullPointer(string argument) => BadArgument($"{argument} is a null pointer");
}
