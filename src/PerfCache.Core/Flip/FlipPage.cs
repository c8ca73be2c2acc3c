// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Frames;

namespace PerfCache.Flip;

/// <summary>A full page on its way to another domain; also the slot of a <see cref="FlipRing{TThreads}"/>.</summary>
/// <remarks>16 bytes, so four slots share a cache line and none straddles two.</remarks>
/// <param name="Frame">The frame that holds the page. On the way back the slot has the free frame here.</param>
/// <param name="LengthBytes">Bytes of the page that mean something, from its start: at least 1.</param>
/// <param name="UserBits">Whatever the domains agree on.</param>
/// <param name="Domain">The domain that the page is for: it must be the consuming one of the ring.</param>
[StructLayout(LayoutKind.Sequential, Pack = 4, Size = 16)]
public readonly record struct FlipPage(FrameId Frame, uint LengthBytes, uint UserBits, ushort Domain);
