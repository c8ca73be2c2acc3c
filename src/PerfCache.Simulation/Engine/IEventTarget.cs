// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Engine;

/// <summary>
/// What an event of the queue calls. One object handles all events of a model; a number says which kind it is
/// and another carries what it is about, so that scheduling allocates nothing.
/// </summary>
public interface IEventTarget
{
    /// <summary>Handles an event that is due.</summary>
    /// <param name="nowNanos">The virtual time, in nanoseconds since the start of the run.</param>
    /// <param name="kind">What happens, as the handler numbered it when it scheduled the event.</param>
    /// <param name="argument">What it happens to: an index, an address, a count.</param>
    void Handle(long nowNanos, int kind, long argument);
}

/// <summary>
/// Names one scheduled event, so that it can be cancelled. A default ticket names none. Tickets stay harmless
/// for ever: when the event has run or was cancelled, its ticket names nothing any more.
/// </summary>
public readonly record struct EventTicket
{
    internal EventTicket(int slot, long sequence) => (Slot, Sequence) = (slot, sequence);

    internal int Slot { get; }

    /// <summary>The event's number among all scheduled ones; 0 in a default ticket.</summary>
    internal long Sequence { get; }
}
