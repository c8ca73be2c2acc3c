// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Engine;

/// <summary>Where a parameter's default comes from.</summary>
public enum ParameterOrigin : byte
{
    /// <summary>Published: the source says where.</summary>
    Published,

    /// <summary>Chosen so that the model meets a published result: the source says which. What was calibrated
    /// predicts nothing about that result.</summary>
    Calibrated,

    /// <summary>Plausible, without a source.</summary>
    Assumed,
}

/// <summary>One number that a model depends on, with its unit, its range, and where it comes from.</summary>
/// <param name="Name">What it is called on the command line: words in small letters, joined by hyphens.</param>
/// <param name="Value">The value.</param>
/// <param name="Unit">The unit, for example <c>ns</c>; <c>1</c> for a ratio.</param>
/// <param name="Min">The least value that makes sense.</param>
/// <param name="Max">The largest.</param>
/// <param name="Origin">Where the default comes from.</param>
/// <param name="Source">The publication, what it was calibrated to, or why the assumption is plausible.</param>
public sealed record Parameter(
    string Name, double Value, string Unit, double Min, double Max, ParameterOrigin Origin, string Source)
{
    /// <summary>Whether only whole numbers make sense.</summary>
    public bool IsWhole { get; init; }

    /// <summary>Whether halving and doubling it says anything; not so for a seed or a size that only scales.</summary>
    public bool IsVaried { get; init; } = true;

    /// <summary>Whether the value was given by the user and is not the default.</summary>
    public bool IsOverridden { get; init; }

    /// <summary>The origin in the words of a report: who overrides a default answers for it.</summary>
    public string OriginText => IsOverridden ? "given" : Origin switch
    {
        ParameterOrigin.Published => "published",
        ParameterOrigin.Calibrated => "calibrated",
        _ => "assumed",
    };
}

/// <summary>A parameter that does not exist or a value that makes no sense; the message is a complete
/// line.</summary>
public sealed class ParameterException(string message) : Exception(message);
