// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

internal enum StepKind
{
    Load, Store, Update, Await, ReadBarrier, WriteBarrier, FullFence, ProcessBarrier, Branch, Set, Check,
}

/// <summary>One step of a thread: at most one access to shared memory.</summary>
internal sealed record Step(StepKind Kind, string Label)
{
    internal Address Address { get; init; }

    internal Ordering Ordering { get; init; }

    /// <summary>The register for what was read (or computed, for a <see cref="StepKind.Set"/>).</summary>
    internal Register? Into { get; init; }

    /// <summary>The register for what an update wrote, or for the old value if it wrote nothing.</summary>
    internal Register? IntoNew { get; init; }

    /// <summary>The value of a store or of a register.</summary>
    internal Func<Registers, ulong>? Value { get; init; }

    /// <summary>From the latest value to the new one; null writes nothing.</summary>
    internal Func<ulong, Registers, ulong?>? Change { get; init; }

    /// <summary>The value that an <see cref="StepKind.Await"/> waits for.</summary>
    internal Func<ulong, bool>? Awaited { get; init; }

    /// <summary>When a branch is taken, or what a check demands.</summary>
    internal Func<Registers, bool>? Condition { get; init; }

    internal string? Target { get; init; }

    /// <summary>Steps that touch nothing but the thread's own registers.</summary>
    internal bool IsLocal => Kind is StepKind.Branch or StepKind.Set or StepKind.Check;
}

/// <summary>
/// The program of one thread, added step by step. A label is what the production code's comment at that
/// access says, so a trace reads as a walk through the code. Jumps go forwards or backwards to a <see cref="Target"/>;
/// each loop must be bounded or wait in an <see cref="Await"/>.
/// </summary>
internal sealed class StepwiseThread(string name, int index)
{
    private readonly List<Step> _steps = [];
    private readonly List<string> _registerNames = [];
    private readonly Dictionary<string, int> _targets = [];

    internal string Name => name;

    internal int Index => index;

    internal IReadOnlyList<Step> Steps => _steps;

    internal int RegisterCount => _registerNames.Count;

    internal int TargetOf(Step step) => _targets[step.Target!];

    internal Register Register(string registerName)
    {
        _registerNames.Add(registerName);
        return new Register(index, _registerNames.Count - 1);
    }

    internal void Load(string label, Address address, Register into, Ordering ordering = Ordering.Plain) =>
        _steps.Add(new Step(StepKind.Load, label) { Address = address, Into = into, Ordering = ordering });

    internal void Store(string label, Address address, ulong value, Ordering ordering = Ordering.Plain) =>
        Store(label, address, _ => value, ordering);

    internal void Store(
        string label, Address address, Func<Registers, ulong> value, Ordering ordering = Ordering.Plain) =>
        _steps.Add(new Step(StepKind.Store, label) { Address = address, Value = value, Ordering = ordering });

    /// <summary>A locked read-modify-write.</summary>
    internal void Update(
        string label, Address address, Func<ulong, Registers, ulong?> change, Ordering ordering = Ordering.Full,
        Register? old = null, Register? into = null) =>
        _steps.Add(new Step(StepKind.Update, label)
        {
            Address = address,
            Change = change,
            Ordering = ordering,
            Into = old,
            IntoNew = into,
        });

    /// <summary>A locked addition that returns the new value.</summary>
    internal void Add(
        string label, Address address, ulong delta, Ordering ordering = Ordering.Full, Register? into = null) =>
        Update(label, address, (old, _) => old + delta, ordering, into: into);

    /// <summary>A compare-exchange that returns the value it found.</summary>
    internal void CompareExchange(
        string label, Address address, Func<Registers, ulong> expected, Func<Registers, ulong> desired,
        Register found, Ordering ordering = Ordering.Full) =>
        Update(
            label, address, (old, registers) => old == expected(registers) ? desired(registers) : null, ordering,
            old: found);

    /// <summary>Loads again and again until the value is the one waited for.</summary>
    internal void Await(
        string label, Address address, Func<ulong, bool> awaited, Ordering ordering = Ordering.Acquire) =>
        _steps.Add(new Step(StepKind.Await, label) { Address = address, Awaited = awaited, Ordering = ordering });

    /// <summary>No earlier load is performed after any later access.</summary>
    internal void ReadBarrier(string label) => _steps.Add(new Step(StepKind.ReadBarrier, label));

    /// <summary>No later store takes effect before any earlier access.</summary>
    internal void WriteBarrier(string label) => _steps.Add(new Step(StepKind.WriteBarrier, label));

    internal void FullFence(string label) => _steps.Add(new Step(StepKind.FullFence, label));

    /// <summary>
    /// Every thread of the process fences somewhere between the start and the end of this step.
    /// </summary>
    internal void ProcessBarrier(string label) => _steps.Add(new Step(StepKind.ProcessBarrier, label));

    internal void Branch(Func<Registers, bool> condition, string target) =>
        _steps.Add(new Step(StepKind.Branch, $"go to {target}") { Condition = condition, Target = target });

    internal void GoTo(string target) => Branch(_ => true, target);

    internal void Target(string target) => _targets.Add(target, _steps.Count);

    internal void Set(Register register, Func<Registers, ulong> value) =>
        _steps.Add(new Step(StepKind.Set, "set") { Into = register, Value = value });

    /// <summary>What must hold when the thread comes here.</summary>
    internal void Check(string label, Func<Registers, bool> holds) =>
        _steps.Add(new Step(StepKind.Check, label) { Condition = holds });
}

/// <summary>What a function of a step sees: the registers of its thread.</summary>
internal sealed class Registers
{
    private ThreadState _thread = null!;

    /// <summary>
    /// True when a register was asked for whose load has not been performed: the step must wait.
    /// </summary>
    internal bool Blocked { get; private set; }

    internal ulong this[Register register]
    {
        get
        {
            if ((_thread.OpenRegisters >> register.Index & 1) == 0) return _thread.Registers[register.Index];
            Blocked = true;
            return 0;
        }
    }

    internal Registers Of(ThreadState thread)
    {
        _thread = thread;
        Blocked = false;
        return this;
    }
}

/// <summary>
/// What an invariant sees: all registers, and the last value of each word: the one that a locked operation
/// has reserved the word for, otherwise the one that has taken effect.
/// </summary>
internal sealed class World
{
    private MachineState _state = null!;

    internal ulong this[Word word]
    {
        get
        {
            foreach (ThreadState thread in _state.Threads)
                foreach (OpenAccess access in thread.Window)
                    if (access.IsExclusive && access.Word == word.Index) return access.Value;
            return _state.Latest(word.Index);
        }
    }

    internal ulong this[Register register] => _state.Threads[register.Thread].Registers[register.Index];

    internal World Of(MachineState state)
    {
        _state = state;
        return this;
    }
}
