#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the C floors into artifacts/native (or the folder named): a shared library for the comparisons that
# load it, and a program that generates its own workload.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../artifacts/native}
flags=(-std=c17 -O3 -march=native -Wall -Wextra -Werror)
mkdir -p "$out"
gcc "${flags[@]}" -shared -fPIC "$here/lru_floor.c" -o "$out/liblru_floor.so"
gcc "${flags[@]}" -DLRU_FLOOR_MAIN -D_POSIX_C_SOURCE=199309L "$here/lru_floor.c" -o "$out/lru_floor"
gcc "${flags[@]}" -DLRU_FLOOR_MAIN -D_POSIX_C_SOURCE=199309L -DLOOK_AHEAD=24 "$here/lru_floor.c" \
	-o "$out/lru_floor_look_ahead"
# The ring's rivals. DPDK's headers are enough for its own ring: nothing of it is linked.
rings=(-pthread)
if pkg-config --exists libdpdk 2>/dev/null; then
	read -ra found <<<"$(pkg-config --cflags libdpdk)"
	rings+=(-DHAVE_DPDK "${found[@]}")
elif [ -n "${DPDK_INCLUDE:-}" ]; then
	# A folder into which the package was unpacked: its include folder, and that of the architecture.
	rings+=(-DHAVE_DPDK -isystem "$DPDK_INCLUDE/dpdk" -isystem "$DPDK_INCLUDE/$(gcc -print-multiarch)/dpdk")
fi
gcc "${flags[@]/-std=c17/-std=gnu17}" "${rings[@]}" -shared -fPIC "$here/ring_floor.c" -o "$out/libring_floor.so"
