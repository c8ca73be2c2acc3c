// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Buffers.Text;

namespace PerfCache.Simulation.Recording;

/// <summary>What a line of strace tells.</summary>
internal enum LineKind
{
    /// <summary>Not a line that strace writes, or one that was cut off.</summary>
    Unknown,

    /// <summary>A system call with its result.</summary>
    Call,

    /// <summary>A call whose result comes later, on a line of <see cref="Resumed"/>.</summary>
    Unfinished,

    /// <summary>The rest of a call that was unfinished.</summary>
    Resumed,

    /// <summary>The task has ended.</summary>
    Exited,

    /// <summary>The task is gone, because another thread of its process executed a program and took its number.</summary>
    Superseded,

    /// <summary>A signal, or another note that moves no page.</summary>
    Note,
}

/// <summary>A line of <c>strace -f -o</c>, taken apart as far as its kind.</summary>
/// <remarks>
/// <code>
/// 4711 read(3&lt;/data/a&gt;, ""..., 4096) = 4096
/// 4711 read(3&lt;/data/a&gt;,  &lt;unfinished ...&gt;         another task comes in between
/// 4711 &lt;... read resumed&gt;""..., 4096) = 4096       both texts together are the line that it would have been
/// 4711 +++ exited with 0 +++
/// 4711 +++ superseded by execve in pid 4712 +++
/// 4711 --- SIGCHLD {...} ---
/// </code>
/// Every line begins with the number of the task (a thread has its own). Bytes that are not printable are escaped, in
/// names of files too, so a line is ASCII and has no line end inside. What it refers to lives as long as the line.
/// </remarks>
internal readonly ref struct SystemCallLine
{
    private const int NameBytesMax = 32;

    private static readonly SearchValues<byte> s_nameBytes =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"u8);

    private SystemCallLine(LineKind kind, int task, ReadOnlySpan<byte> name, ReadOnlySpan<byte> text, int other = 0)
    {
        Kind = kind;
        Task = task;
        Name = name;
        Text = text;
        OtherTask = other;
    }

    internal LineKind Kind { get; }

    /// <summary>The number of the thread.</summary>
    internal int Task { get; }

    /// <summary>The name of the call.</summary>
    internal ReadOnlySpan<byte> Name { get; }

    /// <summary>What follows the opening parenthesis: arguments and result; of a resumed call, what was missing.</summary>
    internal ReadOnlySpan<byte> Text { get; }

    /// <summary>Of a superseded task: the thread that executed a program.</summary>
    internal int OtherTask { get; }

    /// <summary>Takes a line apart. Never fails: what cannot be understood is <see cref="LineKind.Unknown"/>.</summary>
    internal static SystemCallLine Parse(ReadOnlySpan<byte> line)
    {
        line = line.TrimEnd("\r\n "u8);
        if (!Utf8Parser.TryParse(line, out int task, out int digits) || task <= 0) return default;
        ReadOnlySpan<byte> rest = line[digits..];
        if (rest.IsEmpty || rest[0] != ' ') return default;
        rest = rest.TrimStart((byte)' ');
        if (rest.StartsWith("<... "u8)) return ParseResumed(task, rest["<... "u8.Length..]);
        if (rest.StartsWith("+++ "u8)) return ParseEnd(task, rest["+++ "u8.Length..]);
        if (rest.StartsWith("--- "u8)) return new(LineKind.Note, task, default, rest);

        int open = rest.IndexOf((byte)'(');
        if (open <= 0 || !IsName(rest[..open])) return default;
        ReadOnlySpan<byte> text = rest[(open + 1)..];
        ReadOnlySpan<byte> mark = "<unfinished ...>"u8;
        return text.EndsWith(mark)
            ? new(LineKind.Unfinished, task, rest[..open], text[..^mark.Length])
            : new(LineKind.Call, task, rest[..open], text);
    }

    private static SystemCallLine ParseResumed(int task, ReadOnlySpan<byte> rest)
    {
        int space = rest.IndexOf((byte)' ');
        if (space <= 0 || !IsName(rest[..space])) return default;
        ReadOnlySpan<byte> mark = " resumed>"u8;
        ReadOnlySpan<byte> after = rest[space..];
        return after.StartsWith(mark) ? new(LineKind.Resumed, task, rest[..space], after[mark.Length..]) : default;
    }

    private static SystemCallLine ParseEnd(int task, ReadOnlySpan<byte> rest)
    {
        if (rest.StartsWith("exited"u8) || rest.StartsWith("killed"u8)) return new(LineKind.Exited, task, default, rest);
        ReadOnlySpan<byte> superseded = "superseded by execve in pid "u8;
        return rest.StartsWith(superseded) && Utf8Parser.TryParse(rest[superseded.Length..], out int other, out _)
            ? new(LineKind.Superseded, task, default, rest, other)
            : new(LineKind.Note, task, default, rest);
    }

    private static bool IsName(ReadOnlySpan<byte> name) =>
        name.Length <= NameBytesMax && name.IndexOfAnyExcept(s_nameBytes) < 0;
}
