// SPDX-License-Identifier: MIT
using System.Globalization;
using System.IO.Compression;
using PerfCache.Tests.Repository;

namespace PerfCache.Tests.Judges;

/// <summary>
/// Measurements from outside the repository, found through PERFCACHE_JUDGES (default: shared/ beside the checkout).
/// A test that needs one skips with a message where it is absent.
/// </summary>
internal static class JudgeFiles
{
    private static readonly Dictionary<string, Trace> s_traces = [];

    internal static string Root { get; } =
        Environment.GetEnvironmentVariable("PERFCACHE_JUDGES") ?? Path.Combine(RepositoryTree.Root, "..", "shared");

    internal static string Require(params string[] path)
    {
        string full = Path.Combine([Root, .. path]);
        if (!File.Exists(full))
            Assert.Ignore($"judge {full} is absent; set PERFCACHE_JUDGES to the folder that has it");
        return full;
    }

    /// <summary>The rows of a CSV file as dictionaries by column; empty where the file is absent.</summary>
    internal static IEnumerable<Dictionary<string, string>> Rows(params string[] path)
    {
        string full = Path.Combine([Root, .. path]);
        if (!File.Exists(full)) yield break;
        string[] lines = File.ReadAllLines(full);
        string[] names = lines[0].Split(',');
        foreach (string line in lines.Skip(1))
            yield return names.Zip(line.Split(',')).ToDictionary(pair => pair.First, pair => pair.Second);
    }

    /// <summary>The part of the accesses that the kernel and <paramref name="outcomes"/> judge alike.</summary>
    internal static double KernelAgreement(ReadOnlySpan<byte> outcomes, string name, long frames)
    {
        byte[] kernel = ReadGzip(Require("kernel-oracle", "outcomes", $"{name}.{frames}.gz"));
        byte[] judged = Array.FindAll(kernel, letter => letter is not (byte)'\n');
        Assert.That(outcomes.Length, Is.EqualTo(judged.Length), "one outcome a request");
        int alike = 0;
        for (int i = 0; i < outcomes.Length; i++)
            if ((judged[i] == (byte)'h') == (outcomes[i] == (byte)'h')) alike++;
        return (double)alike / outcomes.Length;
    }

    /// <summary>
    /// How alike the kernel's resident pages and <paramref name="resident"/> are, from 0 to 1; null where the
    /// kernel's were not measured.
    /// </summary>
    internal static double? KernelJaccard(IReadOnlySet<string> resident, string name, long frames)
    {
        string path = Path.Combine(Root, "kernel-oracle", "resident", $"{name}.{frames}.gz");
        if (!File.Exists(path)) return null;
        HashSet<string> kernels = [.. ReadGzipLines(path)];
        int both = resident.Count(kernels.Contains);
        return (double)both / (resident.Count + kernels.Count - both);
    }

    internal static byte[] ReadGzip(string path)
    {
        using GZipStream gzip = new(File.OpenRead(path), CompressionMode.Decompress);
        using MemoryStream bytes = new();
        gzip.CopyTo(bytes);
        return bytes.ToArray();
    }

    internal static string[] ReadGzipLines(string path) =>
        System.Text.Encoding.ASCII.GetString(ReadGzip(path)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>A trace of the kernel judge, its pages numbered per leaf by a dictionary of our own here.</summary>
    internal static Trace KernelTrace(string name)
    {
        if (s_traces.TryGetValue(name, out Trace? known)) return known;
        string[] lines = ReadGzipLines(Require("kernel-oracle", "traces", name + ".txt.gz"));
        Dictionary<(int, ulong), uint> leaves = [];
        Trace trace = new(new uint[lines.Length], new int[lines.Length], []);
        for (int i = 0; i < lines.Length; i++)
        {
            string[] words = lines[i].Split(' ');
            int file = words.Length > 1 ? int.Parse(words[0], CultureInfo.InvariantCulture) : 0;
            ulong page = ulong.Parse(words[^1], CultureInfo.InvariantCulture);
            if (!leaves.TryGetValue((file, page >> 6), out uint leaf))
                leaves.Add((file, page >> 6), leaf = (uint)leaves.Count);
            trace.Pages[i] = (leaf << 6) | (uint)(page & 63);
            trace.Files[i] = file;
            trace.Lines[trace.Pages[i]] = lines[i];
        }

        return s_traces[name] = trace;
    }

    /// <summary>Requests with pages numbered per leaf, and the line that names each page.</summary>
    internal sealed record Trace(uint[] Pages, int[] Files, Dictionary<uint, string> Lines);
}
