// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Workloads;

/// <summary>One generator for the help text.</summary>
/// <param name="Name">What stands before the colon.</param>
/// <param name="Parameters">Its parameters with their defaults, as one would write them.</param>
/// <param name="Description">What it generates, in one line.</param>
public readonly record struct WorkloadInfo(string Name, string Parameters, string Description);

/// <summary>
/// A generated trace: a name and parameters that decide every request. <see cref="Start"/> as often as you
/// like; each run is the same.
/// </summary>
public sealed class Workload
{
    private const long ObjectsMax = 1L << 40;
    private const long RequestsMax = 1L << 50;
    private const double AlphaMax = 20;

    private readonly Func<RequestGenerator> _start;

    private Workload(string text, string kind, long requests, Func<RequestGenerator> start)
    {
        Text = text;
        Kind = kind;
        Requests = requests;
        _start = start;
    }

    /// <summary>The generators with their parameters and defaults.</summary>
    public static IReadOnlyList<WorkloadInfo> Kinds { get; } =
    [
        new("zipf", "objects=1000000,alpha=1.0,requests=10000000,seed=1,scatter=true",
            "object of rank r with probability ~ 1/r^alpha; scatter=false makes the rank the id"),
        new("uniform", "objects=1000000,requests=10000000,seed=1", "every object with the same probability"),
        new("loop", "objects=1000000,requests=10000000", "0 to objects-1 over and over"),
        new("scan", "objects=1000000,requests=objects", "every object once, in order"),
        new("scanhot", "hot=100000,alpha=0,scanshare=0.35,requests=10000000,seed=1,scatter=true",
            "a hot set, and a one-time scan that makes scanshare of the requests"),
        new("shift", "objects=100000,alpha=0,period=1000000,requests=10000000,seed=1,scatter=true",
            "a working set that is replaced by a new one after every period requests"),
    ];

    /// <summary>The workload as the user wrote it.</summary>
    public string Text { get; }

    /// <summary>Its name out of <see cref="Kinds"/>.</summary>
    public string Kind { get; }

    /// <summary>The number of requests.</summary>
    public long Requests { get; }

    /// <summary>Understands <c>NAME:parameter=value,...</c>.</summary>
    /// <returns>Null when <paramref name="text"/> does not begin with a generator's name and a
    /// colon.</returns>
    /// <exception cref="TraceFormatException">It does, and a parameter is wrong.</exception>
    public static Workload? TryParse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int colon = text.IndexOf(':');
        foreach (WorkloadInfo info in Kinds)
            if (colon > 0 && text.AsSpan(0, colon).SequenceEqual(info.Name))
                return Make(info.Name, text, new WorkloadParameters(info, text, text[(colon + 1)..]));
        return null;
    }

    /// <summary>Starts at the first request.</summary>
    public RequestGenerator Start() => _start();

    /// <summary>The names with their colons, for messages.</summary>
    internal static string NameList() => string.Join(", ", Kinds.Select(info => info.Name + ":"));

    private static Workload Make(string kind, string text, WorkloadParameters parameters) => kind switch
    {
        "zipf" => Zipf(text, parameters),
        "uniform" => Uniform(text, parameters),
        "loop" => Loop(text, parameters),
        "scan" => Scan(text, parameters),
        "scanhot" => ScanHot(text, parameters),
        _ => Shift(text, parameters),
    };

    private static Workload Zipf(string text, WorkloadParameters parameters)
    {
        long requests = Requested(parameters);
        ulong seed = parameters.Seed();
        Lazy<ZipfSampler> sampler = Sampler(parameters, "objects");
        return new(text, "zipf", requests, () => new ZipfGenerator(sampler.Value, seed, requests));
    }

    private static Workload Uniform(string text, WorkloadParameters parameters)
    {
        long requests = Requested(parameters);
        ulong objects = Objects(parameters, "objects");
        ulong seed = parameters.Seed();
        return new(text, "uniform", requests, () => new UniformGenerator(objects, seed, requests));
    }

    private static Workload Loop(string text, WorkloadParameters parameters)
    {
        long requests = Requested(parameters);
        ulong objects = Objects(parameters, "objects");
        return new(text, "loop", requests, () => new LoopGenerator(objects, requests));
    }

    private static Workload Scan(string text, WorkloadParameters parameters)
    {
        ulong objects = Objects(parameters, "objects");
        long requests = parameters.IsWord("requests", "objects") ? (long)objects : Requested(parameters);
        if ((ulong)requests > objects)
            throw parameters.Error($"a scan of {objects} objects has no more than so many requests");
        return new(text, "scan", requests, () => new LoopGenerator(objects, requests));
    }

    private static Workload ScanHot(string text, WorkloadParameters parameters)
    {
        long requests = Requested(parameters);
        ulong hot = Objects(parameters, "hot");
        double scanShare = parameters.Real("scanshare", 0, 1);
        ulong seed = parameters.Seed();
        Lazy<ZipfSampler> sampler = Sampler(parameters, "hot");
        return new(text, "scanhot", requests,
            () => new ScanHotGenerator(sampler.Value, hot, scanShare, seed, requests));
    }

    private static Workload Shift(string text, WorkloadParameters parameters)
    {
        long requests = Requested(parameters);
        ulong objects = Objects(parameters, "objects");
        long period = parameters.Whole("period", 1, RequestsMax);
        ulong seed = parameters.Seed();
        if ((UInt128)(ulong)(requests / period + 1) * objects > ulong.MaxValue)
            throw parameters.Error("so many sets of so many objects need ids beyond 64 bits");
        Lazy<ZipfSampler> sampler = Sampler(parameters, "objects");
        return new(text, "shift", requests,
            () => new ShiftGenerator(sampler.Value, objects, period, seed, requests));
    }

    private static long Requested(WorkloadParameters parameters) =>
        parameters.Whole("requests", 1, RequestsMax);

    private static ulong Objects(WorkloadParameters parameters, string name) =>
        (ulong)parameters.Whole(name, 1, ObjectsMax);

    // The table is made once a workload, at the first start: parsing stays cheap and every run shares it.
    private static Lazy<ZipfSampler> Sampler(WorkloadParameters parameters, string objectsName)
    {
        ulong objects = Objects(parameters, objectsName);
        double alpha = parameters.Real("alpha", 0, AlphaMax);
        ulong? scatterSeed = parameters.Flag("scatter") ? parameters.Seed() : null;
        return new Lazy<ZipfSampler>(() => new ZipfSampler(objects, alpha, scatterSeed));
    }
}
