// SPDX-License-Identifier: MIT
using System.Buffers.Text;

namespace PerfCache.Simulation.Recording;

/// <summary>Arguments and result of one call, as strace writes them.</summary>
/// <remarks>
/// Arguments are separated by commas that are outside quotes, brackets and names of files. A descriptor is
/// <c>3&lt;/path&gt;</c>, where the path's own angle brackets, quotes and line ends are escaped; <c>(deleted)</c> may follow.
/// The result follows <c>) = </c>: a number, an address, a descriptor, or <c>-1 ENOENT (...)</c>, or <c>?</c> when the
/// task ended before there was one.
/// </remarks>
internal ref struct CallArguments
{
    /// <summary>More than any call has; the lists inside brackets count as one.</summary>
    private const int Max = 8;

    private Buffer _starts;
    private Buffer _ends;
    private readonly ReadOnlySpan<byte> _text;

    private CallArguments(ReadOnlySpan<byte> text) => _text = text;

    /// <summary>The number of arguments.</summary>
    internal int Count { get; private set; }

    /// <summary>The result; negative when the call failed.</summary>
    internal long Result { get; private set; }

    /// <summary>The path that follows a result that is a descriptor, as it is escaped; empty without one.</summary>
    internal ReadOnlySpan<byte> ResultPath { get; private set; }

    /// <summary>An argument, or nothing.</summary>
    internal readonly ReadOnlySpan<byte> this[int index] =>
        index < Count ? _text[_starts[index].._ends[index]] : default;

    /// <summary>Takes a call apart.</summary>
    /// <returns>False when it has no result, or is not written as strace writes it.</returns>
    internal static bool TryParse(ReadOnlySpan<byte> text, out CallArguments arguments)
    {
        arguments = new CallArguments(text);
        int at = 0;
        int start = 0;
        int depth = 0;
        for (; at < text.Length; at++)
        {
            byte c = text[at];
            if (c == '"') at = SkipTo(text, at + 1, (byte)'"');
            else if (c == '<') at = SkipTo(text, at + 1, (byte)'>');
            else if (c == '/' && at + 1 < text.Length && text[at + 1] == '*') at = SkipComment(text, at);
            else if (c is (byte)'[' or (byte)'{' or (byte)'(') depth++;
            else if (c is (byte)']' or (byte)'}') depth--;
            else if (c == ')' && depth-- == 0) break;
            else if (c == ',' && depth == 0)
            {
                arguments.Add(start, at);
                start = at + 1;
            }

            // A quote that is not closed: the line is cut off.
            if (at >= text.Length) return false;
        }

        if (at >= text.Length) return false;
        if (at > start) arguments.Add(start, at);
        return arguments.ParseResult(text[(at + 1)..].TrimStart((byte)' '));
    }

    /// <summary>An argument as a whole number, decimal or 0x hex.</summary>
    internal readonly bool TryNumber(int index, out long number) => TryNumber(this[index], out number);

    /// <summary>A number in brackets, as strace writes what a pointer leads to: <c>[100] =&gt; [200]</c>.</summary>
    internal readonly bool TryPointedNumber(int index, out long number)
    {
        number = 0;
        ReadOnlySpan<byte> argument = this[index];
        return argument.Length > 1 && argument[0] == '[' && TryNumber(argument[1..], out number);
    }

    /// <summary>An argument that is a descriptor, with the path behind it, as it is escaped.</summary>
    internal readonly bool TryDescriptor(int index, out int descriptor, out ReadOnlySpan<byte> path) =>
        TryDescriptor(this[index], out descriptor, out path);

    /// <summary>True when an argument has the word among its flags.</summary>
    internal readonly bool Has(int index, ReadOnlySpan<byte> flag)
    {
        ReadOnlySpan<byte> argument = this[index];
        for (int at = argument.IndexOf(flag); at >= 0; at = argument.IndexOf(flag))
        {
            int end = at + flag.Length;
            bool isWord = end == argument.Length || !IsWordByte(argument[end]);
            if (isWord && (at == 0 || !IsWordByte(argument[at - 1]))) return true;
            argument = argument[end..];
        }

        return false;
    }

    /// <summary>An argument that is a string, decoded.</summary>
    internal readonly bool TryText(int index, out string text)
    {
        text = "";
        ReadOnlySpan<byte> argument = this[index];
        if (argument.Length < 2 || argument[0] != '"' || argument[^1] != '"') return false;
        text = EscapedText.Decode(argument[1..^1]);
        return true;
    }

    private static bool IsWordByte(byte c) => c == '_' || char.IsAsciiLetterOrDigit((char)c);

    private static int SkipTo(ReadOnlySpan<byte> text, int at, byte end)
    {
        while (at < text.Length && text[at] != end) at += text[at] == '\\' ? 2 : 1;
        return at;
    }

    private static int SkipComment(ReadOnlySpan<byte> text, int at)
    {
        int length = text[at..].IndexOf("*/"u8);
        return length < 0 ? text.Length : at + length + 1;
    }

    private void Add(int start, int end)
    {
        while (start < end && _text[start] == ' ') start++;
        while (end > start && _text[end - 1] == ' ') end--;
        if (Count == Max) return;
        _starts[Count] = start;
        _ends[Count++] = end;
    }

    private bool ParseResult(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty || text[0] != '=') return false;
        text = text[1..].TrimStart((byte)' ');
        if (!TryNumber(text, out long result)) return false;
        Result = result;
        if (TryDescriptor(text, out _, out ReadOnlySpan<byte> path)) ResultPath = path;
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<byte> text, out long number)
    {
        number = 0;
        if (!text.StartsWith("0x"u8)) return Utf8Parser.TryParse(text, out number, out _);
        bool isHex = Utf8Parser.TryParse(text[2..], out ulong bits, out int used, 'x') && used > 0;
        number = (long)bits;
        return isHex;
    }

    private static bool TryDescriptor(ReadOnlySpan<byte> text, out int descriptor, out ReadOnlySpan<byte> path)
    {
        path = default;
        ReadOnlySpan<byte> rest = text;
        if (text.StartsWith("AT_FDCWD"u8))
        {
            descriptor = -1;
            rest = text["AT_FDCWD"u8.Length..];
        }
        else
        {
            if (!Utf8Parser.TryParse(text, out descriptor, out int used)) return false;
            rest = text[used..];
        }

        if (rest.IsEmpty || rest[0] != '<') return true;
        int end = SkipTo(rest, 1, (byte)'>');
        if (end < rest.Length) path = rest[1..end];
        return true;
    }

    [System.Runtime.CompilerServices.InlineArray(Max)]
    private struct Buffer
    {
        private int _first;
    }
}
