// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;

namespace PerfCache.Tests.Models.Stepwise;

internal enum ExplorationOutcome
{
    /// <summary>Every reachable state was visited and none broke anything.</summary>
    Holds,

    /// <summary>
    /// An interleaving breaks a check, an invariant or an end condition, or ends in a deadlock.
    /// </summary>
    Broken,

    /// <summary>The bound on states or time came first: nothing is known.</summary>
    Bounded,
}

/// <summary>What an exploration found.</summary>
internal sealed record Exploration(
    string Model, ExplorationOutcome Outcome, int StateCount, double Seconds, string Failure,
    IReadOnlyList<string> Trace)
{
    /// <summary>One line, and the shortest interleaving that breaks something.</summary>
    public override string ToString()
    {
        string line = string.Create(
            CultureInfo.InvariantCulture, $"{Model}: {Outcome}, {StateCount:N0} states, {Seconds:F2} s");
        return Outcome == ExplorationOutcome.Holds
            ? line : string.Join('\n', [$"{line}: {Failure}", .. Trace.Select(step => "    " + step)]);
    }
}

/// <summary>Visits every state that a model can reach, once each.</summary>
/// <remarks>
/// Breadth first, so the trace of a failure is the shortest there is. States are told apart by a 128-bit hash
/// (a million states collide with a probability below 10^-26), and only the states of the frontier are kept
/// whole; a trace is replayed from the start. The order is fixed: the same model gives the same count and the
/// same trace each time.
/// </remarks>
internal static class StepwiseExplorer
{
    internal static Exploration Explore(
        StepwiseModel model, MachineKind kind = MachineKind.Weak, int stateMax = 2_000_000, double secondsMax = 60,
        Action<World>? atEnd = null)
    {
        long started = Stopwatch.GetTimestamp();
        StepwiseMachine machine = new(model, kind);
        HashSet<UInt128> visited = [];
        List<(int Parent, Transition Transition)> paths = [(-1, default)];
        Queue<(MachineState State, int Path)> frontier = new();
        List<Transition> transitions = [];
        World world = new();

        Exploration Result(ExplorationOutcome outcome, string failure, int path)
        {
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            List<string> trace = Replay(machine, model, paths, path);
            return new Exploration(model.Name, outcome, visited.Count, seconds, failure, trace);
        }

        MachineState first = machine.Initial(out string? failure);
        if (failure is not null) return Result(ExplorationOutcome.Broken, failure, 0);
        visited.Add(first.Hash());
        frontier.Enqueue((first, 0));
        while (frontier.TryDequeue(out (MachineState State, int Path) current))
        {
            transitions.Clear();
            machine.AddTransitions(current.State, transitions);
            if (transitions.Count == 0)
            {
                if (machine.IsEnd(current.State)) atEnd?.Invoke(world.Of(current.State));
                else if (!StepwiseMachine.WaitsForReservation(current.State))
                    return Result(ExplorationOutcome.Broken, "deadlock: nobody can go on", current.Path);
            }

            foreach (Transition transition in transitions)
            {
                MachineState? next = machine.Apply(current.State, transition, out failure);
                if (next is null || (failure is null && !visited.Add(next.Hash()))) continue;
                paths.Add((current.Path, transition));
                if (failure is not null) return Result(ExplorationOutcome.Broken, failure, paths.Count - 1);
                if (visited.Count > stateMax)
                    return Result(ExplorationOutcome.Bounded, $"more than {stateMax} states", 0);
                frontier.Enqueue((next, paths.Count - 1));
            }

            if ((visited.Count & 1023) == 0 && Stopwatch.GetElapsedTime(started).TotalSeconds > secondsMax)
                return Result(ExplorationOutcome.Bounded, $"more than {secondsMax} seconds", 0);
        }

        return Result(ExplorationOutcome.Holds, "", 0);
    }

    private static List<string> Replay(
        StepwiseMachine machine, StepwiseModel model, List<(int Parent, Transition Transition)> paths, int path)
    {
        Stack<Transition> forward = [];
        for (; path > 0; path = paths[path].Parent) forward.Push(paths[path].Transition);
        List<string> trace = [];
        MachineState state = machine.Initial(out _);
        foreach (Transition transition in forward)
        {
            MachineState next = machine.Apply(state, transition, out _)!;
            trace.Add(Describe(machine, model, state, transition, next));
            state = next;
        }

        return trace;
    }

    private static string Describe(
        StepwiseMachine machine, StepwiseModel model, MachineState before, Transition transition, MachineState after)
    {
        StepwiseThread thread = model.Threads[transition.Thread];
        ThreadState own = before.Threads[transition.Thread];
        if (transition.Window >= 0)
        {
            OpenAccess access = own.Window[transition.Window];
            string label = thread.Steps[access.Step].Label;
            return access.Kind == OpenAccessKind.Store
                ? $"{thread.Name}  {label}: {Value(model, access.Word, access.Value)} takes effect"
                    + (transition.Window > 0 ? ", before earlier accesses" : "")
                : $"{thread.Name}  {label}: reads late {Value(model, access.Word, before.Latest(access.Word))}";
        }

        Step step = thread.Steps[own.NextStep];
        string start = $"{thread.Name}  {step.Label}";
        if (step.Kind == StepKind.ProcessBarrier) return $"{start}: {model.Threads[transition.Choice].Name} fences";
        if (step.Kind is not (StepKind.Load or StepKind.Await or StepKind.Update or StepKind.Store)) return start;
        int word = machine.WordOf(before, transition.Thread, step);
        if (step.Kind == StepKind.Store) return $"{start}: waits in the window";
        if (step.Kind == StepKind.Update)
        {
            bool open = after.Threads[transition.Thread].Window.Any(
                access => access.IsExclusive && access.Word == word && access.Step == own.NextStep);
            return $"{start}: {Value(model, word, before.Latest(word))}"
                + (open ? ", the store waits" : $" -> {model.Format(word, after.Latest(word))}");
        }

        return transition.Choice switch
        {
            Transition.Late => $"{start}: stays open",
            Transition.FromOwnWindow => $"{start}: {model.WordNames[word]} from its own waiting store",
            int choice when choice == before.Memory[word].Length - 1 =>
                $"{start}: reads {Value(model, word, before.Latest(word))}",
            int choice => $"{start}: reads {Value(model, word, before.Memory[word][choice].Value)}, "
                + $"stale: now {model.Format(word, before.Latest(word))}",
        };
    }

    private static string Value(StepwiseModel model, int word, ulong value) =>
        $"{model.WordNames[word]} = {model.Format(word, value)}";
}
