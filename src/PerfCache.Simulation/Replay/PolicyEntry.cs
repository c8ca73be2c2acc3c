// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Policies.Replacement;

namespace PerfCache.Simulation.Replay;

/// <summary>A parameter of a policy.</summary>
/// <param name="Name">Its name on the command line, in lower case.</param>
/// <param name="Help">One line for help: what it is, its range, and its default in parentheses.</param>
public readonly record struct PolicyParameter(string Name, string Help);

/// <summary>One policy of a <see cref="PolicyCatalog"/>: its name, its help, and how its rule is made.</summary>
/// <remarks>
/// The rule's type is known where an entry is made and nowhere else, so everything that must be compiled for it (a cell
/// of a replay, a live cell) is made by the entry.
/// </remarks>
public sealed class PolicyEntry
{
    private readonly Func<PolicySpec, uint, ReplayCell> _createCell;
    private readonly Action<PolicySpec> _checkParameters;
    private readonly Func<PolicySpec, PageCacheOptions, IPageSource, LiveOptions, LiveCell>? _createLive;

    private PolicyEntry(
        string name, string summary, IReadOnlyList<PolicyParameter> parameters, PageNumbering numbering,
        Func<PolicySpec, uint, ReplayCell> createCell, Action<PolicySpec> checkParameters,
        Func<PolicySpec, PageCacheOptions, IPageSource, LiveOptions, LiveCell>? createLive)
    {
        Name = name;
        Summary = summary;
        Parameters = parameters;
        Numbering = numbering;
        _createCell = createCell;
        _checkParameters = checkParameters;
        _createLive = createLive;
    }

    /// <summary>Its name on the command line.</summary>
    public string Name { get; }

    /// <summary>One line for help.</summary>
    public string Summary { get; }

    /// <summary>Its parameters.</summary>
    public IReadOnlyList<PolicyParameter> Parameters { get; }

    /// <summary>How it wants pages numbered.</summary>
    public PageNumbering Numbering { get; }

    /// <summary>True when it decides hits without a lock, so that it can run in a <see cref="PageCache{TRules}"/>.</summary>
    public bool RunsLive => _createLive is not null;

    /// <summary>True when its cells must be told each request's next use (<see cref="ReplayRequests.NextUses"/>).</summary>
    public bool NeedsNextUses { get; private init; }

    /// <summary>Makes the entry of a rule that decides hits by the state word (<see cref="IFlagRules"/>): it replays, and
    /// runs live.</summary>
    /// <param name="name">Its name on the command line, in lower case.</param>
    /// <param name="summary">One line for help.</param>
    /// <param name="make">Makes the rule with the user's parameters; throws <see cref="FormatException"/> for values that
    /// make no sense (the Get verbs of <see cref="PolicySpec"/> do).</param>
    /// <param name="parameters">Its parameters.</param>
    /// <param name="numbering">How it wants pages numbered.</param>
    public static PolicyEntry ForFlagRules<TRules>(
        string name, string summary, Func<PolicySpec, TRules> make, IReadOnlyList<PolicyParameter>? parameters = null,
        PageNumbering numbering = PageNumbering.Dense) where TRules : struct, IFlagRules =>
        new(name, summary, parameters ?? [], numbering,
            (spec, frames) => new CacheReplayCell<TRules>(spec.Text, frames, numbering, make(spec)),
            spec => make(spec),
            (spec, options, source, live) => new LiveCell<TRules>(numbering, options, make(spec), source, live));

    /// <summary>Makes the entry of a rule that moves pages on every hit (<see cref="IListRules"/>): it replays.</summary>
    /// <inheritdoc cref="ForFlagRules"/>
    public static PolicyEntry ForListRules<TRules>(
        string name, string summary, Func<PolicySpec, TRules> make, IReadOnlyList<PolicyParameter>? parameters = null,
        PageNumbering numbering = PageNumbering.Dense) where TRules : struct, IListRules =>
        new(name, summary, parameters ?? [], numbering,
            (spec, frames) => new CacheReplayCell<TRules>(spec.Text, frames, numbering, make(spec)),
            spec => make(spec), createLive: null);

    /// <summary>Makes the entry of a rule that knows the future: as <see cref="ForListRules"/>, and the trace is held in
    /// memory, because it is read backwards first.</summary>
    /// <param name="name">Its name on the command line, in lower case.</param>
    /// <param name="summary">One line for help.</param>
    /// <param name="make">Makes the rule, which takes the next use of each request from the object that it gets.</param>
    /// <param name="parameters">Its parameters.</param>
    public static PolicyEntry ForClairvoyantRules<TRules>(
        string name, string summary, Func<PolicySpec, NextUses, TRules> make,
        IReadOnlyList<PolicyParameter>? parameters = null) where TRules : struct, IListRules =>
        new(name, summary, parameters ?? [], PageNumbering.Dense,
            (spec, frames) =>
            {
                NextUses nextUses = new();
                return new CacheReplayCell<TRules>(
                    spec.Text, frames, PageNumbering.Dense, make(spec, nextUses), nextUses);
            },
            spec => make(spec, new NextUses()), createLive: null)
        {
            NeedsNextUses = true,
        };

    /// <summary>Checks the names and values of a policy's parameters.</summary>
    /// <exception cref="FormatException">One is not the policy's, or its value makes no sense.</exception>
    internal void CheckParameters(PolicySpec spec)
    {
        foreach (string name in spec.ParameterNames)
        {
            if (Parameters.Any(parameter => parameter.Name == name)) continue;
            string known = Parameters.Count == 0
                ? "it has none" : "it has " + string.Join(", ", Parameters.Select(parameter => parameter.Name));
            throw new FormatException($"policy '{spec.Text}': there is no parameter '{name}'; {known}");
        }

        _checkParameters(spec);
    }

    internal ReplayCell CreateCell(PolicySpec spec, uint frames) => _createCell(spec, frames);

    internal LiveCell CreateLive(
        PolicySpec spec, PageCacheOptions options, IPageSource source, LiveOptions live) =>
        _createLive!(spec, options, source, live);
}
