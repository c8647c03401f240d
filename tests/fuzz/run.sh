#!/usr/bin/env bash
# Runs libFuzzer's programs and prints a table: executions, coverage (edges and features), inputs found, speed.
#
#   bash tests/fuzz/run.sh [--runs N] [TARGET...]     a million executions of each target
#
# The programs are those of the preset fuzz; what they find goes into build/fuzz/corpus/TARGET, a failure into
# build/fuzz/findings. Exits with 1 when there was one.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
build=$here/../../build/fuzz
runs=1000000
targets=()
while (($#)); do
  case $1 in
    --runs) runs=$2; shift 2 ;;
    *) targets+=("$1"); shift ;;
  esac
done
if ((${#targets[@]} == 0)); then
  for directory in "$here"/corpus/*/; do targets+=("$(basename -- "$directory")"); done
fi
mkdir -p "$build/findings" "$build/logs"

status=0
printf '%-20s %11s %7s %8s %7s %8s %7s  %s\n' target executions cov ft inputs seconds exec/s result
for target in "${targets[@]}"; do
  program=$build/fuzz/${target}_fuzz
  [[ -x $program ]] || { echo "$program is missing: cmake --preset fuzz && cmake --build --preset fuzz"; exit 2; }
  mkdir -p "$build/corpus/$target"
  options=(-runs="$runs" -max_len=8192 -timeout=100 -report_slow_units=100 -rss_limit_mb=4096 -print_final_stats=1
    -artifact_prefix="$build/findings/$target-")
  [[ ! -f $here/$target.dict ]] || options+=(-dict="$here/$target.dict")
  log=$build/logs/$target.log
  started=$SECONDS
  result=ok
  "$program" "${options[@]}" "$build/corpus/$target" "$here/corpus/$target" >"$log" 2>&1 || { result="failed, see $log"; status=1; }
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  last=$(grep -aE '^#[0-9]+.* cov: ' "$log" | tail -n 1 || true)
  cov=$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' <<<"$last")
  ft=$(sed -n 's/.* ft: \([0-9]*\).*/\1/p' <<<"$last")
  inputs=$(sed -n 's/.* corp: \([0-9]*\).*/\1/p' <<<"$last")
  printf '%-20s %11s %7s %8s %7s %8s %7s  %s\n' "$target" "${executions:--}" "${cov:--}" "${ft:--}" "${inputs:--}" \
    "$((SECONDS - started))" "${speed:--}" "$result"
done
exit "$status"
