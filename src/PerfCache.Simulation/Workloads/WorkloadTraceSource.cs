// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Workloads;

/// <summary>A workload as a trace.</summary>
internal sealed class WorkloadTraceSource(Workload workload) : ITraceSource
{
    public string Name => workload.Text;

    public bool CanReopen => true;

    public ITraceReader Open() => new Reader(workload);

    public string FormatPage(int file, ulong id) => id.ToString(CultureInfo.InvariantCulture);

    private sealed class Reader(Workload workload) : ITraceReader
    {
        private readonly RequestGenerator _generator = workload.Start();

        public string Name => workload.Text;

        public string Format => workload.Kind;

        public TraceColumns Columns => TraceColumns.None;

        public double Progress => (double)_generator.Position / _generator.Length;

        public bool Read(TraceBlock block)
        {
            block.Count = _generator.Fill(block.Ids);
            return block.Count > 0;
        }

        public void Dispose() { }
    }
}
