// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Replay;

/// <summary>Takes the writes out of a trace, and the notes that belong to them.</summary>
internal static class ReadsOnly
{
    /// <summary>Moves the reads of a block together.</summary>
    public static void Apply(TraceBlock block)
    {
        int kept = 0;
        int nextNote = 0;
        List<TraceNote> notes = [];
        for (int i = 0; i < block.Count; i++)
        {
            bool isWrite = block.Writes[i];
            Keep(block, i, kept, isWrite, ref nextNote, notes);
            if (isWrite) continue;
            block.Ids[kept] = block.Ids[i];
            if (block.Files.Length > 0) block.Files[kept] = block.Files[i];
            if (block.Sizes.Length > 0) block.Sizes[kept] = block.Sizes[i];
            block.Writes[kept++] = false;
        }

        Keep(block, block.Count, kept, isWrite: false, ref nextNote, notes);
        block.Notes.Clear();
        foreach (TraceNote note in notes) block.Notes.Add(note);
        block.Count = kept;
    }

    private static void Keep(
        TraceBlock block, int at, int keptAt, bool isWrite, ref int nextNote, List<TraceNote> notes)
    {
        for (; nextNote < block.Notes.Count && block.Notes[nextNote].At <= at; nextNote++)
        {
            TraceNote note = block.Notes[nextNote];
            bool isOfWrite = note.Kind == TraceNoteKind.Part || (note.Kind == TraceNoteKind.Call && isWrite);
            if (!isOfWrite) notes.Add(note with { At = keptAt });
        }
    }
}
