// SPDX-License-Identifier: MIT
using System.Text;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// <c>msr</c>, the MSR Cambridge traces: lines of <c>time,host,disk,Read|Write,offset,bytes,latency</c>,
/// with times in units of 100 ns. A request becomes one request for each page that it touches. The file is
/// the disk's number; disks of a second, third, ... host count on from 1024, 2048, ... because two hosts'
/// disks of one number are not one.
/// </summary>
internal sealed class MsrTraceReader(TraceInput input, TraceOptions options)
    : RangeTraceReader(input, TraceFormats.Msr, options.PageBytes)
{
    private const string Expected = "TIME,HOST,DISK,Read|Write,OFFSET,BYTES,LATENCY";
    private const int DisksPerHost = 1024;
    private const int HostsMax = int.MaxValue / DisksPerHost;

    private readonly Dictionary<string, int> _hosts = [];
    private byte[] _host = [];
    private int _hostNumber = -1;

    public override TraceColumns Columns => TraceColumns.File | TraceColumns.Time | TraceColumns.Write;

    internal override PageForm Form => PageForm.FileAndPage;

    protected override PageRun ParseLine(ReadOnlySpan<byte> line)
    {
        if (Line == 1 && char.IsAsciiLetter((char)line[0]))
            return default; // the header that some copies have
        var fields = new LineFields(line);
        ulong time = ParseNumber(Field(ref fields, line, Expected), "time");
        ReadOnlySpan<byte> host = Field(ref fields, line, Expected);
        ulong disk = ParseNumber(Field(ref fields, line, Expected), "disk number");
        bool isWrite = ParseOperation(Field(ref fields, line, Expected));
        ulong offset = ParseNumber(Field(ref fields, line, Expected), "offset");
        ulong bytes = ParseNumber(Field(ref fields, line, Expected), "length");
        if (disk >= DisksPerHost)
            throw LineError($"has the disk number {disk}; disks are numbered from 0 to {DisksPerHost - 1}");
        if (time > long.MaxValue)
            throw LineError($"has the time {time}, which is later than any clock shows");
        return Pages(offset, bytes).With(HostNumber(host) * DisksPerHost + (int)disk, (long)time, isWrite);
    }

    private bool ParseOperation(ReadOnlySpan<byte> word)
    {
        if (Ascii.EqualsIgnoreCase(word, "read"u8))
            return false;
        return Ascii.EqualsIgnoreCase(word, "write"u8)
            ? true
            : throw LineError(
                $"has the operation '{TraceInput.Excerpt(word)}' where Read or Write should be");
    }

    private int HostNumber(ReadOnlySpan<byte> host)
    {
        if (_hostNumber >= 0 && host.SequenceEqual(_host))
            return _hostNumber;
        _host = host.ToArray();
        string name = Encoding.UTF8.GetString(host);
        if (!_hosts.TryGetValue(name, out _hostNumber))
        {
            if (_hosts.Count >= HostsMax)
                throw LineError($"names one host more than the {HostsMax} that a trace may have");
            _hosts.Add(name, _hostNumber = _hosts.Count);
        }
        return _hostNumber;
    }
}
