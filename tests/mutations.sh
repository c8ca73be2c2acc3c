#!/bin/bash
# SPDX-License-Identifier: MIT
# Changes the code of a room in one place at a time, and says which changes no test of the room notices.
#
#   tests/mutations.sh ROOM [SECONDS [FOLDER]]      ROOM is lists, index, flip, items or linux-6
#
# Stryker makes the mutants (a build and one test: minutes), and PerfCache.MutationTests tries them, SECONDS long (3600).
# Called again, it goes on where it was. FOLDER (artifacts/mutations) keeps the mutated assemblies and the answers:
# remove it after a change of the code.
set -euo pipefail
cd "$(dirname "$0")/.."
room=${1:?ROOM is lists, index, flip, items or linux-6}
seconds=${2:-3600}
folder=$(realpath -m "${3:-artifacts/mutations}")
tests=tests/PerfCache.MutationTests
assembly=PerfCache.Core
case $room in
lists) files=/Lists/ pattern='Core\.Lists\.' ;;
index) files=/Index/ pattern='Core\.Index\.' ;;
flip) files=/Flip/ pattern='Core\.Flip\.|Models\.FlipRingModelTests' ;;
# Noting which mutants a test comes by allocates.
items) files=/Items/ pattern='Core\.Items\.(?!.*AllocateNothing)|Models\.ItemModelTests' ;;
linux-6)
  assembly=PerfCache.Policies
  files=/Replacement/Linux
  pattern='LinuxRules|ReplacementModelTests\.Linux|ReclaimStepTests|SettledStateTests|CacheWatchTests'
  ;;
*)
  echo "mutations.sh: no room \"$room\"; lists, index, flip, items or linux-6" >&2
  exit 2
  ;;
esac
built=$tests/bin/Release/net10.0
mutated=$folder/$assembly
if [ ! -f "$mutated/report.json" ]; then
  rm -rf "$mutated" "$built/$assembly.dll"
  mkdir -p "$mutated"
  (
    # Stryker puts the mutated assembly among the tests and takes it away when it ends.
    until grep -qs MutantControl "$built/$assembly.dll"; do sleep 0.5; done
    sleep 1
    cp "$built/$assembly.dll" "$mutated/"
  ) &
  watcher=$!
  trap 'kill $watcher 2>/dev/null || true' EXIT
  (
    cd $tests
    dotnet tool restore >&2
    dotnet stryker -f $assembly.json -O "$mutated/stryker" --skip-version-check >&2
  )
  wait $watcher
  trap - EXIT
  cp "$mutated/stryker/reports/mutation-report.json" "$mutated/report.json"
fi
dotnet build -c Release $tests --nologo -v q -clp:ErrorsOnly >&2
run=$folder/$room.tests
rm -rf "$run"
cp -r $built "$run"
cp "$mutated/$assembly.dll" "$run/"
answers=$folder/$room.answers
asked="$run.asked"
if [ "$built/PerfCache.Tests.dll" -nt "$answers.coverage" ] || [ "$(cat "$asked" 2>/dev/null)" != "$pattern" ]; then
  # Other tests: what was found stays found, what was not is tried again.
  rm -f "$answers.coverage"
  if [ -f "$answers" ]; then sed -i '/\t\(Survived\|NoCoverage\)\t/d' "$answers"; fi
  echo "$pattern" > "$asked"
fi
dotnet "$run/PerfCache.Tests.dll" run "$mutated/report.json" $assembly "$files" "$pattern" \
  "$answers" "$seconds"
