// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>
/// Bad input: one line that says what is wrong, where (file, and line or byte offset) and what was
/// expected. The command line prints <see cref="Exception.Message"/> as it is and exits with code 2.
/// </summary>
public sealed class TraceFormatException : Exception
{
    /// <summary>Makes the exception from the complete line to show.</summary>
    public TraceFormatException(string message) : base(message) { }

    /// <summary>Makes the exception from the complete line to show and the failure beneath it.</summary>
    public TraceFormatException(string message, Exception innerException) : base(message, innerException) { }

    /// <summary>Makes an exception without a line; only for serializers and analyzers' sake.</summary>
    public TraceFormatException() : base("the trace is not readable") { }
}
