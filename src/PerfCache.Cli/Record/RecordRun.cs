// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using PerfCache.Simulation.Recording;
using PerfCache.Simulation.Replay;

namespace PerfCache.Cli.Record;

/// <summary>
/// Runs the program under strace and hands its lines, as they come, to the recorder.
/// </summary>
/// <remarks>
/// strace writes to a named pipe, because its own standard streams are the program's. This process holds a writing end of
/// the pipe too, until strace has ended: so opening it waits for nobody, and its end is the end of strace, however that
/// came about. When the trace cannot be written any more (a full disk), the lines are still read to the end: the program
/// must not die of being watched.
/// </remarks>
internal sealed class RecordRun(CliContext context, RecordRequest request)
{
    private const int BufferBytes = 256 * 1024;
    private const int LineBytesMax = 64 * 1024;
    private const int FirstLineMilliseconds = 10_000;

    /// <summary>Runs and returns the exit code.</summary>
    public int Run()
    {
        try
        {
            if (Strace.Find(request.Command[0]) is null)
            {
                throw new UsageException(
                    $"there is no program '{request.Command[0]}'; check its name and the PATH");
            }

            string[] options = Strace.TriedOptions();
            return Record(options);
        }
        catch (TraceNotPossibleException e)
        {
            return CommandLine.Fail(context, e.Message, ExitCode.Failure);
        }
    }

    private int Record(string[] options)
    {
        OutputFile file;
        try
        {
            file = OutputFile.Create(request.Output);
        }
        catch (IOException e)
        {
            return CommandLine.Fail(context, e.Message, ExitCode.Usage);
        }

        DirectoryInfo folder = Directory.CreateTempSubdirectory("perfcache-");
        try
        {
            string pipe = Path.Combine(folder.FullName, "lines");
            (int exitCode, string error) = Strace.RunQuietly("mkfifo", "-m", "600", pipe);
            if (exitCode != 0) throw new IOException($"cannot make a named pipe: {error.Trim()}");
            bool compresses = request.Output.EndsWith(".gz", StringComparison.Ordinal);
            using GZipStream? gzip = compresses ? new(file.Stream, CompressionLevel.Optimal, leaveOpen: true) : null;
            using RecordedTraceWriter writer = new(gzip ?? file.Stream);
            return Record(options, pipe, writer, () =>
            {
                writer.Flush();
                gzip?.Dispose();
                file.Commit();
            });
        }
        finally
        {
            file.Dispose();
            folder.Delete(recursive: true);
        }
    }

    private int Record(string[] options, string pipe, RecordedTraceWriter writer, Action commit)
    {
        AccessRecorder recorder = new(writer, new RecordOptions
        {
            Folder = Environment.CurrentDirectory,
            Only = request.Only,
            CountsMappings = request.CountsMappings,
        }, FileBytes);
        for (int descriptor = 0; descriptor <= 2; descriptor++) Inherit(recorder, descriptor);

        long start = Stopwatch.GetTimestamp();
        using FileStream keeper = OpenPipe(pipe, FileAccess.ReadWrite);
        using FileStream lines = OpenPipe(pipe, FileAccess.Read);
        context.Signals.PassOn = signal => PassOn(signal, recorder);
        // One that came before there was anybody to pass it on to.
        if (context.Cancellation.IsCancellationRequested)
        {
            context.Signals.PassOn = null;
            return CommandLine.Fail(context, "stopped before the program began", ExitCode.Failure);
        }

        using CancellationTokenRegistration late =
            context.Cancellation.Register(() => PassOn(PosixSignal.SIGTERM, recorder));
        Exception? failure;
        int exitCode;
        try
        {
            using Process process = Strace.Start(options, pipe, request.Command, outputToError: request.Json);
            Thread waiter = new(() =>
            {
                process.WaitForExit();
                keeper.Dispose();
            })
            { IsBackground = true, Name = "wait for strace" };
            waiter.Start();
            failure = ReadLines(lines, recorder);
            waiter.Join();
            exitCode = process.ExitCode;
            if (failure is null) commit();
        }
        finally
        {
            context.Signals.PassOn = null;
        }

        if (failure is not null) throw new IOException($"cannot write '{request.Output}': {failure.Message}", failure);
        RecordReport report = new(request, writer.Summary, recorder.SkippedLines, exitCode, Stopwatch.GetElapsedTime(start));
        if (recorder.FirstProcess == 0)
            return CommandLine.Fail(context, "strace ended without a line; nothing was recorded", ExitCode.Failure);
        report.Write(context);
        return exitCode;
    }

    /// <summary>Feeds the recorder until the pipe ends.</summary>
    /// <returns>Why the trace could not be written, or null.</returns>
    private static Exception? ReadLines(Stream lines, AccessRecorder recorder)
    {
        byte[] buffer = new byte[BufferBytes];
        int held = 0;
        bool isTooLong = false;
        Exception? failure = null;
        int read;
        while ((read = lines.Read(buffer, held, buffer.Length - held)) > 0)
        {
            held += read;
            int at = 0;
            int end;
            while ((end = buffer.AsSpan(at, held - at).IndexOf((byte)'\n')) >= 0)
            {
                // The rest of a line that was too long is no line.
                ReadOnlySpan<byte> line = isTooLong ? "too long"u8 : buffer.AsSpan(at, end);
                isTooLong = false;
                at += end + 1;
                if (failure is null) failure = Take(recorder, line);
            }

            buffer.AsSpan(at, held - at).CopyTo(buffer);
            held -= at;
            if (held < LineBytesMax) continue;
            isTooLong = true;
            held = 0;
        }

        return failure;
    }

    private static Exception? Take(AccessRecorder recorder, ReadOnlySpan<byte> line)
    {
        try
        {
            recorder.Line(line);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or OutOfMemoryException)
        {
            return e;
        }
    }

    private static FileStream OpenPipe(string path, FileAccess access) => new(path, new FileStreamOptions
    {
        Mode = FileMode.Open,
        Access = access,
        Share = FileShare.ReadWrite | FileShare.Delete,
        BufferSize = 0,
    });

    private static long FileBytes(string path)
    {
        try
        {
            FileInfo file = new(path);
            return file.Exists ? file.Length : -1;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return -1;
        }
    }

    /// <summary>What this process was given, the program is given too: a file may be at any position.</summary>
    private void Inherit(AccessRecorder recorder, int descriptor)
    {
        try
        {
            int source = request.Json && descriptor == 1 ? 2 : descriptor;
            if (new FileInfo($"/proc/self/fd/{source}").LinkTarget is not { } path || !File.Exists(path)) return;
            Dictionary<string, string> facts = File.ReadAllLines($"/proc/self/fdinfo/{source}")
                .Select(line => line.Split(':', 2)).Where(fact => fact.Length == 2)
                .ToDictionary(fact => fact[0], fact => fact[1].Trim());
            const int Append = 0x400;
            bool appends = (Convert.ToInt64(facts["flags"], 8) & Append) != 0;
            recorder.Inherit(descriptor, path, long.Parse(facts["pos"], CultureInfo.InvariantCulture), appends);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or KeyNotFoundException or FormatException)
        {
            // A system without /proc: the descriptor begins at 0 when it is used.
        }
    }

    /// <summary>A terminal sends Ctrl-C to the program itself; what comes to this process alone is passed on.</summary>
    /// <remarks>The program's number is known from strace's first line, which may still be on its way: a signal that came
    /// before it must not be lost.</remarks>
    private static void PassOn(PosixSignal signal, AccessRecorder recorder)
    {
        bool isInterrupt = signal == PosixSignal.SIGINT;
        if (isInterrupt && IsInForeground()) return;
        long deadline = Environment.TickCount64 + FirstLineMilliseconds;
        while (recorder.FirstProcess == 0 && Environment.TickCount64 < deadline) Thread.Sleep(10);
        if (recorder.FirstProcess == 0) return;
        Strace.RunQuietly("sh", "-c", $"kill -{(isInterrupt ? "INT" : "TERM")} {recorder.FirstProcess}");
    }

    /// <summary>True when a terminal's keys go to this process's group, which the program is in.</summary>
    private static bool IsInForeground()
    {
        try
        {
            // pid (name) state parent group session terminal foreground-group; a name may have any character.
            string status = File.ReadAllText("/proc/self/stat");
            string[] fields = status[(status.LastIndexOf(')') + 2)..].Split(' ');
            return fields[4] != "0" && fields[5] == fields[2];
        }
        catch (IOException)
        {
            return false;
        }
    }
}
