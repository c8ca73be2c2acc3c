// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace PerfCache.Simulation.Reports;

/// <summary>A JSON object on a line of its own. The command line has the same for what only it knows: this one is not
/// public.</summary>
internal static class JsonLine
{
    // Output goes to files and pipes, never into a page, so names keep their letters.
    private static readonly JsonWriterOptions s_options =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The line, without its end.</summary>
    /// <param name="writeMembers">Writes what is in the object.</param>
    internal static string Of(Action<Utf8JsonWriter> writeMembers)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer, s_options))
        {
            json.WriteStartObject();
            writeMembers(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
