// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>Native memory could not be had; the message says for what, how much, and why.</summary>
public sealed class NativeMemoryException : OutOfMemoryException
{
    /// <summary>Makes the exception from its complete message.</summary>
    public NativeMemoryException(string message) : base(message) { }

    /// <summary>Makes the exception from its complete message and the failure beneath it.</summary>
    public NativeMemoryException(string message, Exception innerException) : base(message, innerException) { }

    /// <summary>Makes an exception with a general message.</summary>
    public NativeMemoryException() : base("native memory could not be had") { }
}
