// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>
/// <c>address</c>: memory accesses as lines of <c>l|s 0xHEX ...</c> (load or store; <c>r</c> and <c>w</c>
/// are taken too). The id is the address as it stands; what follows it on the line is ignored.
/// </summary>
internal sealed class AddressTraceReader(TraceInput input) : LineTraceReader(input, TraceFormats.Address)
{
    public override TraceColumns Columns => TraceColumns.Write;

    internal override PageForm Form => PageForm.Hex;

    protected override int ParseLines(ReadOnlySpan<byte> lines, TraceBlock block)
    {
        bool wantsWrites = block.Writes.Length > 0;
        int count = 0;
        int at = 0;
        while (at < lines.Length && count < block.Capacity)
        {
            ReadOnlySpan<byte> line = LineFields.NextLine(lines, ref at);
            if (ParseLine(line, out ulong address, out bool isWrite))
            {
                block.Ids[count] = address;
                if (wantsWrites)
                    block.Writes[count] = isWrite;
                count++;
            }
            Line++;
        }
        block.Count = count;
        return at;
    }

    private bool ParseLine(ReadOnlySpan<byte> line, out ulong address, out bool isWrite)
    {
        (address, isWrite) = (0, false);
        var fields = new LineFields(line);
        ReadOnlySpan<byte> operation = fields.NextWord();
        if (operation.IsEmpty || operation[0] == '#')
            return false;
        isWrite = operation switch
        {
            [(byte)'l' or (byte)'r' or (byte)'L' or (byte)'R'] => false,
            [(byte)'s' or (byte)'w' or (byte)'S' or (byte)'W'] => true,
            _ => throw LineError(
                $"has the operation '{TraceInput.Excerpt(operation)}' where l (load) or s (store) " +
                "should be"),
        };
        ReadOnlySpan<byte> word = fields.NextWord();
        return AsciiNumber.ParseHex(word, out address) switch
        {
            NumberStatus.Ok => true,
            NumberStatus.Overflow =>
                throw LineError($"has the address {TraceInput.Excerpt(word)}, which is larger " +
                "than 64 bits"),
            _ => throw LineError(
                $"has '{TraceInput.Excerpt(word)}' where a hexadecimal address such as 0x1ff0 " +
                "should be"),
        };
    }
}
