#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Line coverage of PerfCache.Core and PerfCache.Policies: a line for each, and the files below 90 %.
#
#   tests/coverage.sh [FILTER...]     filters as for dotnet test; without any, two that leave out what measures time
#
# Each filter is a run of its own, and their coverage is joined. Other arguments of dotnet test, such as --no-build, come
# from the variable COVERAGE_ARGUMENTS. The tests' own folder is instrumented meanwhile: run nothing else in it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
names() { # what the names of tests contain
	local filter="" name
	for name in "$@"; do filter+="|FullyQualifiedName~PerfCache.Tests.$name"; done
	echo "${filter#|}"
}
if [ $# -eq 0 ]; then
	set -- "$(names Core Policies Models.Item Models.Node Models.Part Models.Repl Models.FlipRingModel)" \
		"$(names Simulation.Scenarios.Flipping.LiveFlip Simulation.Scenarios.Flipping.FlipSim Remote.Borrowing.BorrowedM \
			Remote.LendingTests Remote.SessionTests Policies)"
fi
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
for filter in "$@"; do
	# A test that the instrumented code is too slow for fails, and what it covered counts all the same.
	# shellcheck disable=SC2086
	dotnet test tests/PerfCache.Tests -c Release --filter "$filter" --collect 'XPlat Code Coverage' \
		--settings tests/coverage.runsettings --results-directory "$results" ${COVERAGE_ARGUMENTS:-} || true
done
mapfile -t reports < <(find "$results" -name coverage.cobertura.xml)
[ ${#reports[@]} -gt 0 ] || { echo "no coverage was collected; see the messages above" >&2; exit 1; }

# A file's lines appear once for each type and method in them: a line that ran in any of them ran.
awk '
	function value(name,   found) {
		if (!match($0, name "=\"[^\"]*\"")) return ""
		found = substr($0, RSTART, RLENGTH)
		gsub(/^[^"]*"|"$/, "", found)
		return found
	}
	/<package / { package = value("name") }
	/<class / { file = value("filename"); sub(/.*PerfCache\./, "PerfCache.", file); package_of[file] = package }
	/<line / { key = file SUBSEP value("number"); hits[key] += value("hits") }
	END {
		for (key in hits) {
			split(key, part, SUBSEP)
			lines[part[1]]++; all[package_of[part[1]]]++
			if (hits[key] > 0) { covered[part[1]]++; ran[package_of[part[1]]]++ }
		}
		for (each in all) printf "%s: %d of %d lines, %.1f %%\n", each, ran[each], all[each], 100 * ran[each] / all[each]
		fflush()
		for (each in lines) {
			share = 100 * covered[each] / lines[each]
			if (share < 90) printf "%6.1f %%  %4d of %4d  %s\n", share, covered[each], lines[each], each | "sort -n"
		}
	}' "${reports[@]}"
