// SPDX-License-Identifier: MIT
using System.Buffers.Text;
using Microsoft.Win32.SafeHandles;

namespace PerfCache.Remote.Lending;

/// <summary>A small file of names and numbers, one pair a line, that the system makes anew whenever it is read.</summary>
internal sealed class CounterFile : IDisposable
{
    private readonly SafeFileHandle _file;
    private byte[] _bytes = new byte[16 * 1024];
    private int _length;

    private CounterFile(string path, SafeFileHandle file) => (Path, _file) = (path, file);

    /// <summary>Where it lies.</summary>
    internal string Path { get; }

    /// <summary>Opens a file and reads it once; null where there is none or it tells nothing.</summary>
    internal static CounterFile? TryOpen(string path)
    {
        try
        {
            CounterFile opened = new(path, File.OpenHandle(path));
            if (opened.TryRefresh()) return opened;
            opened.Dispose();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // Each source is optional; the lender says which ones it uses.
        }

        return null;
    }

    /// <summary>Reads it again.</summary>
    internal bool TryRefresh()
    {
        _length = 0;
        try
        {
            while (true)
            {
                int read = RandomAccess.Read(_file, _bytes.AsSpan(_length), _length);
                if (read <= 0) return _length > 0;
                _length += read;
                if (_length == _bytes.Length) Array.Resize(ref _bytes, 2 * _length);
            }
        }
        catch (IOException)
        {
            // A control group that was removed, or a kernel without the feature.
            return false;
        }
    }

    /// <summary>The number behind a name at the beginning of a line, or behind "name=" anywhere in a line.</summary>
    internal long? Find(ReadOnlySpan<byte> name)
    {
        ReadOnlySpan<byte> rest = _bytes.AsSpan(0, _length);
        while (!rest.IsEmpty)
        {
            int at = rest.IndexOf(name);
            if (at < 0) return null;
            bool begins = at == 0 || rest[at - 1] is (byte)'\n' or (byte)' ';
            ReadOnlySpan<byte> behind = rest[(at + name.Length)..];
            rest = behind;
            if (!begins || behind.IsEmpty || behind[0] is not ((byte)' ' or (byte)':' or (byte)'=')) continue;
            behind = behind[1..].TrimStart((byte)' ');
            if (Utf8Parser.TryParse(behind, out long value, out _)) return value;
        }

        return null;
    }

    /// <summary>A file that is one number.</summary>
    internal long? Single =>
        Utf8Parser.TryParse(_bytes.AsSpan(0, _length), out long value, out _) ? value : null;

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
