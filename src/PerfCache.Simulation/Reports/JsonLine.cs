// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace PerfCache.Simulation.Reports;

/// <summary>A JSON object on a line of its own, as every command's <c>--json</c> writes them.</summary>
public static class JsonLine
{
    // Output goes to files, pipes and people, never into a page, so names keep their letters.
    private static readonly JsonWriterOptions s_options =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The line, without its end.</summary>
    /// <param name="writeMembers">Writes what is in the object.</param>
    public static string Of(Action<Utf8JsonWriter> writeMembers)
    {
        ArgumentNullException.ThrowIfNull(writeMembers);
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer, s_options))
        {
            json.WriteStartObject();
            writeMembers(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>The line of an object that says first of which kind it is.</summary>
    /// <param name="kind">Its kind: what "kind" says.</param>
    /// <param name="writeMembers">Writes what else is in the object.</param>
    public static string Of(string kind, Action<Utf8JsonWriter> writeMembers)
    {
        ArgumentNullException.ThrowIfNull(writeMembers);
        return Of(json =>
        {
            json.WriteString("kind", kind);
            writeMembers(json);
        });
    }
}
