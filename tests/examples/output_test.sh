#!/usr/bin/env bash
# output_test.sh COMMAND-LINE PROGRAM ARGUMENT...: the program, run in an empty directory, prints what
# examples/README.md shows below "$ COMMAND-LINE". Numbers with a fraction (times, losses) may differ;
# a line "..." stands for any lines.
set -euo pipefail
readme=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)/examples/README.md
line=$1
shift
work=$(mktemp -d "${TMPDIR:-/tmp}/grapnel-test-XXXXXX")
trap 'rm -rf -- "$work"' EXIT

without_numbers() { sed -E 's/[0-9]+\.[0-9]+/#/g'; }
awk -v line="\$ $line" '$0 == line {found = 1; next} found && /^(```|\$ )/ {exit} found' "$readme" |
  without_numbers >"$work/expected"
[[ -s $work/expected ]] || { echo "examples/README.md shows no output of: $line"; exit 1; }

mkdir "$work/run"
(cd "$work/run" && "$@") >"$work/output" 2>&1 || { cat "$work/output"; exit 1; }

awk -v expected="$work/expected" '
  BEGIN { while ((getline text < expected) > 0) want[++count] = text; at = 1; open = 0 }
  { got = $0 }
  want[at] == "..." { open = 1; at++ }
  at <= count && got == want[at] { at++; open = 0; next }
  open { next }
  { print "unexpected: " got; failed = 1 }
  END {
    while (at <= count && want[at] == "...") at++
    if (at <= count) { print "missing: " want[at]; failed = 1 }
    exit failed
  }' < <(without_numbers <"$work/output") || { echo "the whole output:"; cat "$work/output"; exit 1; }
