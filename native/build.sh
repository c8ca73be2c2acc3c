#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the C interface into artifacts/native (or the folder named): libperfcache.so, compiled ahead of time, and
# the C programs that use it: the example, the tests and the hit loop. Needs the .NET SDK and gcc or clang.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../artifacts/native}
mkdir -p "$out"
out=$(cd "$out" && pwd)
compiler=$(command -v gcc || command -v clang) || {
	echo "native/build.sh: neither gcc nor clang is installed; install one (Debian: gcc libc6-dev zlib1g-dev)" >&2
	exit 1
}
case $(uname -m) in
aarch64 | arm64) architecture=arm64 ;;
*) architecture=x64 ;;
esac

published=$here/PerfCache.Native/bin/published
dotnet publish "$here/PerfCache.Native" -c Release -r "linux-$architecture" -o "$published" --nologo -v q
# Moved into place, so that a program which runs keeps the library that it has.
cp "$published/libperfcache.so" "$out/libperfcache.so.new"
mv "$out/libperfcache.so.new" "$out/libperfcache.so"

flags=(-std=c99 -O2 -g -Wall -Wextra -Werror -pedantic -pthread -D_POSIX_C_SOURCE=200809L -I"$here/include")
link() { # program, sources...
	local program=$1
	shift
	"$compiler" "${flags[@]}" "$@" -o "$out/$program" -L"$out" -lperfcache '-Wl,-rpath,$ORIGIN'
}
link hot_pages "$here/examples/hot_pages.c"
link abi_test "$here"/tests/{abi_test,page_tests,view_tests,ring_tests,thread_tests,shared}.c
link hit_loop "$here/bench/hit_loop.c"
# Runs other programs without some system calls; not every system's headers know how.
"$compiler" -D_GNU_SOURCE -std=c99 -O2 -Wall -Wextra "$here/tests/refuse_calls.c" -o "$out/refuse_calls" ||
	echo "native/build.sh: refuse_calls is not built; the tests that need it fail or are skipped" >&2
