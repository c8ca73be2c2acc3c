// SPDX-License-Identifier: MIT
using System.Text;

namespace PerfCache.Simulation.Recording;

/// <summary>
/// Follows a program through the lines that strace writes about it, and tells which pages of which files it reads and
/// writes. Lines in, requests out: it starts nothing and waits for nothing.
/// </summary>
/// <remarks>
/// <para>What is a page access: every page that a successful read or write (the whole family, sendfile,
/// copy_file_range and splice included) moved bytes of, in the order in which the calls ended. Regular files only: pipes,
/// sockets and what lies under /dev, /proc and /sys are counted in bytes and nothing else, and so is O_DIRECT, which
/// passes the page cache by.</para>
/// <para>Which file: strace shows the name behind every descriptor (-y), so no table of ours has to be right about
/// names. But a name is not a file: a file that is renamed keeps its pages, and a new one of the same name has none of
/// them. So files have numbers, and rename, unlink and truncation are followed.</para>
/// <para>Where in the file: nobody shows the position of a read, so it is computed: open files (OpenFile) are followed
/// through dup, fork, clone, close, execve, lseek and O_APPEND, as the kernel shares them between descriptors. A
/// descriptor that was never seen being opened (handed over by a socket) begins at position 0, and is counted.</para>
/// <para>What cannot be seen: accesses through mappings. A mapping's pages are touched without a system call, and
/// whether all of them or none, the map call does not say. They are no requests; the range is a note in the trace and
/// is counted. Reads by io_uring and aio go past the calls that are followed; the use of them is counted.</para>
/// <para>Threads: a call that another task interrupts is in two lines, joined here. A new task's lines may come before
/// its parent's call returns; they are held until then, because what it inherits is not known before.</para>
/// <para>A line that cannot be understood is skipped and counted; a recording is not lost by one. Memory is bounded by
/// tasks, open files and the names of files seen; the length of the run does not matter.</para>
/// </remarks>
public sealed partial class AccessRecorder
{
    /// <summary>Lines of a task that nobody started, after which it is taken as it is.</summary>
    private const int HeldLinesMax = 4096;

    private readonly RecordedTraceWriter _writer;
    private readonly Func<string, long> _fileBytes;
    private readonly RecordOptions _options;
    private readonly Dictionary<int, RecordedTask> _tasks = [];
    private readonly Dictionary<int, List<byte[]>> _held = [];
    private readonly WorkingFolder _startFolder;
    private readonly DescriptorTable _startTable = new();
    private int _pendingClones;
    private bool _hasStarted;
    private int _firstProcess;

    /// <summary>Makes a recorder.</summary>
    /// <param name="writer">Receives the requests.</param>
    /// <param name="options">What to record.</param>
    /// <param name="fileBytes">The size of a file in bytes, or a negative number when there is none: asked when a file
    /// is opened first.</param>
    public AccessRecorder(RecordedTraceWriter writer, RecordOptions options, Func<string, long> fileBytes)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(fileBytes);
        _writer = writer;
        _options = options;
        _fileBytes = fileBytes;
        _startFolder = new WorkingFolder(options.Folder);
    }

    /// <summary>The first task of the recording, whose number is the process's; 0 before its first line. Other threads may
    /// look.</summary>
    public int FirstProcess
    {
        get => Volatile.Read(ref _firstProcess);
        private set => Volatile.Write(ref _firstProcess, value);
    }

    /// <summary>Lines that were not understood.</summary>
    public long SkippedLines { get; private set; }

    /// <summary>A descriptor that the program inherits.</summary>
    /// <param name="descriptor">Its number.</param>
    /// <param name="path">The file's path.</param>
    /// <param name="position">Where it stands, in bytes.</param>
    /// <param name="appends">True when writes go to the end of the file.</param>
    public void Inherit(int descriptor, string path, long position, bool appends)
    {
        ArgumentNullException.ThrowIfNull(path);
        byte[] bytes = Encoding.UTF8.GetBytes(path);
        string name = Encoding.Latin1.GetString(bytes);
        if (!IsRegular(name)) return;
        // Standard output and error are often one open file.
        OpenFile? shared = _startTable.Find(descriptor - 1);
        if (shared is not null && shared.File.Path == name && shared.Position == position && shared.Appends == appends)
        {
            Release(_startTable.Set(descriptor, shared, closesOnExec: false));
            return;
        }

        OpenFile file = NewOpenFile(FileOf(name, isNew: false), bytes);
        file.Position = position;
        file.Appends = appends;
        Release(_startTable.Set(descriptor, file, closesOnExec: false));
    }

    /// <summary>Takes the next line, without its end.</summary>
    /// <returns>False when it was skipped.</returns>
    public bool Line(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty) return true;
        SystemCallLine parsed = SystemCallLine.Parse(line);
        if (parsed.Kind == LineKind.Unknown) return Skip();
        if (parsed.Kind == LineKind.Superseded) return Supersede(parsed.Task, parsed.OtherTask);
        if (!_tasks.TryGetValue(parsed.Task, out RecordedTask? task))
        {
            if (_hasStarted && Hold(parsed, line)) return true;
            task = StartTask(parsed.Task, _hasStarted ? _startTable.Copy() : _startTable, _startFolder);
            if (!_hasStarted) FirstProcess = parsed.Task;
            _hasStarted = true;
        }

        switch (parsed.Kind)
        {
            case LineKind.Call:
                return Call(parsed.Task, task, parsed.Name, parsed.Text);
            case LineKind.Unfinished:
                return Begin(task, parsed.Name, parsed.Text);
            case LineKind.Resumed:
                return Resume(parsed.Task, task, parsed.Name, parsed.Text);
            case LineKind.Exited:
                End(parsed.Task, task);
                return true;
            default:
                return true;
        }
    }

    private bool Skip()
    {
        SkippedLines++;
        return false;
    }

    private RecordedTask StartTask(int number, DescriptorTable table, WorkingFolder folder)
    {
        RecordedTask task = new(table, folder);
        _tasks[number] = task;
        return task;
    }

    private bool Begin(RecordedTask task, ReadOnlySpan<byte> name, ReadOnlySpan<byte> text)
    {
        if (IsClone(task.PendingName)) _pendingClones--;
        task.PendingName = Encoding.ASCII.GetString(name);
        task.PendingText = text.ToArray();
        if (IsClone(task.PendingName)) _pendingClones++;
        // Closing takes effect at once: another thread may be given the number before this line is finished.
        if (task.PendingName == "close" && CallArguments.TryParse([.. text, .. ") = 0"u8], out CallArguments arguments))
            Close(task, arguments);
        return true;
    }

    private bool Resume(int number, RecordedTask task, ReadOnlySpan<byte> name, ReadOnlySpan<byte> text)
    {
        string pending = task.PendingName;
        byte[] begun = task.PendingText;
        task.PendingName = "";
        task.PendingText = [];
        if (IsClone(pending)) _pendingClones--;
        if (pending.Length == 0 || !name.SequenceEqual(Encoding.ASCII.GetBytes(pending))) return Skip();
        // It was carried out when it began.
        bool isDone = pending == "close" || Call(number, task, name, [.. begun, .. text]);
        if (IsClone(pending)) AdoptHeldTasks();
        return isDone;
    }

    private static bool IsClone(string name) => name is "clone" or "clone3" or "fork" or "vfork";

    /// <summary>Keeps a line of a task whose parent has not told yet what it inherits.</summary>
    private bool Hold(SystemCallLine line, ReadOnlySpan<byte> text)
    {
        if (_pendingClones == 0) return false;
        if (!_held.TryGetValue(line.Task, out List<byte[]>? lines)) _held[line.Task] = lines = [];
        lines.Add(text.ToArray());
        if (lines.Count >= HeldLinesMax)
        {
            StartTask(line.Task, _startTable.Copy(), _startFolder);
            Replay(line.Task);
        }

        return true;
    }

    /// <summary>No call is left that could have started those who wait.</summary>
    private void AdoptHeldTasks()
    {
        if (_pendingClones > 0) return;
        foreach (int number in _held.Keys.ToArray())
        {
            StartTask(number, _startTable.Copy(), _startFolder);
            Replay(number);
        }
    }

    private void Replay(int number)
    {
        if (!_held.Remove(number, out List<byte[]>? lines)) return;
        foreach (byte[] line in lines) Line(line);
    }

    /// <summary>A call that makes a task has returned its number.</summary>
    private void Clone(RecordedTask parent, int child, bool sharesFiles, bool sharesFolder)
    {
        if (_tasks.Remove(child, out RecordedTask? stale)) Abandon(stale);
        if (sharesFiles) parent.Table.References++;
        StartTask(child,
            sharesFiles ? parent.Table : parent.Table.Copy(),
            sharesFolder ? parent.Folder : new WorkingFolder(parent.Folder.Path));
        Replay(child);
    }

    /// <summary>A thread executed a program: the other threads are gone, and it has the first one's number.</summary>
    private bool Supersede(int number, int executing)
    {
        if (!_tasks.Remove(executing, out RecordedTask? task)) return true;
        if (_tasks.Remove(number, out RecordedTask? gone)) Abandon(gone);
        _tasks[number] = task;
        return true;
    }

    private void Execute(RecordedTask task)
    {
        if (task.Table.References > 1)
        {
            task.Table.References--;
            task.Table = task.Table.Copy();
        }

        foreach (int descriptor in task.Table.In(0, int.MaxValue, closingOnExecOnly: true))
            Release(task.Table.Remove(descriptor));
        task.Folder = new WorkingFolder(task.Folder.Path);
    }

    private void End(int number, RecordedTask task)
    {
        _tasks.Remove(number);
        Abandon(task);
    }

    private void Abandon(RecordedTask task)
    {
        bool wasCloning = IsClone(task.PendingName);
        if (wasCloning) _pendingClones--;
        if (--task.Table.References == 0)
            foreach (int descriptor in task.Table.In(0, int.MaxValue)) Release(task.Table.Remove(descriptor));
        if (wasCloning) AdoptHeldTasks();
    }
}
