// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Borrowing;

/// <summary>The servers behind borrowed memory.</summary>
public sealed partial class BorrowedMemory
{
    private IPageFleet MakeFleet() => throw new NotSupportedException("to be merged with the fleet");
}
