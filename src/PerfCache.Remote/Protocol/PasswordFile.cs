// SPDX-License-Identifier: MIT
using System.Security.Cryptography;
using System.Text;

namespace PerfCache.Remote.Protocol;

/// <summary>
/// The file of names and passwords of memcached's -Y: one <c>name:password</c> a line. Lines without a colon, without a
/// name or without a password are refused.
/// </summary>
internal sealed class PasswordFile
{
    private const int EntriesMax = 4096;

    private readonly (byte[] Name, byte[] Password)[] _entries;

    private PasswordFile((byte[] Name, byte[] Password)[] entries) => _entries = entries;

    /// <summary>Reads a file.</summary>
    /// <exception cref="FormatException">A line is wrong, or there is none; the message says which.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    internal static PasswordFile Load(string path)
    {
        List<(byte[], byte[])> entries = [];
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (line.Length == 0) continue;
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0 || colon == line.Length - 1)
                throw new FormatException($"{path}:{number}: write name:password on a line of its own");
            if (entries.Count == EntriesMax)
                throw new FormatException($"{path}: more than {EntriesMax} names; split the users over several servers");
            entries.Add((Encoding.UTF8.GetBytes(line[..colon]), Encoding.UTF8.GetBytes(line[(colon + 1)..])));
        }

        if (entries.Count == 0) throw new FormatException($"{path}: no name:password in it, so nobody could log in");
        return new PasswordFile([.. entries]);
    }

    /// <summary>True when the password is that of the name. Takes as long for a wrong one.</summary>
    internal bool Check(ReadOnlySpan<byte> name, ReadOnlySpan<byte> password)
    {
        bool found = false;
        foreach ((byte[] knownName, byte[] knownPassword) in _entries)
        {
            bool sameName = CryptographicOperations.FixedTimeEquals(knownName, name);
            bool samePassword = CryptographicOperations.FixedTimeEquals(knownPassword, password);
            found |= sameName & samePassword;
        }

        return found;
    }
}
