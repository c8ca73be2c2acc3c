#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Line coverage of PerfCache.Core and PerfCache.Policies: a line for each, and the files below 90 %.
#
#   tests/coverage.sh [FILTER]     FILTER as for dotnet test; without it, the tests that do not measure time
#
# Other arguments of dotnet test, such as --no-build, come from the variable COVERAGE_ARGUMENTS.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
filter=${1:-'(FullyQualifiedName~PerfCache.Tests.Core|FullyQualifiedName~PerfCache.Tests.Policies|FullyQualifiedName~PerfCache.Tests.Models|FullyQualifiedName~PerfCache.Tests.Simulation|FullyQualifiedName~PerfCache.Tests.Remote.Lending|FullyQualifiedName~PerfCache.Tests.Remote.Borrowing.Borrowed)'}
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
# A test that the instrumented code is too slow for fails, and what it covered counts all the same.
# shellcheck disable=SC2086
dotnet test tests/PerfCache.Tests -c Release --filter "$filter" --collect 'XPlat Code Coverage' \
	--settings tests/coverage.runsettings --results-directory "$results" ${COVERAGE_ARGUMENTS:-} || true
report=$(find "$results" -name coverage.cobertura.xml | head -n 1)
[ -n "$report" ] || { echo "no coverage was collected; see the messages above" >&2; exit 1; }

# A file's lines appear once for each type and method in them: a line that ran in any of them ran.
awk '
	function value(name,   found) {
		if (!match($0, name "=\"[^\"]*\"")) return ""
		found = substr($0, RSTART, RLENGTH)
		gsub(/^[^"]*"|"$/, "", found)
		return found
	}
	/<package / { package = value("name") }
	/<class / { file = value("filename"); sub(/.*\/src\//, "src/", file); package_of[file] = package }
	/<line / { key = file SUBSEP value("number"); if (!(key in hits) || value("hits") > hits[key]) hits[key] = value("hits") + 0 }
	END {
		for (key in hits) {
			split(key, part, SUBSEP)
			lines[part[1]]++; all[package_of[part[1]]]++
			if (hits[key] > 0) { covered[part[1]]++; ran[package_of[part[1]]]++ }
		}
		for (each in all) printf "%s: %d of %d lines, %.1f %%\n", each, ran[each], all[each], 100 * ran[each] / all[each]
		for (each in lines) {
			share = 100 * covered[each] / lines[each]
			if (share < 90) printf "%6.1f %%  %4d of %4d  %s\n", share, covered[each], lines[each], each | "sort -n"
		}
	}' "$report"
[ -z "${COVERAGE_REPORT:-}" ] || cp "$report" "$COVERAGE_REPORT"
