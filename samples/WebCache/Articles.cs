// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Globalization;
using System.Text;

namespace WebCache;

/// <summary>The application: articles that are the same every time and take some work to render.</summary>
internal static class Articles
{
    /// <summary>Bytes of an article.</summary>
    internal const int Bytes = 4096;

    /// <summary>Renders an article: its number, and words that follow from it.</summary>
    internal static void Render(int number, IBufferWriter<byte> destination)
    {
        Span<byte> page = destination.GetSpan(Bytes)[..Bytes];
        int length = Encoding.UTF8.GetBytes(
            string.Create(CultureInfo.InvariantCulture, $"<h1>Article {number}</h1>\n"), page);
        uint state = (uint)number + 1;
        for (; length < Bytes; length++)
        {
            // Marsaglia's xorshift: the same letters for the same article.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            page[length] = state % 7 == 0 ? (byte)' ' : (byte)('a' + (state % 26));
        }

        destination.Advance(Bytes);
    }
}
