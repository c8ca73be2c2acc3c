// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

internal sealed partial class StepwiseMachine
{
    private void AddSteps(MachineState state, int thread, Step step, List<Transition> transitions)
    {
        ThreadState own = state.Threads[thread];
        Registers registers = _registers.Of(own);
        switch (step.Kind)
        {
            case StepKind.Load or StepKind.Await:
                AddLoads(state, thread, step, transitions);
                break;
            case StepKind.Update:
                int word = step.Address.Resolve(registers);
                step.Change!(state.Latest(word), registers);
                bool ready = IsFence(step)
                    ? own.Window.Length == 0 : Array.FindIndex(own.Window, access => IsTo(access, word)) < 0;
                if (ready && !registers.Blocked && !IsOpen(own, step.Into) && !IsOpen(own, step.IntoNew)
                    && !IsReserved(state, thread, word))
                    transitions.Add(new Transition(thread, -1, 0));
                break;
            case StepKind.ReadBarrier:
                if (own.OpenRegisters == 0) transitions.Add(new Transition(thread, -1, 0));
                break;
            case StepKind.FullFence:
                if (own.Window.Length == 0) transitions.Add(new Transition(thread, -1, 0));
                break;
            case StepKind.ProcessBarrier:
                if (own.Window.Length != 0) break;
                for (int other = 0; other < state.Threads.Length; other++)
                {
                    bool fenced = (own.Fenced >> other & 1) != 0;
                    if (other != thread && !fenced && state.Threads[other].Window.Length == 0)
                        transitions.Add(new Transition(thread, -1, other));
                }

                break;
            case StepKind.Store or StepKind.WriteBarrier when !_storesAreSilent:
                if (step.Kind == StepKind.Store)
                {
                    step.Address.Resolve(registers);
                    step.Value!(registers);
                }

                if (!registers.Blocked) transitions.Add(new Transition(thread, -1, 0));
                break;
        }
    }

    private void AddLoads(MachineState state, int thread, Step step, List<Transition> transitions)
    {
        ThreadState own = state.Threads[thread];
        Registers registers = _registers.Of(own);
        int word = step.Address.Resolve(registers);
        if (registers.Blocked || IsOpen(own, step.Into)) return;
        int last = Array.FindLastIndex(own.Window, access => IsTo(access, word));
        if (last >= 0)
        {
            // The newest store of its own that waits; and loads of one word are performed in order.
            OpenAccess access = own.Window[last];
            if (access.Kind == OpenAccessKind.Store && (step.Awaited is null || step.Awaited(access.Value)))
                transitions.Add(new Transition(thread, -1, Transition.FromOwnWindow));
            return;
        }

        PastValue[] history = state.Memory[word];
        int oldest = _weak ? state.OldestReadable(thread, word) : history.Length - 1;
        for (int choice = oldest; choice < history.Length; choice++)
            if (step.Awaited is null || step.Awaited(history[choice].Value))
                transitions.Add(new Transition(thread, -1, choice));
        if (_weak && step.Kind == StepKind.Load && step.Ordering == Ordering.Plain)
            transitions.Add(new Transition(thread, -1, Transition.Late));
    }

    private void TakeStep(MachineState state, Transition transition, Step step)
    {
        ThreadState own = state.Threads[transition.Thread];
        switch (step.Kind)
        {
            case StepKind.Load or StepKind.Await:
                Load(state, transition, step);
                break;
            case StepKind.Update:
                Update(state, transition.Thread, step);
                break;
            case StepKind.ReadBarrier:
                own.Floor = Math.Max(own.Floor, own.LoadedUpTo);
                break;
            case StepKind.FullFence:
                own.Floor = state.Now;
                break;
            case StepKind.ProcessBarrier:
                own.Fenced |= 1UL << transition.Choice;
                state.Threads[transition.Choice].Floor = state.Now;
                if (ulong.PopCount(own.Fenced) < (ulong)state.Threads.Length - 1) return;
                own.Fenced = 0;
                own.Floor = state.Now;
                break;
            default:
                TryOpenStore(own, step);
                return;
        }

        own.NextStep++;
    }

    private void Load(MachineState state, Transition transition, Step step)
    {
        ThreadState own = state.Threads[transition.Thread];
        int word = step.Address.Resolve(_registers.Of(own));
        int register = step.Into?.Index ?? -1;
        switch (transition.Choice)
        {
            case Transition.Late:
                own.OpenRegisters |= 1UL << register;
                own.Open(new OpenAccess(OpenAccessKind.Load, word, 0, register, false, false, own.NextStep));
                return;
            case Transition.FromOwnWindow:
                if (register >= 0) own.Registers[register] = own.Window.Last(access => IsTo(access, word)).Value;
                return;
        }

        PastValue value = state.Memory[word][transition.Choice];
        if (register >= 0) own.Registers[register] = value.Value;
        Saw(own, word, transition.Choice, value.Time);
        if (step.Ordering == Ordering.Acquire) own.Floor = Math.Max(own.Floor, value.Time);
    }

    private void Update(MachineState state, int thread, Step step)
    {
        ThreadState own = state.Threads[thread];
        int word = step.Address.Resolve(_registers.Of(own));
        PastValue latest = state.Memory[word][^1];
        ulong? changed = step.Change!(latest.Value, _registers.Of(own));
        if (step.Into is Register old) own.Registers[old.Index] = latest.Value;
        if (step.IntoNew is Register result) own.Registers[result.Index] = changed ?? latest.Value;
        Saw(own, word, state.Memory[word].Length - 1, latest.Time);
        if (IsFence(step))
        {
            if (changed is ulong written) state.Write(thread, word, written);
            own.Floor = state.Now;
            return;
        }

        bool acquires = step.Ordering is Ordering.Acquire or Ordering.AcquireRelease;
        bool releases = step.Ordering is Ordering.Release or Ordering.AcquireRelease;
        if (acquires) own.Floor = Math.Max(own.Floor, latest.Time);
        if (changed is ulong value)
            own.Open(new OpenAccess(OpenAccessKind.Store, word, value, -1, releases, true, own.NextStep));
    }

    private static void TakeEffect(MachineState state, int thread, int at)
    {
        ThreadState own = state.Threads[thread];
        OpenAccess access = own.Window[at];
        own.Close(at);
        if (access.Kind == OpenAccessKind.Store)
        {
            state.Write(thread, access.Word, access.Value);
            return;
        }

        PastValue latest = state.Memory[access.Word][^1];
        own.Registers[access.Register] = latest.Value;
        own.OpenRegisters &= ~(1UL << access.Register);
        Saw(own, access.Word, state.Memory[access.Word].Length - 1, latest.Time);
    }

    private static void Saw(ThreadState own, int word, int index, int time)
    {
        own.Seen[word] = Math.Max(own.Seen[word], index);
        own.LoadedUpTo = Math.Max(own.LoadedUpTo, time);
    }

    private bool MayTakeEffect(MachineState state, int thread, int at)
    {
        OpenAccess[] window = state.Threads[thread].Window;
        OpenAccess access = window[at];
        if (access.Kind == OpenAccessKind.WriteBarrier) return false;
        bool stores = access.Kind == OpenAccessKind.Store;
        if (stores && IsReserved(state, thread, access.Word)) return false;
        if (!_weak) return at == 0;
        for (int before = 0; before < at; before++)
        {
            OpenAccess earlier = window[before];
            if (IsTo(earlier, access.Word)) return false;
            if (stores && (access.IsRelease || earlier.Kind == OpenAccessKind.WriteBarrier)) return false;
        }

        return true;
    }

    private bool IsFence(Step step) => step.Ordering == Ordering.Full || !_weak;

    private static bool IsTo(OpenAccess access, int word) =>
        access.Kind != OpenAccessKind.WriteBarrier && access.Word == word;

    private static bool IsReserved(MachineState state, int thread, int word)
    {
        for (int other = 0; other < state.Threads.Length; other++)
        {
            if (other == thread) continue;
            foreach (OpenAccess access in state.Threads[other].Window)
                if (access.IsExclusive && access.Word == word) return true;
        }

        return false;
    }
}
