// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

/// <summary>One thing that can happen next.</summary>
/// <param name="Thread">The thread it happens to.</param>
/// <param name="Window">The open access that takes effect, or -1 when the thread takes its next step.</param>
/// <param name="Choice">Which past value a load returns, or which thread fences in a process-wide
/// barrier.</param>
internal readonly record struct Transition(int Thread, int Window, int Choice)
{
    internal const int Late = -1;
    internal const int FromOwnWindow = -2;
}

/// <summary>
/// What can happen next, and what it does: the rules that the essay of <see cref="StepwiseModel"/> states.
/// </summary>
internal sealed partial class StepwiseMachine
{
    private readonly StepwiseModel _model;
    private readonly bool _weak;
    private readonly bool _storesAreSilent;
    private readonly ulong[][] _mayRead;
    private readonly ulong[] _mayReadNow;
    private readonly Registers _registers = new();
    private readonly World _world = new();

    internal StepwiseMachine(StepwiseModel model, MachineKind kind)
    {
        _model = model;
        _weak = kind == MachineKind.Weak;
        // The step of a plain store touches nothing but its thread's window, so it commutes with whatever
        // other threads do and need not be a transition of its own; but a process-wide barrier tells before
        // it from behind it.
        _storesAreSilent = model.Threads.All(
            thread => thread.Steps.All(step => step.Kind != StepKind.ProcessBarrier));
        _mayRead = [.. model.Threads.Select(thread => WordsReadFrom(thread, _weak))];
        _mayReadNow = new ulong[model.Threads.Count];
    }

    internal MachineState Initial(out string? failure)
    {
        MachineState state = new()
        {
            Memory = [.. _model.InitialValues.Select(value => new[] { new PastValue(value, 0) })],
            Threads =
            [
                .. _model.Threads.Select(thread => new ThreadState
                {
                    Registers = new ulong[thread.RegisterCount],
                    Seen = new int[_model.WordNames.Count],
                }),
            ],
        };
        failure = null;
        for (int thread = 0; thread < state.Threads.Length; thread++) failure ??= RunSilently(state, thread);
        failure ??= Finish(state);
        return state;
    }

    /// <summary>True when every thread has ended and every store has taken effect.</summary>
    internal bool IsEnd(MachineState state)
    {
        for (int thread = 0; thread < state.Threads.Length; thread++)
            if (NextStep(state, thread) is not null || state.Threads[thread].Window.Length != 0) return false;
        return true;
    }

    /// <summary>
    /// True when a locked operation holds a word that another needs: on a real machine one of them fails and
    /// tries again, which is an interleaving of its own. Any other state without a transition is a deadlock
    /// of the protocol.
    /// </summary>
    internal static bool WaitsForReservation(MachineState state) =>
        state.Threads.Any(thread => thread.Window.Any(access => access.IsExclusive));

    /// <summary>Everything that can happen next.</summary>
    internal void AddTransitions(MachineState state, List<Transition> transitions)
    {
        for (int thread = 0; thread < state.Threads.Length; thread++)
        {
            OpenAccess[] window = state.Threads[thread].Window;
            for (int at = 0; at < window.Length; at++)
                if (MayTakeEffect(state, thread, at)) transitions.Add(new Transition(thread, at, 0));
            if (NextStep(state, thread) is Step step) AddSteps(state, thread, step, transitions);
        }
    }

    /// <summary>Does what happens next.</summary>
    /// <returns>The new state, or null for one that another order of the same effects reaches as
    /// well.</returns>
    internal MachineState? Apply(MachineState before, Transition transition, out string? failure)
    {
        MachineState state = before.Clone();
        bool late = false;
        if (transition.Window >= 0)
        {
            TakeEffect(state, transition.Thread, transition.Window);
        }
        else
        {
            Step step = NextStep(state, transition.Thread)!;
            late = step.Kind == StepKind.Load && transition.Choice == Transition.Late;
            TakeStep(state, transition, step);
        }

        failure = RunSilently(state, transition.Thread);
        if (failure is null && late && GainsNothingFromLateness(state, transition.Thread)) return null;
        failure ??= Finish(state);
        return state;
    }

    /// <summary>The word that a step goes to, for the trace.</summary>
    internal int WordOf(MachineState state, int thread, Step step) =>
        step.Address.Resolve(_registers.Of(state.Threads[thread]));

    private Step? NextStep(MachineState state, int thread)
    {
        int next = state.Threads[thread].NextStep;
        IReadOnlyList<Step> steps = _model.Threads[thread].Steps;
        return next < steps.Count ? steps[next] : null;
    }

    // Words of the loads that a thread may still come to, by step.
    private static ulong[] WordsReadFrom(StepwiseThread thread, bool weak)
    {
        ulong[] words = new ulong[thread.Steps.Count + 1];
        for (bool changed = weak; changed;)
        {
            changed = false;
            for (int at = thread.Steps.Count - 1; at >= 0; at--)
            {
                Step step = thread.Steps[at];
                ulong reads = words[at + 1];
                if (step.Kind == StepKind.Branch) reads |= words[thread.TargetOf(step)];
                if (step.Kind is StepKind.Load or StepKind.Await)
                    foreach (Word word in step.Address.Words) reads |= 1UL << word.Index;
                changed |= reads != words[at];
                words[at] = reads;
            }
        }

        return words;
    }

    // Takes the steps that no other thread can tell the moment of. A step that needs an open register stays.
    private string? RunSilently(MachineState state, int thread)
    {
        ThreadState own = state.Threads[thread];
        for (int taken = 0; NextStep(state, thread) is Step step; taken++)
        {
            if (taken == 10_000)
            {
                throw new InvalidOperationException(
                    $"{_model.Name}: {_model.Threads[thread].Name} loops without an access");
            }

            Registers registers = _registers.Of(own);
            switch (step.Kind)
            {
                case StepKind.Branch:
                    bool branches = step.Condition!(registers);
                    if (registers.Blocked) return null;
                    own.NextStep = branches ? _model.Threads[thread].TargetOf(step) : own.NextStep + 1;
                    break;
                case StepKind.Check:
                    bool holds = step.Condition!(registers);
                    if (registers.Blocked) return null;
                    if (!holds) return $"{_model.Threads[thread].Name}: {step.Label}";
                    own.NextStep++;
                    break;
                case StepKind.Set:
                    ulong value = step.Value!(registers);
                    if (registers.Blocked || IsOpen(own, step.Into)) return null;
                    own.Registers[step.Into!.Value.Index] = value;
                    own.NextStep++;
                    break;
                case StepKind.Store or StepKind.WriteBarrier when _storesAreSilent:
                    if (!TryOpenStore(own, step)) return null;
                    break;
                default:
                    return null;
            }
        }

        return null;
    }

    private bool TryOpenStore(ThreadState own, Step step)
    {
        if (step.Kind == StepKind.WriteBarrier)
        {
            // Alone it has nothing to hold back.
            if (own.Window.Length > 0)
                own.Open(new OpenAccess(OpenAccessKind.WriteBarrier, 0, 0, -1, false, false, own.NextStep));
        }
        else
        {
            Registers registers = _registers.Of(own);
            int word = step.Address.Resolve(registers);
            ulong value = step.Value!(registers);
            if (registers.Blocked) return false;
            bool release = step.Ordering == Ordering.Release;
            own.Open(new OpenAccess(OpenAccessKind.Store, word, value, -1, release, false, own.NextStep));
        }

        own.NextStep++;
        return true;
    }

    // A load that stays open is a path of its own only if the thread can meanwhile do something: otherwise it
    // is the same as taking the step later.
    private bool GainsNothingFromLateness(MachineState state, int thread)
    {
        ThreadState own = state.Threads[thread];
        OpenAccess load = own.Window[^1];
        if (load.Kind != OpenAccessKind.Load) return false;
        if (NextStep(state, thread) is not Step next) return true;
        switch (next.Kind)
        {
            case StepKind.ReadBarrier or StepKind.FullFence or StepKind.ProcessBarrier:
                return true;
            case StepKind.Update:
                return IsFence(next);
            case StepKind.Load or StepKind.Await or StepKind.WriteBarrier:
                return false;
        }

        // What is left waits for some open register: is it this one?
        ulong open = own.OpenRegisters;
        own.OpenRegisters = 1UL << load.Register;
        Registers registers = _registers.Of(own);
        next.Condition?.Invoke(registers);
        next.Value?.Invoke(registers);
        if (next.Kind == StepKind.Store) next.Address.Resolve(registers);
        bool waits = registers.Blocked || IsOpen(own, next.Into);
        own.OpenRegisters = open;
        return waits;
    }

    private string? Finish(MachineState state)
    {
        World world = _world.Of(state);
        foreach ((string name, Func<World, bool> holds) in _model.Invariants)
            if (!holds(world)) return $"always: {name}";
        if (IsEnd(state))
        {
            foreach ((string name, Func<World, bool> holds) in _model.EndConditions)
                if (!holds(world)) return $"at the end: {name}";
        }

        for (int thread = 0; thread < state.Threads.Length; thread++)
            _mayReadNow[thread] = _mayRead[thread][state.Threads[thread].NextStep];
        state.Canonicalise(_mayReadNow);
        return null;
    }

    private static bool IsOpen(ThreadState own, Register? register) =>
        register is Register wanted && (own.OpenRegisters >> wanted.Index & 1) != 0;
}
